package vfs

import (
	"io/fs"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Mkdir makes a folder.
func (v *View) Mkdir(name string, perm fs.FileMode) error {
	// Of the upper bits mkdir(2) takes only the sticky one.
	n := fsys.New{Kind: fsys.Dir, Mode: v.umask(modeBits(perm)) & 0o1777}
	return pathError("mkdir", name, v.create(name, n))
}

// Mknod makes a device, FIFO, socket or file. Only user 0 makes devices: EPERM.
func (v *View) Mknod(name string, mode fs.FileMode, dev uint64) error {
	kind, ok := kindOf(mode)
	n := fsys.New{Kind: kind, Mode: v.umask(modeBits(mode)), Rdev: dev}
	var err error
	switch {
	case !ok, kind == fsys.Symlink:
		err = syscall.EINVAL
	case kind == fsys.Dir:
		err = syscall.EPERM
	case (kind == fsys.CharDevice || kind == fsys.BlockDevice) && !v.cred.Can(CapMknod):
		err = syscall.EPERM
	default:
		err = v.create(name, n)
	}
	return pathError("mknod", name, err)
}

// Symlink makes name a link with the given text.
func (v *View) Symlink(target, name string) error {
	var err error
	switch {
	case target == "":
		err = syscall.ENOENT
	case len(target) >= maxPath:
		err = syscall.ENAMETOOLONG
	default:
		err = v.create(name, fsys.New{Kind: fsys.Symlink, Mode: 0o777, Target: target})
	}
	return linkError("symlink", target, name, err)
}

// create makes a new name, with the umask already taken off the mode.
func (v *View) create(name string, n fsys.New) error {
	if err := v.enter(); err != nil {
		return err
	}
	var w walker
	if err := v.walkNew(&w, name); err != nil {
		return err
	}
	if w.slash && n.Kind != fsys.Dir {
		return syscall.ENOENT
	}
	return v.make(&w, n)
}

// walkName walks to a name that is to be changed itself: a slash at its end does not make the walk follow a link.
func (v *View) walkName(w *walker, name string) error {
	bare := name
	if len(name) > 1 {
		bare = name[:1+len(strings.TrimRight(name[1:], "/"))]
	}
	err := v.walk(w, bare, false)
	w.slash = len(bare) < len(name)
	return err
}

// walkNew walks to a name that must not be there.
func (v *View) walkNew(w *walker, name string) error {
	if err := v.walkName(w, name); err != nil {
		return err
	}
	if !w.missing {
		return syscall.EEXIST
	}
	return nil
}

// make makes the missing name that w found.
func (v *View) make(w *walker, n fsys.New) error {
	if err := w.writable(); err != nil {
		return err
	}
	dir, err := w.folder()
	if err != nil {
		return err
	}
	if !v.cred.may(dir, mayWrite|mayExec) {
		return syscall.EACCES
	}
	m, ok := w.fs.(fsys.Maker)
	if !ok {
		return syscall.EROFS
	}
	return m.Make(w.rel, v.inherit(dir, n))
}

// Remove takes a name away, a folder's only if it is empty. EBUSY for a mount point.
func (v *View) Remove(name string) error { return pathError("remove", name, v.remove(name)) }

func (v *View) remove(name string) error {
	if err := v.enter(); err != nil {
		return err
	}
	var w walker
	if err := v.walkName(&w, name); err != nil {
		return err
	}
	switch {
	case w.dots == 1:
		return syscall.EINVAL
	case w.dots == 2:
		return syscall.ENOTEMPTY
	case w.point, !w.missing && w.covered():
		return syscall.EBUSY
	}
	if err := w.writable(); err != nil {
		return err
	}
	switch {
	case w.missing:
		return syscall.ENOENT
	case w.slash && w.attr.Kind != fsys.Dir:
		return syscall.ENOTDIR
	}
	dir, err := w.folder()
	if err != nil {
		return err
	}
	if err := v.cred.mayRemove(dir, &w.attr); err != nil {
		return err
	}
	r, ok := w.fs.(fsys.Remover)
	switch {
	case !ok:
		return syscall.EPERM
	case w.attr.Kind == fsys.Dir:
		return r.RemoveDir(w.rel)
	}
	return r.Remove(w.rel)
}

// covered tells whether rel is the root of the tree or there are mounts on or below it.
func (w *walker) covered() bool {
	if w.rel == w.m.root {
		return true
	}
	children := w.m.children.Load()
	if children == nil {
		return false
	}
	for at := range *children {
		if at == w.rel || strings.HasPrefix(at, w.rel+"/") {
			return true
		}
	}
	return false
}

// Rename gives what is called from the name to, instead of what has that name.
func (v *View) Rename(from, to string) error {
	return linkError("rename", from, to, v.rename(from, to))
}

func (v *View) rename(from, to string) error {
	if err := v.enter(); err != nil {
		return err
	}
	var a, b walker
	if err := v.walkName(&a, from); err != nil {
		return err
	}
	if err := v.walkName(&b, to); err != nil {
		return err
	}
	switch {
	case a.dots > 0, b.dots > 0:
		return syscall.EBUSY
	case a.point, b.point:
		return renamePoint(&a, &b)
	case a.m != b.m:
		return syscall.EXDEV
	}
	if err := a.writable(); err != nil {
		return err
	}
	switch {
	case a.missing:
		return syscall.ENOENT
	case a.attr.Kind != fsys.Dir && (a.slash || b.slash):
		return syscall.ENOTDIR
	case a.rel == b.rel, !b.missing && a.attr.Kind != fsys.Dir && a.attr.Kind == b.attr.Kind && a.attr.Inode == b.attr.Inode:
		return nil // two names of one file, or twice the same
	case a.covered(), !b.missing && b.covered():
		return syscall.EBUSY
	}
	if err := v.mayRename(&a, &b); err != nil {
		return err
	}
	r, ok := a.fs.(fsys.Remover)
	if !ok {
		return syscall.EPERM
	}
	return r.Rename(a.rel, b.rel)
}

// renamePoint is what comes of a rename from or to a mount point: it depends on the mounts of the two folders.
func renamePoint(a, b *walker) error {
	dirOf := func(w *walker) *mount {
		if w.point {
			return w.m.parent
		}
		return w.m
	}
	if dirOf(a) != dirOf(b) {
		return syscall.EXDEV
	}
	return syscall.EBUSY
}

// mayRename checks what rename(2) does before a file system is asked.
func (v *View) mayRename(a, b *walker) error {
	isDir := a.attr.Kind == fsys.Dir
	switch {
	case isDir && strings.HasPrefix(b.rel, a.rel+"/"):
		return syscall.EINVAL
	case !b.missing && strings.HasPrefix(a.rel, b.rel+"/"):
		return syscall.ENOTEMPTY
	}
	from, err := a.folder()
	if err != nil {
		return err
	}
	to, err := b.folder()
	if err != nil {
		return err
	}
	if err := v.cred.mayRemove(from, &a.attr); err != nil {
		return err
	}
	if isDir && parent(a.rel) != parent(b.rel) && !v.cred.may(&a.attr, mayWrite) {
		return syscall.EACCES // its .. changes
	}
	if b.missing {
		if !v.cred.may(to, mayWrite|mayExec) {
			return syscall.EACCES
		}
		return nil
	}
	if err := v.cred.mayRemove(to, &b.attr); err != nil {
		return err
	}
	switch replaced := b.attr.Kind == fsys.Dir; {
	case isDir && !replaced:
		return syscall.ENOTDIR
	case !isDir && replaced:
		return syscall.EISDIR
	}
	return nil
}

// Link makes name a further name of existing. EPERM for a folder.
func (v *View) Link(existing, name string) error {
	return linkError("link", existing, name, v.link(existing, name))
}

func (v *View) link(existing, name string) error {
	var a, b walker
	if err := v.lookup(&a, existing, false); err != nil {
		return err
	}
	if err := v.walkNew(&b, name); err != nil {
		return err
	}
	if b.slash {
		return syscall.ENOENT
	}
	if a.m != b.m {
		return syscall.EXDEV
	}
	if err := b.writable(); err != nil {
		return err
	}
	dir, err := b.folder()
	if err != nil {
		return err
	}
	m, ok := b.fs.(fsys.Maker)
	switch {
	case !v.cred.may(dir, mayWrite|mayExec):
		return syscall.EACCES
	case a.attr.Kind == fsys.Dir, !ok:
		return syscall.EPERM
	case !v.mayLink(&a.attr):
		return syscall.EPERM
	}
	return m.Link(a.rel, b.rel)
}

// mayLink is the rule of /proc/sys/fs/protected_hardlinks, which is 1 on nearly every machine: who does not own a file links only
// to one that he could as well copy over.
func (v *View) mayLink(a *fsys.Attr) bool {
	if v.cred.owns(a) {
		return true
	}
	safe := a.Kind == fsys.File && a.Mode&setuid == 0 && a.Mode&(setgid|0o010) != setgid|0o010
	return safe && v.cred.may(a, mayRead|mayWrite)
}
