// Package memfs is a file tree in memory with the abilities that the programs of package userland ask for:
// folders, symbolic and hard links, modes, owners and times. It is not a copy of a kernel: it checks no
// permissions. It is safe for use by many goroutines at once.
package memfs

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/userland"
)

// FS is one tree. The zero value is not usable; see New.
type FS struct {
	mu   sync.Mutex
	root *node
	next uint64
	now  func() time.Time
}

type node struct {
	inode    uint64
	mode     fs.FileMode
	uid, gid int
	links    uint64
	mtime    time.Time
	data     []byte
	target   string
	children map[string]*node
}

// New makes an empty tree whose clock is now; nil is the real one.
func New(now func() time.Time) *FS {
	if now == nil {
		now = time.Now
	}
	m := &FS{now: now}
	m.root = m.node(fs.ModeDir | 0o755)
	return m
}

func (m *FS) node(mode fs.FileMode) *node {
	m.next++
	n := &node{inode: m.next, mode: mode, links: 1, mtime: m.now()}
	if mode.IsDir() {
		n.children, n.links = map[string]*node{}, 2
	}
	return n
}

// find walks to a name; follow tells whether a link at its end counts as its target.
func (m *FS) find(name string, follow bool) (*node, error) {
	at, todo, hops := []*node{m.root}, strings.Split(name, "/"), 0
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		here := at[len(at)-1]
		if !here.mode.IsDir() && part != "" {
			return nil, syscall.ENOTDIR
		}
		switch part {
		case "", ".":
			continue
		case "..":
			at = at[:max(1, len(at)-1)]
			continue
		}
		n, ok := here.children[part]
		if !ok {
			return nil, syscall.ENOENT
		}
		if n.mode&fs.ModeSymlink == 0 || len(todo) == 0 && !follow {
			at = append(at, n)
			continue
		}
		if hops++; hops > 40 {
			return nil, syscall.ELOOP
		}
		if path.IsAbs(n.target) {
			at = at[:1]
		}
		todo = append(strings.Split(n.target, "/"), todo...)
	}
	return at[len(at)-1], nil
}

// parent is the folder that holds, or would hold, a name.
func (m *FS) parent(name string) (*node, string, error) {
	dir, base := path.Split(path.Clean(name))
	n, err := m.find(dir, true)
	if err == nil && !n.mode.IsDir() {
		err = syscall.ENOTDIR
	}
	return n, base, err
}

func fault(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// OpenFile opens or creates a file; a link at the end of name is followed.
func (m *FS) OpenFile(name string, flag int, perm fs.FileMode) (userland.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, true)
	switch {
	case err == nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		err = syscall.EEXIST
	case err == nil && n.mode.IsDir() && flag&(os.O_WRONLY|os.O_RDWR) != 0:
		err = syscall.EISDIR
	case err == syscall.ENOENT && flag&os.O_CREATE != 0:
		var dir *node
		var base string
		if dir, base, err = m.parent(name); err == nil {
			n = m.node(perm.Perm())
			dir.children[base] = n
		}
	}
	if err != nil {
		return nil, fault("open", name, err)
	}
	if flag&os.O_TRUNC != 0 {
		n.data, n.mtime = nil, m.now()
	}
	return &file{fs: m, node: n, name: path.Base(name), flag: flag}, nil
}

func (m *FS) look(op, name string, follow bool) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, follow)
	if err != nil {
		return nil, fault(op, name, err)
	}
	return n.info(path.Base(name)), nil
}

// Stat follows links.
func (m *FS) Stat(name string) (fs.FileInfo, error) { return m.look("stat", name, true) }

// Lstat does not follow a link at the end.
func (m *FS) Lstat(name string) (fs.FileInfo, error) { return m.look("lstat", name, false) }

// ReadDir lists a folder by name.
func (m *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, true)
	if err == nil && !n.mode.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, fault("open", name, err)
	}
	var all []fs.DirEntry
	for base, c := range n.children {
		all = append(all, fs.FileInfoToDirEntry(c.info(base)))
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// add puts a new node at a free name.
func (m *FS) add(op, name string, n *node) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err == nil && (base == "" || dir.children[base] != nil) {
		err = syscall.EEXIST
	}
	if err == nil {
		dir.children[base] = n
	}
	return fault(op, name, err)
}

