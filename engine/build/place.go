package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// place makes the layer of a COPY or ADD.
func (st *stage) place(ctx context.Context, in dockerfile.Instruction, c copySpec, sel *selection, mode modeChange) (l image.Layer, err error) {
	file := st.session.plan.File
	p := newPlacement(noTree{}, newest(sel))
	defer func() { err = errors.Join(err, p.close()) }()
	var below *imageTree
	if !c.apart() {
		if below, err = st.below(ctx); err != nil {
			return l, err
		}
		defer below.close()
		p.below = below
	}
	p.mode = mode
	if p.epoch = st.session.opts.Epoch; p.epoch != nil {
		p.mtime = *p.epoch
	}
	if c.chown != "" {
		if p.owner, err = st.copyOwner(below, c.chown); err != nil {
			return l, file.Errorf(in, "--chown", "%v", err)
		}
	}
	dest := c.dest
	if !path.IsAbs(dest) {
		dest = st.workdirOr("/") + "/" + dest
	}
	for _, src := range sel.sources {
		if err := st.placeSource(ctx, p, c, src, dest); err != nil {
			return l, file.Errorf(in, "", "%s: %v", c.name, err)
		}
	}
	return st.write(ctx, p)
}

func (st *stage) placeSource(ctx context.Context, p *placement, c copySpec, src *source, dest string) error {
	if c.unpacks(src.word) {
		done, err := p.unpack(ctx, src, dest, st.session.op.Dir())
		if err != nil || done {
			return err
		}
	}
	return p.add(src, dest)
}

// copyOwner resolves --chown. A layer that stands for itself has no tree to look names up in.
func (st *stage) copyOwner(below *imageTree, spec string) (*owner, error) {
	if below == nil {
		uid, gid, err := st.owner(noFiles{}, spec)
		if err != nil {
			return nil, fmt.Errorf("--chown=%s with --link: %w: such a layer knows no tree below it: give numbers, or leave --link out", spec, err)
		}
		return &owner{uid, gid}, nil
	}
	uid, gid, err := st.owner(below.tree, spec)
	return &owner{uid, gid}, err
}

// newest is the time that folders get which are made on the way: it must not depend on when the build runs.
func newest(sel *selection) time.Time {
	t := time.Unix(0, 0)
	for _, src := range sel.sources {
		for _, p := range src.picks {
			if p.mtime.After(t) {
				t = p.mtime
			}
		}
	}
	return t.Truncate(time.Second)
}

// write makes a layer of the placement in one pass: read, archive, hash and store, and unpack it at the same time. A layer that stands
// for itself is not unpacked: its parent need not be there.
func (st *stage) write(ctx context.Context, p *placement) (l image.Layer, err error) {
	var early *unpacking
	if p.isBuiltOn() {
		early = st.session.unpackEarly(ctx, st.chain())
	}
	l, err = st.archive(ctx, p, early)
	if err != nil || !p.isBuiltOn() {
		return l, err
	}
	return l, st.session.install(ctx, early, l, st.chain())
}

// isBuiltOn tells whether the layer's parent is unpacked.
func (p *placement) isBuiltOn() bool {
	_, apart := p.below.(noTree)
	return !apart
}

// archive writes the layer's archive to the store, and to early.
func (st *stage) archive(ctx context.Context, p *placement, early *unpacking) (l image.Layer, err error) {
	s := st.session
	ctx, end := trace.Step(ctx, vocab.LayerCommit, trace.String("key", ""), trace.String("parent", st.chain().String()))
	defer func() {
		if err != nil {
			end(err)
			return
		}
		end(nil, layerFacts(l, len(p.entries), 0)...)
	}()
	w, err := s.blobs.NewWriter(s.op)
	if err != nil {
		return l, errors.Join(err, early.finish(err))
	}
	defer w.Close()
	var out io.Writer = w
	if early != nil {
		out = io.MultiWriter(w, early)
	}
	archive := layer.NewWriter(out)
	if err = p.write(ctx, archive); err == nil {
		err = archive.Close()
	}
	var desc v1.Descriptor
	if err == nil {
		failpoint.Hit("build.copy.before-commit")
		desc, err = w.Commit(ctx, "", oci.MediaTypeLayer)
	}
	if err = errors.Join(err, early.finish(err)); err != nil {
		return l, err
	}
	failpoint.Hit("build.copy.after-commit")
	return st.layer(desc), nil
}

// write writes the entries in order. Of a file with several names the first has the content.
func (p *placement) write(ctx context.Context, w *layer.Writer) error {
	first := map[int]string{}
	for _, name := range slices.Sorted(maps.Keys(p.entries)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := p.entries[name]
		if to, ok := first[e.group]; ok && e.group != 0 {
			e.entry.Kind, e.entry.Link, e.entry.Size, e.entry.Xattrs = layer.HardLink, to, 0, nil
		} else if e.group != 0 {
			first[e.group] = name
		}
		if err := writeEntry(w, e); err != nil {
			return err
		}
		if e.entry.Kind == layer.Dir && p.hidden[name] {
			if err := w.Opaque(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeEntry(w *layer.Writer, e placed) error {
	if e.entry.Kind != layer.File {
		return w.WriteEntry(e.entry, nil)
	}
	f, err := e.open()
	if err != nil {
		return fmt.Errorf("copy %s: %w", e.entry.Path, err)
	}
	err = w.WriteEntry(e.entry, f)
	return errors.Join(err, f.Close())
}

// under tells whether p is inside the folder dir.
func under(p, dir string) bool { return dir == "." || strings.HasPrefix(p, dir+"/") }
