package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// OpenChain implements driver.Trees.
func (s *Snapshots) OpenChain(ctx context.Context, chain digest.Digest) (driver.Tree, error) {
	below, err := s.layers.stack(chain)
	if err != nil {
		return nil, fmt.Errorf("open tree: %w", err)
	}
	name := "layers up to " + chain.String()
	u := newUnion("", below, s.now)
	if below.root == nil {
		name, u.root = "the empty tree", s.newRoot(below)
	}
	return &view{u, name}, nil
}

// OpenKey implements driver.Trees. It shows what a container does in the meantime if that lives in this process.
func (s *Snapshots) OpenKey(ctx context.Context, key string) (driver.Tree, error) {
	u, err := s.view(key)
	if err != nil {
		return nil, fmt.Errorf("open tree: %w", err)
	}
	return &view{u, key}, nil
}

// view is the read view of a whole tree. Links are followed in the tree's own names; the host never sees them. It implements
// driver.Tree.
type view struct {
	u    *Union
	name string // for errors
}

// Open implements driver.Tree. Only regular files are opened.
func (t *view) Open(p string) (io.ReadCloser, error) {
	f, err := t.open(p)
	if err != nil {
		return nil, t.error("open", p, err)
	}
	return f, nil
}

func (t *view) open(p string) (io.ReadCloser, error) {
	real, a, err := t.lookup(p, true)
	if err != nil {
		return nil, err
	}
	if a.Kind != fsys.File {
		return nil, fmt.Errorf("not a regular file but %s", info{path.Base(p), a}.Mode())
	}
	h, err := t.u.Open(real, fsys.How{})
	if err != nil {
		return nil, notFound(err)
	}
	return &reader{h: h}, nil
}

// Stat implements driver.Tree. Sys of the answer is an fsys.Attr.
func (t *view) Stat(p string) (fs.FileInfo, error) { return t.stat("stat", p, true) }

// Lstat describes what is at p itself: a link in the last place is not followed. Sys of the answer is an fsys.Attr.
// driver.ErrNotFound if there is nothing.
func (t *view) Lstat(p string) (fs.FileInfo, error) { return t.stat("lstat", p, false) }

func (t *view) stat(verb, p string, follow bool) (fs.FileInfo, error) {
	_, a, err := t.lookup(p, follow)
	if err != nil {
		return nil, t.error(verb, p, err)
	}
	return info{path.Base(path.Clean("/" + p)), a}, nil
}

// ReadLink tells where the link p points to.
func (t *view) ReadLink(p string) (string, error) {
	real, a, err := t.lookup(p, false)
	if err == nil && a.Kind != fsys.Symlink {
		err = fmt.Errorf("not a link but %s", info{"", a}.Mode())
	}
	if err != nil {
		return "", t.error("read link", p, err)
	}
	text, err := t.u.Readlink(real)
	if err != nil {
		return "", t.error("read link", p, notFound(err))
	}
	return text, nil
}

// ReadDir lists the folder p, sorted by name. driver.ErrNotFound if there is none. A link in the last place is not followed.
func (t *view) ReadDir(p string) ([]fs.DirEntry, error) {
	real, a, err := t.lookup(p, false)
	if err == nil && a.Kind != fsys.Dir {
		err = fmt.Errorf("not a folder but %s", info{"", a}.Mode())
	}
	if err != nil {
		return nil, t.error("list", p, err)
	}
	names, err := t.u.ReadDir(real)
	if err != nil {
		return nil, t.error("list", p, notFound(err))
	}
	entries := make([]fs.DirEntry, 0, len(names))
	for _, d := range names {
		a, err := t.u.Lstat(join(real, d.Name))
		if err != nil {
			continue // removed since
		}
		entries = append(entries, fs.FileInfoToDirEntry(info{d.Name, a}))
	}
	return entries, nil
}

// Xattrs gives the extended attributes of what is at p itself.
func (t *view) Xattrs(p string) (map[string]string, error) {
	real, _, err := t.lookup(p, false)
	if err == nil {
		var m map[string]string
		if m, err = t.u.Xattr(real); err == nil {
			return m, nil
		}
	}
	return nil, t.error("read attributes of", p, notFound(err))
}

// lookup finds the real path that p leads to inside the tree, and what is there.
func (t *view) lookup(p string, follow bool) (real string, a fsys.Attr, err error) {
	done, links := ".", 0
	a, err = t.u.Lstat(done)
	for rest := path.Clean("/" + p); rest != "" && err == nil; {
		var part string
		part, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		switch part {
		case "", ".", "..":
			if a.Kind != fsys.Dir {
				return "", a, driver.ErrNotFound
			}
			if part == ".." {
				done = path.Dir(done)
				a, err = t.u.Lstat(done)
			}
			continue
		}
		at := join(done, part)
		if a, err = t.u.Lstat(at); err != nil {
			break
		}
		if a.Kind != fsys.Symlink || rest == "" && !follow {
			done = at
			continue
		}
		if links++; links > maxLinks {
			return "", a, syscall.ELOOP
		}
		text, lerr := t.u.Readlink(at)
		if err = lerr; strings.HasPrefix(text, "/") {
			done = "."
		}
		if err == nil {
			a, err = t.u.Lstat(done)
		}
		rest = text + "/" + rest
	}
	return done, a, notFound(err)
}

func notFound(err error) error {
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return driver.ErrNotFound
	}
	return err
}

func (t *view) error(verb, p string, err error) error {
	return fmt.Errorf("%s %s in %s: %w", verb, p, t.name, err)
}

// Export implements driver.Tree.
func (t *view) Export(ctx context.Context, w io.Writer) error {
	u := t.u
	if u.journal != nil { // in use: export it as it is now
		u = newUnion(u.key, u.below, u.now)
		u.dir, u.root = t.u.dir, t.u.frozen()
	}
	_, err := archiveTo(ctx, w, func(a *archiver) error { return a.whole(u, &place{path: ".", up: u.root, low: u.lower}) })
	if err != nil {
		return fmt.Errorf("export %s: %w", t.name, err)
	}
	return nil
}

// Close implements driver.Tree.
func (t *view) Close() error { return nil }

// reader reads a handle from its beginning.
type reader struct {
	h   fsys.Handle
	off int64
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.h.ReadAt(p, r.off)
	r.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.h.Close() }

// info is what fs.FileInfo says of a name.
type info struct {
	name string
	attr fsys.Attr
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.attr.Size }
func (i info) ModTime() time.Time { return i.attr.Mtime }
func (i info) IsDir() bool        { return i.attr.Kind == fsys.Dir }
func (i info) Sys() any           { return &i.attr }

// Mode implements fs.FileInfo.
func (i info) Mode() fs.FileMode {
	mode := fs.FileMode(i.attr.Mode & 0o777)
	for bit, m := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if i.attr.Mode&bit != 0 {
			mode |= m
		}
	}
	switch i.attr.Kind {
	case fsys.Dir:
		mode |= fs.ModeDir
	case fsys.Symlink:
		mode |= fs.ModeSymlink
	case fsys.CharDevice:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case fsys.BlockDevice:
		mode |= fs.ModeDevice
	case fsys.Pipe:
		mode |= fs.ModeNamedPipe
	case fsys.Socket:
		mode |= fs.ModeSocket
	}
	return mode
}
