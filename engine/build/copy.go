package build

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

func sumOf(s string) digest.Digest { return oci.Sum([]byte(s)) }

// copy carries out a COPY or ADD, or takes its layer from the cache.
func (st *stage) copy(ctx context.Context, in dockerfile.Instruction, c copySpec) (outcome, error) {
	mode, err := st.checkCopy(in, c)
	if err != nil {
		return outcome{}, err
	}
	from, err := st.origin(ctx, in, c)
	if err != nil {
		return outcome{}, err
	}
	defer from.close()
	step := treeStep{in: in, key: st.copyKey(c), apart: c.apart(), unknown: from.unknown, from: st.sourceStage(c.from), text: in.Text, history: c.text() + " # buildkit"}
	if c.name == "ADD" && st.session.opts.DryRun && slices.ContainsFunc(c.paths, isRemote) {
		step.unknown = true // a dry run fetches nothing
	}
	if step.unknown {
		return st.cached(ctx, step, nil) // a dry run: there is no tree to copy from
	}
	var sel *selection
	var made *draft
	if !st.recalled(ctx, c, from, &step) {
		if sel, err = st.gather(ctx, in, c, from); err != nil {
			return outcome{}, err
		}
		defer sel.close()
		if st.canBeFirst(step.key, sel) {
			step.begun = driver.Now(st.session.runtime)
			if made, err = st.first(ctx, in, c, sel, mode); err != nil {
				return outcome{}, err
			}
			defer func() { _ = made.drop(nil) }() // where another stage made the same layer meanwhile
		}
		if err := st.complete(c, from, sel, &step); err != nil {
			return outcome{}, st.explain(in, c, err)
		}
	}
	return st.cached(ctx, step, func(ctx context.Context, _ int) (image.Layer, error) {
		if made != nil {
			return st.commitDraft(ctx, func(context.Context) (*draft, error) { return made, nil })
		}
		if sel == nil { // what was recalled went away this moment
			if sel, err = st.gather(ctx, in, c, from); err != nil {
				return image.Layer{}, err
			}
			defer sel.close()
		}
		return st.place(ctx, in, c, sel, mode)
	})
}

// complete reads what has no sum yet, and completes the key.
func (st *stage) complete(c copySpec, from *origin, sel *selection, step *treeStep) error {
	if err := sel.digest(); err != nil {
		return err
	}
	step.inputs = sel.inputs(c)
	step.key.Inputs = inputsDigest(step.inputs)
	st.session.markSeen(step.key)
	st.session.remember(c, from, step.key.Inputs)
	return nil
}

// checkCopy refuses what can be seen to be wrong before anything is read, and gives what --chmod asks for.
func (st *stage) checkCopy(in dockerfile.Instruction, c copySpec) (mode modeChange, err error) {
	file := st.session.plan.File
	if len(c.paths)+len(c.inline) > 1 && !strings.HasSuffix(c.dest, "/") && c.dest != "." {
		return mode, file.Errorf(in, "", "When using %s with more than one source file, the destination must be a directory and end with a /", c.name)
	}
	if err := st.session.checkRemote(in, c); err != nil {
		return mode, err
	}
	if mode, err = parseMode(c.chmod); err != nil {
		return mode, file.Errorf(in, "--chmod", "%v", err)
	}
	return mode, nil
}

// copyKey begins the key. A layer that stands for itself has no parent, and the working folder counts only for a relative destination.
func (st *stage) copyKey(c copySpec) Key {
	key := st.key(c.keyText())
	if c.apart() {
		key.Parent = ""
	}
	if !path.IsAbs(c.dest) {
		key.Workdir = st.workdirOr("/")
	}
	return key
}

// origin is where a COPY or ADD copies from: the context, an earlier stage or an image. Its tree is opened when it is needed.
type origin struct {
	chain  digest.Digest // of a stage or an image
	unpack func(context.Context) (digest.Digest, error)
	layers []image.Layer // the same as an archive each, for a dry run
	tree   tree
	close  func()

	unknown bool // a dry run: the stage's tree was not made
}

func (st *stage) origin(ctx context.Context, in dockerfile.Instruction, c copySpec) (*origin, error) {
	o := &origin{close: func() {}}
	if c.from == "" {
		return o, nil
	}
	var err error
	o.chain, o.layers, o.unpack, err = st.fromChain(ctx, in, c.from)
	o.unknown = err == nil && o.unpack == nil
	return o, err
}

// fromChain gives the identity of the tree that --from names, and what unpacks it.
func (st *stage) fromChain(ctx context.Context, in dockerfile.Instruction, from string) (digest.Digest, []image.Layer, func(context.Context) (digest.Digest, error), error) {
	s := st.session
	if i := st.sourceStage(from); i >= 0 {
		b, err := s.await(ctx, i)
		if err != nil {
			return "", nil, nil, err
		}
		if b.unknown {
			return "", nil, nil, nil
		}
		return b.chain(), b.layers, b.unpack, nil
	}
	img, err := s.resolve(ctx, in, from, s.plan.Target)
	if err != nil {
		return "", nil, nil, err
	}
	var chain digest.Digest
	if n := len(img.Layers); n > 0 {
		chain = img.Layers[n-1].ChainID
	}
	return chain, img.Layers, func(ctx context.Context) (digest.Digest, error) { return s.images.Unpack(ctx, img) }, nil
}

