package build

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// draft is a layer whose archive is written, and is being unpacked, but that is in no store yet.
type draft struct {
	blob    *blob.Writer
	early   *unpacking // nil: it is unpacked later
	entries int
	builtOn bool // its parent is unpacked
}

// draft writes the placement in one pass: read, archive, hash, store, and unpack at the same time. A layer that stands for itself is not
// unpacked: its parent need not be there.
func (st *stage) draft(ctx context.Context, p *placement) (d *draft, err error) {
	s := st.session
	_, apart := p.below.(noTree)
	d = &draft{entries: len(p.entries), builtOn: !apart}
	if d.blob, err = s.blobs.NewWriter(s.op); err != nil {
		return nil, err
	}
	var out io.Writer = d.blob
	if d.builtOn {
		if d.early = s.unpackEarly(ctx, st.chain()); d.early != nil {
			out = io.MultiWriter(d.blob, d.early)
		}
	}
	archive := layer.NewWriter(out)
	if err = p.write(ctx, archive); err == nil {
		err = archive.Close()
	}
	if err == nil {
		_, err = d.blob.Seal()
	}
	if err != nil {
		return nil, errors.Join(err, d.drop(err))
	}
	if d.early != nil {
		d.early.end(nil)
	}
	return d, nil
}

// drop throws a draft away; failed is why. Dropping what was committed does nothing.
func (d *draft) drop(failed error) error {
	err := errors.Join(d.blob.Close(), d.early.drop(failed))
	d.early = nil
	return err
}

// write makes a layer of the placement.
func (st *stage) write(ctx context.Context, p *placement) (l image.Layer, err error) {
	return st.commitDraft(ctx, func(ctx context.Context) (*draft, error) { return st.draft(ctx, p) })
}

// commitDraft makes a layer of the draft that get gives, and gives it its place in the driver.
func (st *stage) commitDraft(ctx context.Context, get func(context.Context) (*draft, error)) (l image.Layer, err error) {
	inStep, end := trace.Step(ctx, vocab.LayerCommit, trace.String("key", ""), trace.String("parent", st.chain().String()))
	d, err := get(inStep)
	if err == nil {
		l, err = st.store(inStep, d)
	}
	if err != nil {
		end(err)
		return l, err
	}
	end(nil, layerFacts(l, d.entries, 0)...)
	if d.builtOn {
		err = st.session.install(ctx, d.early, l, st.chain())
		d.early = nil
	}
	return l, err
}

// store makes the draft's archive durable, while the rest of it is unpacked.
func (st *stage) store(ctx context.Context, d *draft) (l image.Layer, err error) {
	failpoint.Hit("build.copy.before-commit")
	desc, err := d.blob.Commit(ctx, "", oci.MediaTypeLayer)
	if err = errors.Join(err, d.early.wait()); err != nil {
		return l, errors.Join(err, d.drop(err))
	}
	failpoint.Hit("build.copy.after-commit")
	return st.layer(desc), d.blob.Close()
}

// Files are read to make a key, and again to make a layer, unless there can be no layer yet: no step with this instruction on this parent
// was ever kept. Then the layer is made first, and the key of it on the way. That a step was kept is known by an empty file cache/seen-HEX,
// where HEX stands for the key without its inputs. If it is lost, a layer is made that was there: that is all.

const worthwhile = 8 << 20 // bytes: less is read twice in no time

func (s *session) seenPath(k Key) string {
	k.Inputs = ""
	d, err := k.Digest()
	if err != nil {
		return ""
	}
	return filepath.Join(s.home.Cache(), "seen-"+d.Encoded()[:32])
}

func (s *session) markSeen(k Key) {
	if path := s.seenPath(k); path != "" && !s.opts.DryRun {
		if _, err := os.Lstat(path); err != nil {
			_ = home.WriteVolatile(path, nil, 0o600) // without it something is read too often or too late, and no more
		}
	}
}

// canBeFirst tells whether sel may be read once: it is much, and there is nothing that it could be in the cache as.
func (st *stage) canBeFirst(k Key, sel *selection) bool {
	if st.session.opts.DryRun || sel.unread() < worthwhile {
		return false
	}
	if st.fresh {
		return true
	}
	_, err := os.Lstat(st.session.seenPath(k))
	return errors.Is(err, os.ErrNotExist)
}

// unread is how many bytes have no sum yet.
func (s *selection) unread() (n int64) {
	for _, src := range s.sources {
		for _, p := range src.picks {
			if p.mode.IsRegular() && p.sum == "" && !known(src.from, &p.node) {
				n += p.size
			}
		}
	}
	return n
}

// known tells whether a sum costs no reading; then it is filled in.
func known(t tree, n *node) bool {
	c, ok := t.(*contextTree)
	if ok {
		n.sum = c.sums.get(n)
	}
	return n.sum != ""
}

// first makes the draft of a layer before its key is known, and finds out the sums of what it reads.
func (st *stage) first(ctx context.Context, in dockerfile.Instruction, c copySpec, sel *selection, mode modeChange) (d *draft, err error) {
	s := st.session
	id := s.display.work("[internal] read sources of " + in.Text)
	defer func() { s.display.Done(id, err) }()
	p, err := st.layout(ctx, in, c, sel, mode)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return st.draft(ctx, p)
}
