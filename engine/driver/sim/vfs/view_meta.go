package vfs

import (
	"io/fs"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Chmod sets the permission bits of what name leads to. Only its owner and user 0 may: EPERM.
func (v *View) Chmod(name string, mode fs.FileMode) error {
	return pathError("chmod", name, v.set(name, true, func(a *fsys.Attr) (fsys.Change, error) {
		bits := modeBits(mode)
		if !v.cred.owns(a) {
			return fsys.Change{}, syscall.EPERM
		}
		if !v.cred.Can(CapFsetid) && !v.cred.in(a.GID) {
			bits &^= setgid
		}
		return fsys.Change{Mode: &bits}, nil
	}))
}

// Lchown sets the owner of name itself; -1 keeps an id. Only user 0 gives files away, an owner may choose among his groups: EPERM.
// A file loses its setuid and setgid bits.
func (v *View) Lchown(name string, uid, gid int) error {
	err := v.set(name, false, func(a *fsys.Attr) (fsys.Change, error) {
		var c fsys.Change
		if uid >= 0 {
			c.UID = &uid
		}
		if gid >= 0 {
			c.GID = &gid
		}
		if !v.mayChown(a, c) {
			return c, syscall.EPERM
		}
		if bits := withoutPrivilege(a.Mode); a.Kind == fsys.File && bits != a.Mode {
			c.Mode = &bits
		}
		return c, nil
	})
	return pathError("lchown", name, err)
}

func (v *View) mayChown(a *fsys.Attr, c fsys.Change) bool {
	if v.cred.Can(CapChown) {
		return true
	}
	mine := v.cred.UID == a.UID
	if c.UID != nil && (!mine || *c.UID != a.UID) {
		return false
	}
	return c.GID == nil || mine && (*c.GID == a.GID || v.cred.in(*c.GID))
}

// Chtimes sets the times of what name leads to; a zero time keeps the present one. Only its owner and user 0 may: EPERM.
func (v *View) Chtimes(name string, atime, mtime time.Time) error {
	return pathError("chtimes", name, v.set(name, true, func(a *fsys.Attr) (fsys.Change, error) {
		var c fsys.Change
		if !atime.IsZero() {
			c.Atime = &atime
		}
		if !mtime.IsZero() {
			c.Mtime = &mtime
		}
		if !v.cred.owns(a) {
			return c, syscall.EPERM
		}
		return c, nil
	}))
}

// set changes an inode as change decides when it sees the present state.
func (v *View) set(name string, follow bool, change func(*fsys.Attr) (fsys.Change, error)) error {
	var w walker
	if err := v.lookup(&w, name, follow); err != nil {
		return err
	}
	if w.fd > 0 {
		return syscall.EPERM
	}
	if err := w.writable(); err != nil {
		return err
	}
	c, err := change(&w.attr)
	if err != nil {
		return err
	}
	s, ok := w.fs.(fsys.Setter)
	if !ok {
		return syscall.EPERM
	}
	if err := s.Set(w.rel, c); err != nil {
		return err
	}
	if c.UID != nil || c.GID != nil {
		dropCapability(w.fs, w.rel, w.attr.Kind)
	}
	return nil
}

// dropCapability takes a file's capabilities away, as the kernel does when the file changes.
func dropCapability(of fsys.FS, rel string, kind fsys.Kind) {
	x, ok := of.(fsys.Xattrs)
	if !ok || kind != fsys.File {
		return
	}
	all, err := x.Xattr(rel)
	if err != nil {
		return
	}
	if _, set := all[capability]; set {
		_ = x.RemoveXattr(rel, capability) // whoever changed it first has removed it
	}
}
