package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/sbom"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// maxSpool bounds what is kept of all layers' files together while packages are looked for, in bytes.
const maxSpool = 4 << 30

// Packages finds out which packages are in img: it reads every layer once, verified, and executes nothing. Records that make no sense are
// warnings of the inventory; a layer that is damaged is an error.
func (s *Store) Packages(ctx context.Context, img Image) (inv sbom.Inventory, err error) {
	ctx, end := trace.Step(ctx, vocab.SBOMRead, trace.String("image", string(img.ID)))
	defer func() {
		end(err, trace.Int("databases", int64(len(inv.Databases))), trace.Int("packages", int64(len(inv.Packages))))
	}()
	err = s.withOperation("read packages", func(op *home.Operation) error {
		f, err := os.CreateTemp(op.Dir(), "files-")
		if err != nil {
			return err
		}
		defer f.Close()
		t := &packageTree{spool: &spool{file: f}, kept: map[entryID]sbom.File{}, versions: map[string][]sbom.File{}}
		if err := s.readPackages(ctx, img, t); err != nil {
			return err
		}
		inv = sbom.Collect(t)
		return nil
	})
	if err != nil {
		return inv, fmt.Errorf("read packages of %s: %w", img.ID, err)
	}
	for _, d := range inv.Databases {
		trace.Fact(ctx, vocab.SBOMDatabase, trace.String("type", d.Type), trace.String("path", absolute(d.Path)), trace.String("diff_id", string(img.Layers[d.Layer].DiffID)),
			trace.Int("packages", int64(d.Packages)))
	}
	return inv, nil
}

// readPackages reads the layers, lowest first, each on those below.
func (s *Store) readPackages(ctx context.Context, img Image, t *packageTree) error {
	v := &view{base: &base{read: func() (*node, error) { return nil, nil }}}
	for i, l := range img.Layers {
		up, err := s.readFiles(ctx, &source{layer: l, index: i, bottom: i == 0}, v, t)
		if err != nil {
			return err
		}
		v.top = merger{}.merge(up, v.top, ".")
		t.root = v.top
		t.note(sbom.Databases())
	}
	return nil
}

// readFiles is readTree with the contents of the files that packages are told by.
func (s *Store) readFiles(ctx context.Context, src *source, below *view, t *packageTree) (*node, error) {
	in := &lazyLayer{store: s, digest: src.layer.Descriptor.Digest}
	defer in.Close()
	g := &grower{src: src, below: below.at, root: &node{}}
	last := ""
	err := eachEntry(ctx, in, func(e *layer.Entry, content io.Reader) error {
		if g.seq == 0 {
			g.begin(e)
		}
		g.seq++
		if last = e.Path; e.Kind == layer.Opaque {
			return faultOf(e, g.opaque(e))
		}
		if err := g.entry(e); err != nil {
			return faultOf(e, err)
		}
		if e.Kind == layer.File {
			return faultOf(e, t.take(entryID{src.index, g.seq}, e, content))
		}
		return nil
	})
	if err != nil {
		return nil, layerError(src.layer, last, err)
	}
	if g.seq == 0 {
		g.begin(nil)
	}
	return g.root, nil
}

// entryID is an entry of one of the layers.
type entryID struct{ layer, seq int }

// packageTree is what sbom.Collect reads: the merged tree, and the contents that were kept.
type packageTree struct {
	root     *node
	spool    *spool
	kept     map[entryID]sbom.File
	versions map[string][]sbom.File // of databases, by path
	last     map[string]entryID     // the entry that was there last
}

// take keeps what is wanted of a file.
func (t *packageTree) take(id entryID, e *layer.Entry, content io.Reader) error {
	f := sbom.File{Path: e.Path, Layer: id.layer, Size: e.Size}
	switch sbom.Wanted(e.Path, e.Mode, e.Size) {
	case sbom.Skip:
		return nil
	case sbom.Examine:
		r, err := t.spool.program(content)
		if err != nil || r == nil {
			return err
		}
		if f.Program = sbom.BuildInfo(r); f.Program == nil {
			return t.spool.forget()
		}
		t.kept[id] = f
		return t.spool.forget()
	}
	r, err := t.spool.keep(content)
	if err != nil {
		return err
	}
	f.Data, f.Size = r, r.Size()
	t.kept[id] = f
	return nil
}

