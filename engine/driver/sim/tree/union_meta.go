package tree

import (
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// alter copies the name up where it has to be and lets f change its inode.
func (u *Union) alter(name string, f func(i *inode) error) error {
	return u.change(func() error {
		at, _, err := u.find(name)
		if err != nil {
			return err
		}
		if at.up == nil {
			if err := u.copyUp(at, false); err != nil {
				return err
			}
		}
		if err := f(at.up.ino); err != nil {
			return err
		}
		at.up.ino.ctime = u.now()
		u.journal.put(at.path, at.up)
		u.watch.touched(at.path)
		return nil
	})
}

// Set implements fsys.Setter. A change of owner takes what executing would give by the owner, as chown(2) says.
func (u *Union) Set(name string, c fsys.Change) error {
	return u.alter(name, func(i *inode) error {
		if c.UID != nil || c.GID != nil {
			dropPrivilege(i)
		}
		if c.UID != nil {
			i.uid = *c.UID
		}
		if c.GID != nil {
			i.gid = *c.GID
		}
		if c.Mode != nil && i.kind != fsys.Symlink {
			i.mode = *c.Mode & 0o7777
		}
		setTime(&i.mtime, c.Mtime)
		setTime(&i.atime, c.Atime)
		return nil
	})
}

func dropPrivilege(i *inode) {
	if i.kind == fsys.Dir {
		return
	}
	i.mode &^= 0o4000
	if i.mode&0o010 != 0 {
		i.mode &^= 0o2000
	}
	delete(i.xattrs, "security.capability")
}

func setTime(to *time.Time, t *time.Time) {
	if t != nil {
		*to = clampTime(*t)
	}
}

// SetXattr implements fsys.Xattrs. EOPNOTSUPP for a name space that Linux does not have, EPERM where it keeps none of that kind.
func (u *Union) SetXattr(name, attr, value string) error {
	u.mu.RLock()
	at, _, err := u.find(name)
	if err == nil && !canXattr(at.inode().kind, attr) {
		err = syscall.ENOTSUP
		if canXattr(fsys.File, attr) || isOverlayXattr(attr) {
			err = syscall.EPERM
		}
	}
	u.mu.RUnlock()
	if err != nil {
		return err
	}
	return u.alter(name, func(i *inode) error {
		if i.xattrs == nil {
			i.xattrs = map[string]string{}
		}
		i.xattrs[attr] = value
		return nil
	})
}

// RemoveXattr implements fsys.Xattrs.
func (u *Union) RemoveXattr(name, attr string) error {
	u.mu.RLock()
	at, _, err := u.find(name)
	if err == nil {
		if _, ok := at.inode().xattrs[attr]; !ok {
			err = syscall.ENODATA
		}
	}
	u.mu.RUnlock()
	if err != nil {
		return err
	}
	return u.alter(name, func(i *inode) error {
		delete(i.xattrs, attr)
		return nil
	})
}
