package vfs

import (
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Make gives a name to a new inode.
func (t *Tmpfs) Make(name string, n fsys.New) error {
	if err := t.account(inodeBytes); err != nil {
		return err
	}
	err := t.make(name, n)
	if err != nil {
		t.giveBack(inodeBytes)
	}
	return err
}

func (t *Tmpfs) make(name string, n fsys.New) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir, last, err := t.free(name)
	if err != nil {
		return err
	}
	if t.files >= maxInodes {
		return syscall.ENOSPC
	}
	dir.children[last] = t.inode(n)
	if n.Kind == fsys.Dir {
		dir.Links++
	}
	t.touch(dir)
	return nil
}

// free finds the folder for a name that must not be taken.
func (t *Tmpfs) free(name string) (dir *inode, last string, err error) {
	if name == "." {
		return nil, "", syscall.EEXIST
	}
	if dir, last, err = t.parent(name); err != nil {
		return nil, "", err
	}
	if dir.children[last] != nil {
		return nil, "", syscall.EEXIST
	}
	if dir != t.root && dir.Links == 0 {
		return nil, "", syscall.ENOENT
	}
	return dir, last, nil
}

// touch notes that the names of a folder changed.
func (t *Tmpfs) touch(dir *inode) {
	now := t.now()
	dir.Mtime, dir.Ctime = now, now
}

// giveBack tells that memory became free, which nobody refuses.
func (t *Tmpfs) giveBack(n int64) {
	if n > 0 {
		_ = t.account(-n)
	}
}

// Link gives an inode a further name; EPERM for a folder.
func (t *Tmpfs) Link(existing, name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, err := t.find(existing)
	if err != nil {
		return err
	}
	if i.Kind == fsys.Dir {
		return syscall.EPERM
	}
	dir, last, err := t.free(name)
	if err != nil {
		return err
	}
	dir.children[last] = i
	i.Links++
	i.Ctime = t.now()
	t.touch(dir)
	return nil
}

// Remove is unlink(2).
func (t *Tmpfs) Remove(name string) error {
	return t.freeing(func() (int64, error) {
		dir, last, err := t.parent(name)
		if err != nil {
			return 0, err
		}
		i := dir.children[last]
		switch {
		case i == nil:
			return 0, syscall.ENOENT
		case i.Kind == fsys.Dir:
			return 0, syscall.EISDIR
		}
		delete(dir.children, last)
		t.touch(dir)
		return t.unlink(i), nil
	})
}

// RemoveDir is rmdir(2).
func (t *Tmpfs) RemoveDir(name string) error {
	return t.freeing(func() (int64, error) {
		dir, last, err := t.parent(name)
		if err != nil {
			return 0, err
		}
		i := dir.children[last]
		switch {
		case i == nil:
			return 0, syscall.ENOENT
		case i.Kind != fsys.Dir:
			return 0, syscall.ENOTDIR
		case len(i.children) > 0:
			return 0, syscall.ENOTEMPTY
		}
		delete(dir.children, last)
		t.touch(dir)
		return t.unlinkDir(dir, i), nil
	})
}

// freeing runs f under the lock and tells afterwards how much memory it gave back.
func (t *Tmpfs) freeing(f func() (int64, error)) error {
	t.mu.Lock()
	n, err := f()
	t.mu.Unlock()
	t.giveBack(n)
	return err
}

// unlink takes one name from i and gives the bytes that became free.
func (t *Tmpfs) unlink(i *inode) int64 {
	i.Links--
	i.Ctime = t.now()
	return t.drop(i)
}

func (t *Tmpfs) unlinkDir(parent, i *inode) int64 {
	i.Links = 0
	parent.Links--
	return t.drop(i)
}

// drop frees an inode that has neither a name nor a handle.
func (t *Tmpfs) drop(i *inode) int64 {
	if i.Links > 0 || i.open > 0 {
		return 0
	}
	t.files--
	n := i.data.bytes()
	t.used -= n
	i.data = pages{}
	return n + inodeBytes
}

// Rename is rename(2).
func (t *Tmpfs) Rename(from, to string) error {
	return t.freeing(func() (int64, error) { return t.rename(from, to) })
}

func (t *Tmpfs) rename(from, to string) (int64, error) {
	if strings.HasPrefix(to, from+"/") {
		return 0, syscall.EINVAL
	}
	oldDir, oldName, err := t.parent(from)
	if err != nil {
		return 0, err
	}
	newDir, newName, err := t.parent(to)
	if err != nil {
		return 0, err
	}
	i, replaced := oldDir.children[oldName], newDir.children[newName]
	switch {
	case i == nil:
		return 0, syscall.ENOENT
	case i == replaced:
		return 0, nil
	case newDir != t.root && newDir.Links == 0:
		return 0, syscall.ENOENT
	}
	n, err := t.replace(newDir, replaced, i)
	if err != nil {
		return 0, err
	}
	delete(oldDir.children, oldName)
	newDir.children[newName] = i
	if i.Kind == fsys.Dir {
		oldDir.Links--
		newDir.Links++
	}
	i.Ctime = t.now()
	t.touch(oldDir)
	t.touch(newDir)
	return n, nil
}

// replace takes away what has the name that by is to get.
func (t *Tmpfs) replace(dir, old, by *inode) (int64, error) {
	switch {
	case old == nil:
		return 0, nil
	case old.Kind != fsys.Dir && by.Kind == fsys.Dir:
		return 0, syscall.ENOTDIR
	case old.Kind == fsys.Dir && by.Kind != fsys.Dir:
		return 0, syscall.EISDIR
	case old.Kind != fsys.Dir:
		return t.unlink(old), nil
	case len(old.children) > 0:
		return 0, syscall.ENOTEMPTY
	}
	return t.unlinkDir(dir, old), nil
}
