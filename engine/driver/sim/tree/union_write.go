package tree

import (
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// vacant finds the folder for a name that is to be made.
func (u *Union) vacant(name string) (dir *place, base string, err error) {
	at, dir, err := u.find(name)
	switch {
	case at != nil:
		return nil, "", syscall.EEXIST
	case dir == nil:
		return nil, "", err
	case !dir.isDir():
		return nil, "", syscall.ENOTDIR
	}
	_, base = split(name)
	return dir, base, nil
}

// touchDir notes that names of the folder changed.
func (u *Union) touchDir(n *node) {
	n.ino.mtime = u.now()
	n.ino.ctime = n.ino.mtime
	u.stale(n.ino, n)
}

// attach puts n under a name of the folder dir, and tells how that looks in the writable layer: in the place of a whiteout overlayfs
// makes things elsewhere and moves them in.
func (u *Union) attach(dir *place, base string, n *node) {
	up := u.raise(dir)
	moved := up.kid(base) != nil
	n.opaque = n.isDir() && dir.low != nil // overlayfs marks every new folder in a folder of several layers
	up.put(base, n)
	u.touchDir(up)
	p := join(dir.path, base)
	u.journal.put(p, n)
	u.watch.appeared(p, moved)
}

// Make implements fsys.Maker.
func (u *Union) Make(name string, n fsys.New) error {
	return u.change(func() error {
		dir, base, err := u.vacant(name)
		if err != nil {
			return err
		}
		i := &inode{number: u.number(), kind: n.Kind, mode: n.Mode & 0o7777, uid: n.UID, gid: n.GID, rdev: n.Rdev, links: 1}
		i.mtime = u.now()
		i.ctime, i.atime = i.mtime, i.mtime
		if d := dir.inode(); d.mode&0o2000 != 0 { // a folder with the set-group-ID bit hands on its group
			i.gid = d.gid
			if n.Kind == fsys.Dir {
				i.mode |= 0o2000
			}
		}
		switch n.Kind {
		case fsys.Symlink:
			i.mode, i.target, i.size = 0o777, n.Target, int64(len(n.Target))
		case fsys.File:
			stored, f, err := u.files.create(name)
			if err != nil {
				return hostError(err)
			}
			i.stored = stored
			u.fresh.keep(i, f)
		}
		i.first = &node{ino: i}
		u.attach(dir, base, i.first)
		return nil
	})
}

// Link implements fsys.Maker. A lower file is copied up first, and keeps none of its other names.
func (u *Union) Link(existing, name string) error {
	return u.change(func() error {
		at, _, err := u.find(existing)
		if err != nil {
			return err
		}
		dir, base, err := u.vacant(name)
		if err != nil {
			return err
		}
		if at.isDir() {
			return syscall.EPERM
		}
		if at.up == nil {
			if err := u.copyUp(at, false); err != nil {
				return err
			}
			if dir, base, err = u.vacant(name); err != nil { // the folder may have been copied up on the way
				return err
			}
		}
		i := at.up.ino
		i.links++
		i.ctime = u.now()
		u.attach(dir, base, &node{ino: i})
		return nil
	})
}

// Remove implements fsys.Remover.
func (u *Union) Remove(name string) error {
	return u.change(func() error {
		at, _, err := u.find(name)
		switch {
		case err != nil:
			return err
		case at.isDir():
			return syscall.EISDIR
		}
		u.detach(at)
		return nil
	})
}

// RemoveDir implements fsys.Remover.
func (u *Union) RemoveDir(name string) error {
	return u.change(func() error {
		at, _, err := u.find(name)
		switch {
		case err != nil:
			return err
		case !at.isDir():
			return syscall.ENOTDIR
		case at.parent == nil:
			return syscall.EBUSY
		case !u.empty(at):
			return syscall.ENOTEMPTY
		}
		u.detach(at)
		return nil
	})
}

// detach takes a name away, and leaves a whiteout where something lies below.
func (u *Union) detach(at *place) {
	dir, base := u.raise(at.parent), lastOf(at.path)
	if at.up != nil {
		u.unname(dir.take(base))
	}
	if at.hides() {
		u.whiteout(dir, at.path, base)
	} else {
		u.journal.gone(at.path)
	}
	u.touchDir(dir)
	if at.hides() {
		u.watch.appeared(at.path, true)
	} else {
		u.watch.disappeared(at.path)
	}
}

func lastOf(p string) string {
	_, base := split(p)
	return base
}

func (u *Union) whiteout(dir *node, p, base string) {
	n := &node{}
	dir.put(base, n)
	u.journal.put(p, n)
}

// unname takes one name from an inode of the writable layer.
func (u *Union) unname(n *node) {
	i := n.ino
	i.links--
	i.ctime = u.now()
	if i.links == 0 {
		delete(u.dirty, i)
		u.dropContent(i)
	} else if i.kind != fsys.Dir {
		u.stale(i, n)
	}
}
