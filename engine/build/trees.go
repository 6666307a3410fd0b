package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
)

// lister is what a driver's tree may offer besides, as fs.ReadLinkFS and fs.ReadDirFS have it: looking at names without
// following a link in the last place. Without it the whole tree has to be exported to learn its names.
type lister interface {
	Lstat(path string) (fs.FileInfo, error)
	ReadLink(path string) (string, error)
	ReadDir(path string) ([]fs.DirEntry, error)
}

// imageTree is the tree of an image or a stage, as a place to copy from or to.
type imageTree struct {
	tree  driver.Tree
	names lister
	sys   sysFields
}

// wrapTree takes over t, also on an error.
func wrapTree(ctx context.Context, t driver.Tree) (*imageTree, error) {
	if l, ok := t.(lister); ok {
		return &imageTree{tree: t, names: l}, nil
	}
	x, err := exportNames(ctx, t)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return &imageTree{tree: t, names: x}, nil
}

func (t *imageTree) close() error { return t.tree.Close() }

func absent(err error) error {
	if errors.Is(err, driver.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	}
	return err
}

func (t *imageTree) lstat(p string) (node, error) {
	fi, err := t.names.Lstat(p)
	if err != nil {
		return node{}, absent(err)
	}
	n := node{path: p, mode: fi.Mode(), mtime: fi.ModTime()}
	t.sys.fill(&n, fi)
	switch {
	case n.mode.IsRegular():
		n.size = fi.Size()
	case n.mode.Type() == fs.ModeSymlink:
		if n.link, err = t.names.ReadLink(p); err != nil {
			return node{}, absent(err)
		}
	}
	return n, nil
}

// xattrs implements attributed.
func (t *imageTree) xattrs(p string) (map[string]string, error) {
	switch names := t.names.(type) {
	case interface {
		Xattrs(path string) (map[string]string, error)
	}:
		m, err := names.Xattrs(p)
		return m, absent(err)
	case *exported:
		return xattrsOf(names.headers[p]), nil
	}
	return nil, nil
}

func xattrsOf(h *tar.Header) map[string]string {
	var out map[string]string
	for k, v := range h.PAXRecords {
		if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = v
		}
	}
	return out
}

func (t *imageTree) list(dir string) ([]string, error) {
	entries, err := t.names.ReadDir(dir)
	if err != nil {
		return nil, absent(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names, nil
}

func (t *imageTree) open(p string) (io.ReadCloser, error) { return t.tree.Open(p) }

// digest reads one file after the other: a tree need not stand concurrent use.
func (t *imageTree) digest(files []*node) error {
	buf := make([]byte, 256<<10)
	for _, n := range files {
		if err := hashFile(t, n, buf); err != nil {
			return err
		}
	}
	return nil
}

// exported is the names of a tree, learned from its archive.
type exported struct {
	headers  map[string]*tar.Header
	children map[string][]fs.DirEntry
}

// exportNames reads all names of t. The writing side ends before it returns.
func exportNames(ctx context.Context, t driver.Tree) (*exported, error) {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := t.Export(ctx, w)
		_ = w.CloseWithError(err) // a nil error is the end of the archive
		done <- err
	}()
	x := &exported{headers: map[string]*tar.Header{".": {Typeflag: tar.TypeDir, Mode: 0o755, Name: "./"}}, children: map[string][]fs.DirEntry{}}
	err := x.read(tar.NewReader(r))
	_ = r.CloseWithError(err)
	if werr := <-done; err == nil || errors.Is(err, io.EOF) {
		err = werr
	}
	if err != nil {
		return nil, fmt.Errorf("read tree: %w", err)
	}
	return x, nil
}

func (x *exported) read(tr *tar.Reader) error {
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		p := path.Clean(strings.TrimPrefix(h.Name, "/"))
		if h.Typeflag == tar.TypeLink {
			if to, ok := x.headers[path.Clean(strings.TrimPrefix(h.Linkname, "/"))]; ok {
				linked := *to
				linked.Name = h.Name
				h = &linked
			}
		}
		if _, again := x.headers[p]; !again {
			x.children[path.Dir(p)] = append(x.children[path.Dir(p)], fs.FileInfoToDirEntry(h.FileInfo()))
		}
		x.headers[p] = h
	}
}

// Lstat implements lister.
func (x *exported) Lstat(p string) (fs.FileInfo, error) {
	h, ok := x.headers[p]
	if !ok {
		return nil, &fs.PathError{Op: "lstat", Path: p, Err: fs.ErrNotExist}
	}
	return h.FileInfo(), nil
}

// ReadLink implements lister.
func (x *exported) ReadLink(p string) (string, error) {
	h, ok := x.headers[p]
	if !ok || h.Typeflag != tar.TypeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: p, Err: fs.ErrNotExist}
	}
	return h.Linkname, nil
}

// ReadDir implements lister.
func (x *exported) ReadDir(p string) ([]fs.DirEntry, error) { return x.children[p], nil }