// note looks which databases the layer that came last has changed.
func (t *packageTree) note(paths []string) {
	if t.last == nil {
		t.last = map[string]entryID{}
	}
	for _, p := range paths {
		ino := t.find(p)
		if ino == nil {
			delete(t.versions, p)
			delete(t.last, p)
			continue
		}
		id := entryID{ino.src.index, ino.seq}
		if was, known := t.last[p]; known && was == id {
			continue
		}
		f, kept := t.kept[id]
		if !kept {
			f = sbom.File{Layer: id.layer, Size: ino.size}
		}
		f.Path, t.last[p] = p, id
		t.versions[p] = append(t.versions[p], f)
	}
}

// find follows a path inside the tree, links too, to a regular file; nil if there is none.
func (t *packageTree) find(p string) *inode {
	g := &grower{root: t.root}
	for range maxFollowed {
		dir, _, err := g.follow(path.Dir(p), g.stepHere)
		if err != nil {
			return nil
		}
		n := dir.kid(path.Base(p))
		switch {
		case n == nil || n.white || n.ino == nil:
			return nil
		case n.ino.kind == layer.File && n.ino.src != nil:
			return n.ino
		case n.ino.kind != layer.Symlink:
			return nil
		}
		if !strings.HasPrefix(n.ino.link, "/") {
			p = path.Dir(p) + "/" + n.ino.link
		} else {
			p = n.ino.link
		}
		if p = strings.TrimLeft(p, "/"); p == "" || len(p) > maxRealPath {
			return nil
		}
	}
	return nil
}

// Versions implements sbom.Tree.
func (t *packageTree) Versions(p string) []sbom.File { return t.versions[p] }

// Files implements sbom.Tree.
func (t *packageTree) Files(visit func(sbom.File)) {
	if t.root == nil {
		return
	}
	var paths []string
	found := map[string]entryID{}
	t.root.each(".", func(p string, n *node) {
		if n.white || n.ino == nil || n.ino.kind != layer.File || n.ino.src == nil {
			return
		}
		id := entryID{n.ino.src.index, n.ino.seq}
		if _, kept := t.kept[id]; kept {
			paths, found[p] = append(paths, p), id
		}
	})
	slices.Sort(paths)
	seen := map[entryID]bool{}
	for _, p := range paths {
		if id := found[p]; !seen[id] {
			seen[id] = true
			f := t.kept[id]
			f.Path = p
			visit(f)
		}
	}
}

// spool is a scratch file to which contents are appended.
type spool struct {
	file *os.File
	size int64
}

// keep appends content.
func (s *spool) keep(content io.Reader) (*io.SectionReader, error) {
	n, err := io.Copy(s.file, io.LimitReader(content, maxSpool-s.size+1))
	if err != nil {
		return nil, err
	}
	from := s.size
	if s.size += n; s.size > maxSpool {
		return nil, fmt.Errorf("the records of packages have more than %d bytes together", int64(maxSpool))
	}
	return io.NewSectionReader(s.file, from, n), nil
}

// program lays content behind what is kept, if it begins as a program does; else it gives nil. forget must follow.
func (s *spool) program(content io.Reader) (io.ReaderAt, error) {
	head := make([]byte, 16)
	n, err := io.ReadFull(content, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF || !sbom.IsProgram(head[:n]) {
		return nil, ignoreEOF(err)
	}
	m, err := io.Copy(s.file, io.MultiReader(strings.NewReader(string(head[:n])), content))
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(s.file, s.size, m), nil
}

func ignoreEOF(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// forget drops what lies behind what is kept.
func (s *spool) forget() error {
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	_, err := s.file.Seek(s.size, io.SeekStart)
	return err
}

// CreatedBy are the lines of the history that made the layers, lowest first; empty where the config doesn't say.
func (img Image) CreatedBy() []string { return createdBy(img) }
