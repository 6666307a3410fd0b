package vfs

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/userland"
)

// View is one process's system calls on files. It implements userland.FS with all its abilities and userland.Mounts. It may be used
// from many goroutines at once.
type View struct {
	ns   *Namespace
	cred Cred
	proc Process // nil in the kernel's own view
	mask atomic.Uint32
}

var (
	_ userland.FS     = (*View)(nil)
	_ userland.Tree   = (*View)(nil)
	_ userland.Links  = (*View)(nil)
	_ userland.Meta   = (*View)(nil)
	_ userland.Nodes  = (*View)(nil)
	_ userland.Attrs  = (*View)(nil)
	_ userland.Mounts = (*View)(nil)
)

const firstMask = 0o022

// View gives the system calls of the process p, which runs as c. Its umask is 022.
func (n *Namespace) View(c Cred, p Process) *View {
	v := &View{ns: n, cred: c, proc: p}
	v.mask.Store(firstMask)
	return v
}

// Umask sets the file mode creation mask and gives the old one.
func (v *View) Umask(mask int) int { return int(v.mask.Swap(uint32(mask) & 0o777)) }

func (v *View) enter() error {
	if v.proc == nil {
		return nil
	}
	return v.proc.Enter()
}

func (v *View) umask(mode uint32) uint32 { return mode &^ v.mask.Load() }

// lookup begins a system call and walks to a name that must be there.
func (v *View) lookup(w *walker, name string, follow bool) error {
	if err := v.enter(); err != nil {
		return err
	}
	if err := v.walk(w, name, follow); err != nil {
		return err
	}
	if w.missing {
		return syscall.ENOENT
	}
	return nil
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func linkError(op, old, name string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: old, New: name, Err: err}
}

// Stat describes what name leads to.
func (v *View) Stat(name string) (fs.FileInfo, error) { return v.stat("stat", name, true) }

// Lstat describes name itself.
func (v *View) Lstat(name string) (fs.FileInfo, error) { return v.stat("lstat", name, false) }

func (v *View) stat(op, name string, follow bool) (fs.FileInfo, error) {
	var w walker
	err := v.lookup(&w, name, follow)
	if err == nil && w.fd > 0 {
		return v.statStream(op, name, w.fd-1)
	}
	if err != nil {
		return nil, pathError(op, name, err)
	}
	return &info{path.Base(name), Stat{w.attr, w.m.dev}}, nil
}

// statStream describes one of the process's own streams.
func (v *View) statStream(op, name string, fd int) (fs.FileInfo, error) {
	s, err := v.stream(fd)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	defer s.Close()
	if f, ok := s.(userland.File); ok {
		return f.Stat()
	}
	return v.streamInfo(path.Base(name), s), nil
}

func (v *View) stream(fd int) (Stream, error) {
	d, ok := v.proc.(Descriptors)
	if !ok {
		return nil, syscall.ENOENT
	}
	return d.Stream(fd)
}

// streamInfo is what is to be told of a stream that has no name: a terminal or a pipe.
func (v *View) streamInfo(name string, s Stream) fs.FileInfo {
	now := v.proc.Now()
	a := fsys.Attr{Kind: fsys.Pipe, Mode: 0o600, UID: v.cred.UID, GID: v.cred.GID, Links: 1, Mtime: now, Ctime: now, Atime: now}
	if _, ok := s.(userland.Terminal); ok {
		a.Kind, a.Mode, a.Rdev = fsys.CharDevice, 0o620, fsys.MakeDev(ptsMajor, 0)
	}
	return &info{name, Stat{Attr: a}}
}

// ReadDir lists a folder, sorted by name. A mount point that only the mount makes visible is in the list.
func (v *View) ReadDir(name string) ([]fs.DirEntry, error) {
	var w walker
	err := v.lookup(&w, name, true)
	var list []fsys.Dirent
	if err == nil {
		list, err = v.list(&w)
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	all := make([]fs.DirEntry, len(list))
	for i, d := range list {
		all[i] = entry{v, name, d}
	}
	return all, nil
}

func (v *View) list(w *walker) ([]fsys.Dirent, error) {
	switch {
	case w.attr.Kind != fsys.Dir:
		return nil, syscall.ENOTDIR
	case !v.cred.may(&w.attr, mayRead):
		return nil, syscall.EACCES
	}
	list, err := w.fs.ReadDir(w.rel)
	if err != nil {
		return nil, err
	}
	children := w.m.children.Load()
	if children == nil {
		return list, nil
	}
	added := false
	for at, c := range *children {
		if at == w.rel || parent(at) != w.rel {
			continue
		}
		d := fsys.Dirent{Name: path.Base(at), Kind: fsys.File}
		if c.folder {
			d.Kind = fsys.Dir
		}
		if _, found := slices.BinarySearchFunc(list, d, byName); !found {
			list, added = append(slices.Clip(list), d), true
		}
	}
	if added {
		slices.SortFunc(list, byName)
	}
	return list, nil
}

func byName(a, b fsys.Dirent) int { return strings.Compare(a.Name, b.Name) }

// Readlink gives the text of a link.
func (v *View) Readlink(name string) (string, error) {
	var w walker
	err := v.lookup(&w, name, false)
	if err == nil && w.attr.Kind != fsys.Symlink {
		err = syscall.EINVAL
	}
	var text string
	if err == nil {
		text, err = w.fs.Readlink(w.rel)
	}
	return text, pathError("readlink", name, err)
}

// CheckExec tells whether the process may execute name: EACCES for what is no regular file, has no x bit for it or lies on a mount
// without programs.
func (v *View) CheckExec(name string) error {
	var w walker
	err := v.lookup(&w, name, true)
	switch {
	case err != nil:
	case w.fd > 0, w.attr.Kind != fsys.File, w.m.settings.Load().noExec, !v.cred.may(&w.attr, mayExec):
		err = syscall.EACCES
	}
	return pathError("exec", name, err)
}

// CheckDir tells whether name may become the working folder of the process.
func (v *View) CheckDir(name string) error {
	var w walker
	err := v.lookup(&w, name, true)
	switch {
	case err != nil:
	case w.attr.Kind != fsys.Dir:
		err = syscall.ENOTDIR
	case !v.cred.may(&w.attr, mayExec):
		err = syscall.EACCES
	}
	return pathError("chdir", name, err)
}

// Real is the canonical path that name leads to: no links, dots or double slashes.
func (v *View) Real(name string) (string, error) {
	var w walker
	if err := v.lookup(&w, name, true); err != nil {
		return "", pathError("lstat", name, err)
	}
	return w.m.path(w.rel), nil
}
