package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

func sumOf(s string) digest.Digest { return oci.Sum([]byte(s)) }

// copy carries out a COPY or ADD, or takes its layer from the cache.
func (st *stage) copy(ctx context.Context, in dockerfile.Instruction, c copySpec) (outcome, error) {
	file := st.session.plan.File
	if len(c.paths)+len(c.inline) > 1 && !strings.HasSuffix(c.dest, "/") && c.dest != "." {
		return outcome{}, file.Errorf(in, "", "When using %s with more than one source file, the destination must be a directory and end with a /", c.name)
	}
	mode, err := parseMode(c.chmod)
	if err != nil {
		return outcome{}, file.Errorf(in, "--chmod", "%v", err)
	}
	src, done, err := st.source(ctx, in, c)
	if err != nil {
		return outcome{}, err
	}
	defer done()
	sel, err := c.choose(src)
	if err != nil {
		return outcome{}, st.explain(in, c, err)
	}
	if c.unpacked {
		if err := st.refuseArchives(in, sel); err != nil {
			return outcome{}, err
		}
	}
	key, inputs := st.key(c.text()), sel.inputs(c)
	key.Workdir = st.workdirOr("/")
	key.Inputs = inputsDigest(inputs)
	step := treeStep{in: in, key: key, inputs: inputs, text: in.Text, history: c.text() + " # buildkit"}
	return st.cached(ctx, step, func(ctx context.Context, _ int) (image.Layer, error) {
		return st.place(ctx, in, c, sel, mode)
	})
}

// source opens what is copied from: the context, an earlier stage, or an image.
func (st *stage) source(ctx context.Context, in dockerfile.Instruction, c copySpec) (tree, func(), error) {
	s := st.session
	if c.from == "" {
		if len(c.paths) == 0 {
			return noTree{}, func() {}, nil // here-documents alone need no context
		}
		t, err := s.context(ctx)
		return t, func() {}, err
	}
	chain, err := st.fromChain(ctx, in, c.from)
	if err != nil {
		return nil, nil, err
	}
	t, err := s.openTree(ctx, chain)
	if err != nil {
		return nil, nil, err
	}
	return t, func() { _ = t.close() }, nil
}

func (st *stage) fromChain(ctx context.Context, in dockerfile.Instruction, from string) (digest.Digest, error) {
	s := st.session
	if i, ok := s.plan.File.CopySource(from, st.planned.Index); ok {
		b, err := s.await(ctx, i)
		if err != nil {
			return "", err
		}
		return b.unpack(ctx)
	}
	img, err := s.resolve(ctx, in, from)
	if err != nil {
		return "", err
	}
	return s.images.Unpack(ctx, img)
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
	var missing *missingError
	if !errors.As(err, &missing) {
		return file.Errorf(in, "", "%s: %v", c.name, err)
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

// parseMode reads --chmod: octal permissions. -1 means that files keep their own.
func parseMode(s string) (int, error) {
	if s == "" {
		return -1, nil
	}
	m, err := strconv.ParseUint(s, 8, 32)
	if err != nil || m > 0o7777 {
		return 0, fmt.Errorf("--chmod=%s: give the permissions as an octal number such as 755", s)
	}
	return int(m), nil
}

// refuseArchives says what ADD can't do yet, rather than copy an archive that should have been unpacked.
func (st *stage) refuseArchives(in dockerfile.Instruction, sel *selection) error {
	for _, p := range sel.picks {
		if p.rel != "." || !p.mode.IsRegular() || p.size < 512 {
			continue
		}
		archive, err := isArchive(p)
		if err != nil {
			return err
		}
		if archive {
			return st.session.plan.File.Errorf(in, path.Base(p.root), "ADD would unpack the archive %s, which this builder does not do yet: "+
				"copy it with COPY (or ADD --unpack=false) and unpack it with RUN tar", p.root)
		}
	}
	return nil
}

// noTree is a source that has nothing.
type noTree struct{}

func (noTree) lstat(p string) (node, error) {
	return node{}, &fs.PathError{Op: "stat", Path: p, Err: fs.ErrNotExist}
}
func (noTree) list(string) ([]string, error) { return nil, nil }
func (noTree) open(p string) (io.ReadCloser, error) {
	return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
}
func (noTree) digest([]*node) error { return nil }