// sourceStage is the number of the stage that --from names, or -1.
func (st *stage) sourceStage(from string) int {
	if i, ok := st.session.plan.File.CopySource(from, st.planned.Index); ok && from != "" {
		return i
	}
	return -1
}

// open gives the tree that is copied from.
func (o *origin) open(ctx context.Context, s *session) (tree, error) {
	if o.tree != nil {
		return o.tree, nil
	}
	if o.unpack == nil {
		t, err := s.context(ctx)
		if err == nil {
			o.tree = t
		}
		return o.tree, err
	}
	if s.opts.DryRun {
		t, err := s.readLayers(ctx, o.layers) // to unpack them would change the home
		if err == nil {
			o.tree = t
		}
		return o.tree, err
	}
	chain, err := o.unpack(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.openTree(ctx, chain)
	if err != nil {
		return nil, err
	}
	o.tree, o.close = t, func() { _ = t.close() }
	return t, nil
}

// choose finds what the instruction names, also what it has to fetch, and the sums of the files.
func (st *stage) choose(ctx context.Context, in dockerfile.Instruction, c copySpec, from *origin) (*selection, error) {
	sel, err := st.gather(ctx, in, c, from)
	if err != nil {
		return nil, err
	}
	if err := sel.digest(); err != nil {
		sel.close()
		return nil, st.explain(in, c, err)
	}
	return sel, nil
}

// gather is choose without the sums.
func (st *stage) gather(ctx context.Context, in dockerfile.Instruction, c copySpec, from *origin) (*selection, error) {
	sel := &selection{}
	err := st.find(ctx, in, c, from, sel)
	if err == nil {
		for _, doc := range c.inline {
			sel.inline(doc.Path, doc.Data)
		}
	}
	if err != nil {
		sel.close()
		return nil, st.explain(in, c, err)
	}
	return sel, nil
}

func (st *stage) find(ctx context.Context, in dockerfile.Instruction, c copySpec, from *origin, sel *selection) error {
	for _, src := range c.paths {
		if c.name == "ADD" && isRemote(src) {
			if err := st.fetch(ctx, in, c, src, sel); err != nil {
				return err
			}
			continue
		}
		t, err := from.open(ctx, st.session)
		if err != nil {
			return err
		}
		if err := sel.find(t, c, src); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) fetch(ctx context.Context, in dockerfile.Instruction, c copySpec, src string, sel *selection) error {
	t, top, done, err := st.session.fetchSource(ctx, in, c, src)
	if err != nil {
		return err
	}
	if done != nil {
		sel.fetched = append(sel.fetched, done)
	}
	f, err := newFilter(c.exclude)
	if err != nil {
		return err
	}
	one, err := pick(t, top, f)
	if err != nil {
		return fmt.Errorf("read %s: %w", fetch.Redact(src), err)
	}
	one.word = src
	sel.sources = append(sel.sources, one)
	return nil
}

func (s *session) openTree(ctx context.Context, chain digest.Digest) (*imageTree, error) {
	t, err := s.trees.OpenChain(ctx, chain)
	if err != nil {
		return nil, fmt.Errorf("open tree %s: %w", chain, err)
	}
	return wrapTree(ctx, t)
}

// below opens the stage's tree as it is so far.
func (st *stage) below(ctx context.Context) (*imageTree, error) {
	chain, err := st.unpack(ctx)
	if err != nil {
		return nil, err
	}
	return st.session.openTree(ctx, chain)
}

// explain gives an error of choose its line, and says whether .dockerignore is why a source is missing.
func (st *stage) explain(in dockerfile.Instruction, c copySpec, err error) error {
	file := st.session.plan.File
	if errors.As(err, new(*dockerfile.SyntaxError)) {
		return err
	}
	var missing *missingError
	if !errors.As(err, &missing) {
		return file.Failed(in, "", fmt.Errorf("%s: %w", c.name, err))
	}
	what := "the build context " + st.session.opts.ContextDir
	if c.from != "" {
		what = c.from
	}
	msg := fmt.Sprintf("%s: no such file in %s", missing, what)
	if t := st.session.tree.tree; c.from == "" && t != nil {
		if rule, ok := t.ignore.rule(rooted(missing.pattern)); ok {
			msg = fmt.Sprintf("%s: left out of the build context by line %d of %s: %s", missing, rule.line, t.ignore.name, rule.pattern)
		}
	}
	return file.Errorf(in, missing.pattern, "%s", msg)
}
