package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// layerTree is the tree that layers give together, read from their archives and held in memory: for whoever may not unpack them. Contents
// are read from the archives when they are asked for.
type layerTree struct {
	images   *image.Store
	layers   []image.Layer
	nodes    map[string]*layerNode
	children map[string]map[string]bool
}

// layerNode is a name and where its content lies.
type layerNode struct {
	node
	layer int
	in    string // path in that layer's archive: another one for a hard link
}

func (s *session) readLayers(ctx context.Context, layers []image.Layer) (*layerTree, error) {
	t := &layerTree{images: s.images, layers: layers, nodes: map[string]*layerNode{}, children: map[string]map[string]bool{}}
	t.nodes["."] = &layerNode{node: node{path: ".", mode: fs.ModeDir | 0o755}}
	for i := range layers {
		err := t.scan(i, func(e *layer.Entry, _ io.Reader) error { t.put(i, e); return ctx.Err() })
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// scan reads the archive of a layer.
func (t *layerTree) scan(i int, visit func(*layer.Entry, io.Reader) error) error {
	fail := func(err error) error { return fmt.Errorf("read layer %s: %w", t.layers[i].DiffID, err) }
	plain := t.images.OpenLayer(t.layers[i])
	defer plain.Close()
	for r := layer.NewReader(plain, layer.Limits{}); ; {
		e, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = visit(e, r)
		}
		if errors.Is(err, errFound) {
			return err
		}
		if err != nil {
			return fail(err)
		}
	}
}

func (t *layerTree) put(i int, e *layer.Entry) {
	switch e.Kind {
	case layer.Whiteout:
		t.remove(e.Path)
		return
	case layer.Opaque:
		for name := range t.children[e.Path] {
			if n := t.nodes[path.Join(e.Path, name)]; n.layer < i {
				t.remove(n.path)
			}
		}
		return
	}
	n := &layerNode{layer: i, in: e.Path, node: node{path: e.Path, mode: modeOf(e), size: e.Size, mtime: e.ModTime, uid: e.UID, gid: e.GID, xattrs: e.Xattrs, major: e.Major, minor: e.Minor}}
	if e.Kind == layer.Symlink {
		n.link = e.Link
	}
	if e.Kind == layer.HardLink {
		to, ok := t.nodes[e.Link]
		if !ok {
			return
		}
		shared := *to
		n, shared.path = &shared, e.Path
	}
	if before := t.nodes[e.Path]; before != nil && !(before.mode.IsDir() && n.mode.IsDir()) {
		t.remove(e.Path)
	}
	t.add(e.Path, n)
}

// add puts a name into the folders above it, which an archive need not list.
func (t *layerTree) add(p string, n *layerNode) {
	t.nodes[p] = n
	for ; p != "."; p = path.Dir(p) {
		dir := path.Dir(p)
		if t.nodes[dir] == nil {
			t.nodes[dir] = &layerNode{layer: n.layer, node: node{path: dir, mode: fs.ModeDir | 0o755, mtime: time.Unix(0, 0)}}
		}
		if t.children[dir] == nil {
			t.children[dir] = map[string]bool{}
		}
		t.children[dir][path.Base(p)] = true
	}
}

func (t *layerTree) remove(p string) {
	for name := range t.children[p] {
		t.remove(path.Join(p, name))
	}
	delete(t.children, p)
	delete(t.nodes, p)
	if c := t.children[path.Dir(p)]; c != nil {
		delete(c, path.Base(p))
	}
}

func (t *layerTree) lstat(p string) (node, error) {
	if n, ok := t.nodes[p]; ok {
		return n.node, nil
	}
	return node{}, &fs.PathError{Op: "stat", Path: p, Err: fs.ErrNotExist}
}

func (t *layerTree) list(dir string) ([]string, error) {
	names := make([]string, 0, len(t.children[dir]))
	for name := range t.children[dir] {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// errFound ends a scan early.
var errFound = errors.New("found")

// open reads the one file from its archive, into memory as far as maxPeek.
func (t *layerTree) open(p string) (io.ReadCloser, error) {
	n, ok := t.nodes[p]
	if !ok || !n.mode.IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
	var text strings.Builder
	err := t.scan(n.layer, func(e *layer.Entry, r io.Reader) error {
		if e.Path != n.in || e.Kind != layer.File {
			return nil
		}
		if _, err := io.Copy(&text, io.LimitReader(r, maxPeek)); err != nil {
			return err
		}
		return errFound
	})
	if !errors.Is(err, errFound) {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}, err)
	}
	return io.NopCloser(strings.NewReader(text.String())), nil
}

const maxPeek = 1 << 20 // bytes of a file that tell what kind of file it is

// digest reads every archive once that holds one of the files.
func (t *layerTree) digest(files []*node) error {
	wanted := map[int]map[string][]*node{}
	for _, f := range files {
		n := t.nodes[f.path]
		if n == nil {
			return &fs.PathError{Op: "read", Path: f.path, Err: fs.ErrNotExist}
		}
		if wanted[n.layer] == nil {
			wanted[n.layer] = map[string][]*node{}
		}
		wanted[n.layer][n.in] = append(wanted[n.layer][n.in], f)
	}
	for i, names := range wanted {
		err := t.scan(i, func(e *layer.Entry, r io.Reader) error {
			if e.Kind != layer.File || names[e.Path] == nil {
				return nil
			}
			sum, err := digest.SHA256.FromReader(r)
			for _, f := range names[e.Path] {
				f.sum = sum
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func modeOf(e *layer.Entry) fs.FileMode {
	m := fs.FileMode(e.Mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if e.Mode&bit != 0 {
			m |= flag
		}
	}
	switch e.Kind {
	case layer.Dir:
		m |= fs.ModeDir
	case layer.Symlink:
		m |= fs.ModeSymlink
	case layer.Fifo:
		m |= fs.ModeNamedPipe
	case layer.Char:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case layer.Block:
		m |= fs.ModeDevice
	}
	return m
}
