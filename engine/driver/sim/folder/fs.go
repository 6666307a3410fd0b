package folder

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/home"
)

// FS is a folder as a file system of the simulated machine. Any number of them, in any number of processes, may be open on one folder.
type FS struct {
	dir  string
	home *home.Home
	now  func() time.Time
	root uint64     // the folder that is its root; 0: rootID
	mu   sync.Mutex // one change of this process at a time: the others need not poll for the lock
}

var (
	_ fsys.FS      = (*FS)(nil)
	_ fsys.Maker   = (*FS)(nil)
	_ fsys.Remover = (*FS)(nil)
	_ fsys.Setter  = (*FS)(nil)
	_ fsys.Xattrs  = (*FS)(nil)
)

// Open opens the folder in the host folder dir, which lies in h. now is the machine's clock. It needs no closing.
func Open(h *home.Home, dir string, now func() time.Time) (*FS, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	return &FS{dir: dir, home: h, now: now}, nil
}

// lockPatience is how long a change waits for other processes.
const lockPatience = 30 * time.Second

// change runs f while nobody else changes anything.
func (f *FS) change(do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	unlock, err := f.home.LockFolder(ctx, f.dir)
	if err != nil {
		return syscall.EIO
	}
	defer unlock()
	return do()
}

// find walks to a name.
func (f *FS) find(name string) (entry, error) {
	at := entry{name: ".", id: max(f.root, rootID), kind: fsys.Dir}
	for rest := name; rest != "" && rest != "."; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if at.kind != fsys.Dir {
			return at, syscall.ENOTDIR
		}
		next, err := f.lookup(at.id, part)
		if err != nil {
			return at, err
		}
		at = next
	}
	return at, nil
}

// parent finds the folder that holds or shall hold a name.
func (f *FS) parent(name string) (dir entry, last string, err error) {
	if name == "." {
		return entry{}, "", syscall.EBUSY
	}
	above, last := ".", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		above, last = name[:i], name[i+1:]
	}
	dir, err = f.find(above)
	if err == nil && dir.kind != fsys.Dir {
		err = syscall.ENOTDIR
	}
	return dir, last, err
}

// Lstat implements fsys.FS.
func (f *FS) Lstat(name string) (fsys.Attr, error) {
	e, err := f.find(name)
	if err != nil {
		return fsys.Attr{}, err
	}
	m, err := f.get(e.id)
	if err != nil {
		return fsys.Attr{}, err
	}
	a := m.attr(e.id)
	if m.Kind == fsys.File {
		fi, err := os.Stat(f.content(e.id))
		if err != nil {
			return fsys.Attr{}, hostError(err)
		}
		a.Size = fi.Size()
	}
	return a, nil
}

func (m *meta) attr(id uint64) fsys.Attr {
	const folderBytes = 4096 // as ext4
	a := fsys.Attr{Kind: m.Kind, Mode: m.Mode, UID: m.UID, GID: m.GID, Links: m.Links, Inode: id, Rdev: m.Rdev, Mtime: m.Mtime, Ctime: m.Ctime, Atime: m.Atime}
	switch m.Kind {
	case fsys.Dir:
		a.Size = folderBytes
	case fsys.Symlink:
		a.Size = int64(len(m.Target))
	}
	return a
}

// ReadDir implements fsys.FS.
func (f *FS) ReadDir(name string) ([]fsys.Dirent, error) {
	e, err := f.find(name)
	if err != nil {
		return nil, err
	}
	if e.kind != fsys.Dir {
		return nil, syscall.ENOTDIR
	}
	all, err := f.list(e.id)
	if err != nil {
		return nil, err
	}
	list := make([]fsys.Dirent, len(all))
	for i, e := range all {
		list[i] = fsys.Dirent{Name: e.name, Kind: e.kind}
	}
	slices.SortFunc(list, func(a, b fsys.Dirent) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Readlink implements fsys.FS.
func (f *FS) Readlink(name string) (string, error) {
	e, err := f.find(name)
	if err != nil {
		return "", err
	}
	if e.kind != fsys.Symlink {
		return "", syscall.EINVAL
	}
	m, err := f.get(e.id)
	if err != nil {
		return "", err
	}
	return string(m.Target), nil
}

// Set implements fsys.Setter.
func (f *FS) Set(name string, c fsys.Change) error {
	return f.alter(name, func(m *meta) error {
		if c.Mode != nil && m.Kind != fsys.Symlink {
			m.Mode = *c.Mode & 0o7777
		}
		for _, p := range []struct {
			to   *int
			from *int
		}{{&m.UID, c.UID}, {&m.GID, c.GID}} {
			if p.from != nil {
				*p.to = *p.from
			}
		}
		for _, p := range []struct{ to, from *time.Time }{{&m.Mtime, c.Mtime}, {&m.Atime, c.Atime}} {
			if p.from != nil {
				*p.to = *p.from
			}
		}
		return nil
	})
}

// alter lets do change what is told of an inode.
func (f *FS) alter(name string, do func(*meta) error) error {
	return f.change(func() error {
		e, err := f.find(name)
		if err != nil {
			return err
		}
		m, err := f.get(e.id)
		if err != nil {
			return err
		}
		if err := do(m); err != nil {
			return err
		}
		m.Ctime = f.now()
		return f.put(e.id, m)
	})
}

// Xattr implements fsys.Xattrs.
func (f *FS) Xattr(name string) (map[string]string, error) {
	e, err := f.find(name)
	if err != nil {
		return nil, err
	}
	m, err := f.get(e.id)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(m.Xattrs))
	for k, v := range m.Xattrs {
		all[k] = string(v)
	}
	return all, nil
}

// SetXattr implements fsys.Xattrs.
func (f *FS) SetXattr(name, attr, value string) error {
	return f.alter(name, func(m *meta) error {
		if m.Xattrs == nil {
			m.Xattrs = map[string][]byte{}
		}
		m.Xattrs[attr] = []byte(value)
		return nil
	})
}

// RemoveXattr implements fsys.Xattrs.
func (f *FS) RemoveXattr(name, attr string) error {
	return f.alter(name, func(m *meta) error {
		if _, ok := m.Xattrs[attr]; !ok {
			return syscall.ENODATA
		}
		delete(m.Xattrs, attr)
		return nil
	})
}

// touch notes that the names of a folder changed, and that links folders more are in it.
func (f *FS) touch(dir uint64, links int) error {
	m, err := f.get(dir)
	if err != nil {
		return err
	}
	m.Mtime = f.now()
	m.Ctime = m.Mtime
	m.Links += links
	return f.put(dir, m)
}

// gone tells what becomes of a change to what another container has removed meanwhile.
func gone(err error) bool { return errors.Is(err, syscall.ENOENT) }
