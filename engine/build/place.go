package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// place makes the layer of a COPY or ADD.
func (st *stage) place(ctx context.Context, in dockerfile.Instruction, c copySpec, sel *selection, mode modeChange) (l image.Layer, err error) {
	p, err := st.layout(ctx, in, c, sel, mode)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return st.write(ctx, p)
}

// layout decides what goes where. The placement must be closed.
func (st *stage) layout(ctx context.Context, in dockerfile.Instruction, c copySpec, sel *selection, mode modeChange) (p *placement, err error) {
	file := st.session.plan.File
	p = newPlacement(noTree{}, newest(sel))
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	var below *imageTree
	if !c.apart() {
		if below, err = st.below(ctx); err != nil {
			return p, err
		}
		p.below, p.release = below, below.close
	}
	p.mode = mode
	if p.epoch = st.session.opts.Epoch; p.epoch != nil {
		p.mtime = *p.epoch
	}
	if c.chown != "" {
		if p.owner, err = st.copyOwner(below, c.chown); err != nil {
			return p, file.Errorf(in, "--chown", "%v", err)
		}
	}
	dest := c.dest
	if !path.IsAbs(dest) {
		dest = st.workdirOr("/") + "/" + dest
	}
	for _, src := range sel.sources {
		if err := st.placeSource(ctx, p, c, src, dest); err != nil {
			return p, file.Errorf(in, "", "%s: %v", c.name, err)
		}
	}
	return p, nil
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
	begun := time.Now()
	f, err := e.content()
	if err != nil {
		return fmt.Errorf("copy %s: %w", e.entry.Path, err)
	}
	if e.pick == nil || e.pick.sum != "" {
		err = w.WriteEntry(e.entry, f)
		return errors.Join(err, f.Close())
	}
	h := sha256.New()
	err = w.WriteEntry(e.entry, io.TeeReader(f, h))
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	e.pick.sum = digest.NewDigest(digest.SHA256, h)
	if l, ok := e.from.(learner); ok {
		l.learned(&e.pick.node, begun)
	}
	return nil
}

// under tells whether p is inside the folder dir.
func under(p, dir string) bool { return dir == "." || strings.HasPrefix(p, dir+"/") }
