package tree

import (
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Rename implements fsys.Remover. A folder that the layers below have a part in can't be renamed: EXDEV, as overlayfs has it
// without redirect_dir; programs copy it then.
func (u *Union) Rename(from, to string) error {
	return u.change(func() error {
		old, oldDir, missing := u.find(from)
		if missing != nil && oldDir == nil {
			return missing
		}
		target, dir, err := u.find(to)
		if err != nil && (err != syscall.ENOENT || dir == nil) {
			return err // the folders are looked at before what is in them
		}
		if missing != nil {
			return missing
		}
		if target != nil {
			dir = target.parent
		}
		if err := u.renamable(old, target, dir, to); err != nil || target != nil && sameFile(old, target) {
			return err
		}
		return u.rename(old, target, dir, to)
	})
}

// sameFile: of two names of one file, rename(2) removes none.
func sameFile(a, b *place) bool {
	return a.path == b.path || a.up != nil && b.up != nil && a.up.ino == b.up.ino
}

func (u *Union) renamable(old, target, dir *place, to string) error {
	switch {
	case old.parent == nil || target != nil && target.parent == nil:
		return syscall.EBUSY
	case !dir.isDir():
		return syscall.ENOTDIR
	case old.isDir() && strings.HasPrefix(to+"/", old.path+"/") && to != old.path:
		return syscall.EINVAL
	case target != nil && strings.HasPrefix(old.path, target.path+"/"):
		return syscall.ENOTEMPTY
	}
	if target != nil && target.path != old.path {
		switch {
		case target.isDir() && !old.isDir():
			return syscall.EISDIR
		case !target.isDir() && old.isDir():
			return syscall.ENOTDIR
		}
	}
	if old.isDir() && old.merged() && (target == nil || target.path != old.path) {
		return syscall.EXDEV
	}
	if target != nil && target.isDir() && target.path != old.path && !u.empty(target) {
		return syscall.ENOTEMPTY
	}
	return nil
}

func (u *Union) rename(old, target, dir *place, to string) error {
	if old.up == nil {
		if err := u.copyUp(old, false); err != nil {
			return err
		}
	}
	oldDir, newDir := u.raise(old.parent), u.raiseAgain(dir)
	oldBase, newBase := lastOf(old.path), lastOf(to)
	existed := newDir.kid(newBase) != nil
	if target != nil && target.up != nil {
		u.unname(newDir.take(newBase))
	}
	if existed {
		u.journal.gone(to)
	}
	n := oldDir.take(oldBase)
	newDir.put(newBase, n)
	u.journal.moved(old.path, to)
	n.ino.ctime = u.now()
	n.opaque = n.opaque || n.isDir() && dir.low != nil
	u.journal.put(to, n)
	if old.hides() {
		u.whiteout(oldDir, old.path, oldBase)
	}
	u.touchDir(oldDir)
	u.touchDir(newDir)
	u.watch.movedAway(old.path, n.ino.kind == fsys.Dir)
	u.watch.appeared(to, true)
	return nil
}

// raiseAgain is raise for a place found before other folders were copied up.
func (u *Union) raiseAgain(at *place) *node {
	if again, _, err := u.find(at.path); err == nil {
		at.up = again.up
	}
	if at.up == nil && at.parent != nil {
		u.raiseAgain(at.parent)
	}
	return u.raise(at)
}
