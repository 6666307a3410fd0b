package vfs

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Tmpfs is a file system in memory. It has every ability of package fsys.
type Tmpfs struct {
	now     func() time.Time
	account func(delta int64) error
	limit   int64 // bytes, 0 for none

	mu    sync.RWMutex
	root  *inode
	used  int64 // bytes in pages
	files int64
	last  uint64 // inode number
}

// What an inode costs beside its pages, and how many there may be: names must not be a way around a memory limit.
const (
	inodeBytes = 1 << 10
	maxInodes  = 1 << 20
)

// inode is a file of a Tmpfs. Everything in it is guarded by the file system's lock.
type inode struct {
	fsys.Attr
	target   string
	children map[string]*inode // of a folder
	data     pages
	xattrs   map[string]string
	open     int // handles
}

// NewTmpfs makes an empty file system in memory whose root has mode. limit is its size in bytes, 0 for none. account, which may be nil,
// is told of every growth and shrinking in bytes and may refuse to grow; it is never called under a lock.
func NewTmpfs(limit int64, mode uint32, now func() time.Time, account func(delta int64) error) *Tmpfs {
	if account == nil {
		account = func(int64) error { return nil }
	}
	t := &Tmpfs{now: now, account: account, limit: limit}
	t.root = t.inode(fsys.New{Kind: fsys.Dir, Mode: mode})
	return t
}

func (t *Tmpfs) inode(n fsys.New) *inode {
	now := t.now()
	t.last++
	t.files++
	i := &inode{target: n.Target}
	i.Attr = fsys.Attr{Kind: n.Kind, Mode: n.Mode & 0o7777, UID: n.UID, GID: n.GID, Links: 1, Inode: t.last, Rdev: n.Rdev, Mtime: now, Ctime: now, Atime: now}
	if n.Kind == fsys.Dir {
		i.children, i.Links = map[string]*inode{}, 2
	}
	return i
}

// find walks to a name; the caller holds the lock.
func (t *Tmpfs) find(name string) (*inode, error) {
	if name == "." {
		return t.root, nil
	}
	at := t.root
	for {
		part, rest, more := strings.Cut(name, "/")
		if at.Kind != fsys.Dir {
			return nil, syscall.ENOTDIR
		}
		next := at.children[part]
		if next == nil {
			return nil, syscall.ENOENT
		}
		if !more {
			return next, nil
		}
		at, name = next, rest
	}
}

// parent finds the folder that holds or shall hold a name.
func (t *Tmpfs) parent(name string) (dir *inode, last string, err error) {
	if name == "." {
		return nil, "", syscall.EBUSY
	}
	last = name
	above := "."
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		above, last = name[:i], name[i+1:]
	}
	if dir, err = t.find(above); err != nil {
		return nil, "", err
	}
	if dir.Kind != fsys.Dir {
		return nil, "", syscall.ENOTDIR
	}
	return dir, last, nil
}

// attr is an inode as stat(2) shows it.
func (i *inode) attr() fsys.Attr {
	a := i.Attr
	switch i.Kind {
	case fsys.Dir:
		a.Size = int64(40 + 20*len(i.children)) // as the kernel's tmpfs has it
	case fsys.Symlink:
		a.Size = int64(len(i.target))
	case fsys.File:
		a.Size = i.data.size
	}
	return a
}

// Lstat describes a name.
func (t *Tmpfs) Lstat(name string) (fsys.Attr, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i, err := t.find(name)
	if err != nil {
		return fsys.Attr{}, err
	}
	return i.attr(), nil
}

// ReadDir lists a folder, sorted by name.
func (t *Tmpfs) ReadDir(name string) ([]fsys.Dirent, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i, err := t.find(name)
	if err != nil {
		return nil, err
	}
	if i.Kind != fsys.Dir {
		return nil, syscall.ENOTDIR
	}
	list := make([]fsys.Dirent, 0, len(i.children))
	for name, c := range i.children {
		list = append(list, fsys.Dirent{Name: name, Kind: c.Kind})
	}
	slices.SortFunc(list, byName)
	return list, nil
}

// Readlink gives the text of a link.
func (t *Tmpfs) Readlink(name string) (string, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i, err := t.find(name)
	if err != nil {
		return "", err
	}
	if i.Kind != fsys.Symlink {
		return "", syscall.EINVAL
	}
	return i.target, nil
}

// Set changes an inode.
func (t *Tmpfs) Set(name string, c fsys.Change) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, err := t.find(name)
	if err != nil {
		return err
	}
	if c.Mode != nil {
		i.Mode = *c.Mode & 0o7777
	}
	if c.UID != nil {
		i.UID = *c.UID
	}
	if c.GID != nil {
		i.GID = *c.GID
	}
	if c.Mtime != nil {
		i.Mtime = *c.Mtime
	}
	if c.Atime != nil {
		i.Atime = *c.Atime
	}
	i.Ctime = t.now()
	return nil
}

// Xattr gives the extended attributes of a name.
func (t *Tmpfs) Xattr(name string) (map[string]string, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i, err := t.find(name)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(i.xattrs))
	maps.Copy(all, i.xattrs)
	return all, nil
}

// SetXattr sets one extended attribute.
func (t *Tmpfs) SetXattr(name, attr, value string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, err := t.find(name)
	if err != nil {
		return err
	}
	if i.xattrs == nil {
		i.xattrs = map[string]string{}
	}
	i.xattrs[attr] = value
	i.Ctime = t.now()
	return nil
}

// RemoveXattr removes one extended attribute; ENODATA if it is not set.
func (t *Tmpfs) RemoveXattr(name, attr string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, err := t.find(name)
	if err != nil {
		return err
	}
	if _, ok := i.xattrs[attr]; !ok {
		return syscall.ENODATA
	}
	delete(i.xattrs, attr)
	i.Ctime = t.now()
	return nil
}

// Space tells the size limit and what is left of it; no limit is a size of 0.
func (t *Tmpfs) Space() (total, free, files, filesFree int64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.limit > 0 {
		free = max(0, t.limit-t.used)
	}
	return t.limit, free, maxInodes, maxInodes - t.files
}