// Mkdir makes a folder.
func (m *FS) Mkdir(name string, perm fs.FileMode) error {
	return m.add("mkdir", name, m.made(fs.ModeDir|perm.Perm()))
}

func (m *FS) made(mode fs.FileMode) *node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node(mode)
}

// Symlink makes a symbolic link.
func (m *FS) Symlink(target, name string) error {
	n := m.made(fs.ModeSymlink | 0o777)
	n.target = target
	return m.add("symlink", name, n)
}

// Link gives a file another name.
func (m *FS) Link(existing, name string) error {
	m.mu.Lock()
	n, err := m.find(existing, false)
	m.mu.Unlock()
	if err == nil && n.mode.IsDir() {
		err = syscall.EPERM
	}
	if err == nil {
		err = m.add("link", name, n)
	}
	if err == nil {
		m.mu.Lock()
		n.links++
		m.mu.Unlock()
	}
	return err
}

// Readlink tells a link's target.
func (m *FS) Readlink(name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, false)
	if err == nil && n.mode&fs.ModeSymlink == 0 {
		err = syscall.EINVAL
	}
	if err != nil {
		return "", fault("readlink", name, err)
	}
	return n.target, nil
}

// Remove removes a file or an empty folder.
func (m *FS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil {
		return fault("remove", name, err)
	}
	n := dir.children[base]
	switch {
	case n == nil:
		return fault("remove", name, syscall.ENOENT)
	case len(n.children) > 0:
		return fault("remove", name, syscall.ENOTEMPTY)
	}
	n.links--
	delete(dir.children, base)
	return nil
}

// Rename moves a file or folder over what is there.
func (m *FS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, x, err := m.parent(from)
	if err != nil || a.children[x] == nil {
		return fault("rename", from, syscall.ENOENT)
	}
	b, y, err := m.parent(to)
	if err != nil {
		return fault("rename", to, err)
	}
	if old := b.children[y]; old != nil && len(old.children) > 0 {
		return fault("rename", to, syscall.ENOTEMPTY)
	}
	n := a.children[x]
	delete(a.children, x)
	b.children[y] = n
	return nil
}

func (m *FS) change(op, name string, follow bool, act func(n *node)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name, follow)
	if err == nil {
		act(n)
	}
	return fault(op, name, err)
}

// Chmod sets the permission bits.
func (m *FS) Chmod(name string, mode fs.FileMode) error {
	return m.change("chmod", name, true, func(n *node) { n.mode = n.mode&fs.ModeType | mode&^fs.ModeType })
}

// Lchown sets the owner; -1 keeps an id.
func (m *FS) Lchown(name string, uid, gid int) error {
	return m.change("lchown", name, false, func(n *node) {
		if uid >= 0 {
			n.uid = uid
		}
		if gid >= 0 {
			n.gid = gid
		}
	})
}

// Chtimes sets the time of change; the time of access is not kept.
func (m *FS) Chtimes(name string, _, mtime time.Time) error {
	return m.change("chtimes", name, true, func(n *node) { n.mtime = mtime })
}

// Attr tells the facts of a file that this tree described.
func (m *FS) Attr(info fs.FileInfo) userland.Attr {
	i, ok := info.(facts)
	if !ok {
		return userland.Attr{Links: 1}
	}
	return userland.Attr{UID: i.uid, GID: i.gid, Links: i.links, Inode: i.inode, Dev: 1, Blocks: (i.size + 4095) / 4096 * 8, Atime: i.mtime, Ctime: i.mtime}
}

// facts is a FileInfo with the facts of Attr.
type facts struct {
	name         string
	size         int64
	mode         fs.FileMode
	mtime        time.Time
	uid, gid     int
	links, inode uint64
}

func (n *node) info(name string) fs.FileInfo {
	size := int64(len(n.data) + len(n.target))
	if n.mode.IsDir() {
		size = 4096
	}
	return facts{name, size, n.mode, n.mtime, n.uid, n.gid, n.links, n.inode}
}

func (i facts) Name() string       { return i.name }
func (i facts) Size() int64        { return i.size }
func (i facts) Mode() fs.FileMode  { return i.mode }
func (i facts) ModTime() time.Time { return i.mtime }
func (i facts) IsDir() bool        { return i.mode.IsDir() }
func (i facts) Sys() any           { return nil }
