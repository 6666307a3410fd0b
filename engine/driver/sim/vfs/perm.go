package vfs

import (
	"slices"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// What a caller wants to do with an inode.
const (
	mayExec  = 1 // of a folder: search it
	mayWrite = 2
	mayRead  = 4
)

const (
	setuid = 0o4000
	setgid = 0o2000
	sticky = 0o1000
	anyX   = 0o111
)

// in tells whether c belongs to the group.
func (c *Cred) in(gid int) bool { return c.GID == gid || slices.Contains(c.Groups, gid) }

// may tells whether c has the rights want on an inode (path_resolution(7)): exactly one of the three classes counts. Who overrides
// permissions may everything but execute a file that nobody may execute.
func (c *Cred) may(a *fsys.Attr, want uint32) bool {
	if c.Can(CapDacOverride) {
		return want&mayExec == 0 || a.Kind == fsys.Dir || a.Mode&anyX != 0
	}
	if c.Can(CapDacReadSearch) && want&mayWrite == 0 && (a.Kind == fsys.Dir || want&mayExec == 0) {
		return true
	}
	bits := a.Mode
	switch {
	case c.UID == a.UID:
		bits >>= 6
	case c.in(a.GID):
		bits >>= 3
	}
	return bits&want == want
}

// owns tells whether c may change what only an inode's owner may.
func (c *Cred) owns(a *fsys.Attr) bool { return c.Can(CapFowner) || c.UID == a.UID }

// mayRemove tells whether c may take the name of the inode a from the folder dir.
func (c *Cred) mayRemove(dir, a *fsys.Attr) error {
	switch {
	case !c.may(dir, mayWrite|mayExec):
		return syscall.EACCES
	case dir.Mode&sticky != 0 && !c.Can(CapFowner) && c.UID != a.UID && c.UID != dir.UID:
		return syscall.EPERM
	}
	return nil
}

// writable is EROFS for a mount that may not be written to.
func (w *walker) writable() error {
	if w.m.settings.Load().readOnly {
		return syscall.EROFS
	}
	return nil
}

// folder gives the attributes of the folder that holds rel.
func (w *walker) folder() (*fsys.Attr, error) {
	if w.dir.Kind == 0 {
		attr, err := w.fs.Lstat(parent(w.rel))
		if err != nil {
			return nil, err
		}
		w.dir = attr
	}
	return &w.dir, nil
}

// inherit is the owner and the mode of a new inode in dir: a setgid folder hands its group on, and to folders also the bit.
func (v *View) inherit(dir *fsys.Attr, n fsys.New) fsys.New {
	n.UID, n.GID = v.cred.UID, v.cred.GID
	if dir.Mode&setgid == 0 {
		return n
	}
	n.GID = dir.GID
	switch {
	case n.Kind == fsys.Dir:
		n.Mode |= setgid
	case n.Mode&(setgid|0o010) == setgid|0o010 && !v.cred.Can(CapFsetid) && !v.cred.in(n.GID):
		n.Mode &^= setgid
	}
	return n
}

// withoutPrivilege is the mode that a file has after somebody changed its owner or its content.
func withoutPrivilege(mode uint32) uint32 {
	if mode&0o010 != 0 {
		mode &^= setgid
	}
	return mode &^ setuid
}
