package folder

import (
	"os"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Make implements fsys.Maker.
func (f *FS) Make(name string, n fsys.New) error {
	return f.change(func() error {
		dir, last, err := f.vacant(name)
		if err != nil {
			return err
		}
		above, err := f.get(dir.id)
		if err != nil {
			return err
		}
		id, err := f.fresh()
		if err != nil {
			return err
		}
		now := f.now()
		m := &meta{Kind: n.Kind, Mode: n.Mode & 0o7777, UID: n.UID, GID: n.GID, Links: 1, Mtime: now, Ctime: now, Atime: now, Target: []byte(n.Target), Rdev: n.Rdev}
		if above.Mode&0o2000 != 0 { // a folder with the set-group-ID bit hands on its group
			m.GID = above.GID
			if n.Kind == fsys.Dir {
				m.Mode |= 0o2000
			}
		}
		if err := f.makeBody(id, m); err != nil {
			return err
		}
		if err := f.name(dir.id, entry{last, id, n.Kind}); err != nil {
			return err
		}
		return f.touch(dir.id, m.Links-1)
	})
}

// vacant finds the folder for a name that must not be taken.
func (f *FS) vacant(name string) (dir entry, last string, err error) {
	if name == "." {
		return dir, "", syscall.EEXIST
	}
	if dir, last, err = f.parent(name); err != nil {
		return dir, "", err
	}
	switch _, err := f.lookup(dir.id, last); {
	case err == nil:
		return dir, "", syscall.EEXIST
	case !gone(err):
		return dir, "", err
	}
	return dir, last, nil
}

// makeBody makes an inode, which has no name yet.
func (f *FS) makeBody(id uint64, m *meta) error {
	switch m.Kind {
	case fsys.Dir:
		m.Links = 2
		if err := os.Mkdir(f.names(id), 0o700); err != nil {
			return hostError(err)
		}
	case fsys.Symlink:
		m.Mode = 0o777
	case fsys.File:
		if err := os.WriteFile(f.content(id), nil, 0o600); err != nil {
			return hostError(err)
		}
	}
	return f.put(id, m)
}

// Link implements fsys.Maker.
func (f *FS) Link(existing, name string) error {
	return f.change(func() error {
		e, err := f.find(existing)
		if err != nil {
			return err
		}
		if e.kind == fsys.Dir {
			return syscall.EPERM
		}
		dir, last, err := f.vacant(name)
		if err != nil {
			return err
		}
		m, err := f.get(e.id)
		if err != nil {
			return err
		}
		m.Links++
		m.Ctime = f.now()
		if err := f.put(e.id, m); err != nil {
			return err
		}
		if err := f.name(dir.id, entry{last, e.id, e.kind}); err != nil {
			return err
		}
		return f.touch(dir.id, 0)
	})
}

// Remove implements fsys.Remover.
func (f *FS) Remove(name string) error { return f.remove(name, false) }

// RemoveDir implements fsys.Remover.
func (f *FS) RemoveDir(name string) error { return f.remove(name, true) }

func (f *FS) remove(name string, folder bool) error {
	return f.change(func() error {
		dir, last, err := f.parent(name)
		if err != nil {
			return err
		}
		e, err := f.lookup(dir.id, last)
		if err != nil {
			return err
		}
		switch {
		case !folder && e.kind == fsys.Dir:
			return syscall.EISDIR
		case folder && e.kind != fsys.Dir:
			return syscall.ENOTDIR
		case folder:
			if err := f.empty(e.id); err != nil {
				return err
			}
		}
		if err := f.unname(dir.id, last); err != nil {
			return err
		}
		if err := f.drop(e); err != nil {
			return err
		}
		return f.touch(dir.id, folderLink(e, -1))
	})
}

// folderLink is n for a folder, whose .. is a name of the folder around it.
func folderLink(e entry, n int) int {
	if e.kind == fsys.Dir {
		return n
	}
	return 0
}

func (f *FS) empty(id uint64) error {
	all, err := f.list(id)
	if err == nil && len(all) > 0 {
		err = syscall.ENOTEMPTY
	}
	return err
}

// drop takes one name from an inode, and the inode away with its last. An open content stays readable where the host lets it.
func (f *FS) drop(e entry) error {
	m, err := f.get(e.id)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if m.Links--; e.kind != fsys.Dir && m.Links > 0 {
		m.Ctime = f.now()
		return f.put(e.id, m)
	}
	err = hostError(os.Remove(f.node(e.id)))
	switch e.kind {
	case fsys.Dir:
		_ = os.RemoveAll(f.names(e.id)) // it may hold what a dead process was writing
	case fsys.File:
		_ = os.Remove(f.content(e.id))
	}
	return err
}

// Rename implements fsys.Remover.
func (f *FS) Rename(from, to string) error {
	if strings.HasPrefix(to, from+"/") {
		return syscall.EINVAL
	}
	return f.change(func() error {
		oldDir, oldName, err := f.parent(from)
		if err != nil {
			return err
		}
		newDir, newName, err := f.parent(to)
		if err != nil {
			return err
		}
		e, err := f.lookup(oldDir.id, oldName)
		if err != nil {
			return err
		}
		replaced, err := f.lookup(newDir.id, newName)
		there := err == nil
		if err != nil && !gone(err) {
			return err
		}
		if there {
			if replaced.id == e.id {
				return nil
			}
			if err := f.replaceable(replaced, e); err != nil {
				return err
			}
		}
		return f.move(oldDir.id, newDir.id, oldName, entry{newName, e.id, e.kind}, replaced, there)
	})
}

// replaceable: rename(2) puts a folder in the place of an empty folder only, and anything else in that of no folder.
func (f *FS) replaceable(old, by entry) error {
	switch {
	case old.kind != fsys.Dir && by.kind == fsys.Dir:
		return syscall.ENOTDIR
	case old.kind == fsys.Dir && by.kind != fsys.Dir:
		return syscall.EISDIR
	case old.kind == fsys.Dir:
		return f.empty(old.id)
	}
	return nil
}

func (f *FS) move(oldDir, newDir uint64, oldName string, e, replaced entry, there bool) error {
	if err := f.name(newDir, e); err != nil {
		return err
	}
	if err := f.unname(oldDir, oldName); err != nil {
		return err
	}
	if there {
		if err := f.drop(replaced); err != nil {
			return err
		}
	}
	gained := folderLink(e, 1)
	if there {
		gained += folderLink(replaced, -1)
	}
	if m, err := f.get(e.id); err == nil {
		m.Ctime = f.now()
		if err := f.put(e.id, m); err != nil {
			return err
		}
	}
	if err := f.touch(oldDir, folderLink(e, -1)); err != nil {
		return err
	}
	return f.touch(newDir, gained)
}
