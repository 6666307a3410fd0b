package vfs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// bind shows a folder or a file of the host. Everything is done by os.Root, so nothing outside is reached, whatever the host's other
// programs do to the folder meanwhile. The host's own user is user 0 inside, unless he is user 0 of the host anyway.
type bind struct {
	root     *os.Root
	file     string // the one name of root that is shown, as "."; empty for a folder
	readOnly bool
	self     int // the host's user who is user 0 inside; -1 for none
	group    int

	// append makes one write of looking for the end and writing there. Programs of the host that append at the same time are not
	// kept out.
	append sync.Mutex
}

// NewBind shows a folder or a single file of the host, following links on the way to it; a file is the name "." of its file system.
// Owners are the host's, except that the user who runs this process is user 0. What a host has no call for gives EPERM: devices and
// FIFOs everywhere, owners on Windows. The error is package os's.
func NewBind(hostPath string, readOnly bool) (fsys.FS, error) {
	at, err := filepath.EvalSymlinks(hostPath)
	if err != nil {
		return nil, err
	}
	fi, err := os.Stat(at)
	if err != nil {
		return nil, err
	}
	b := &bind{readOnly: readOnly, self: -1, group: -1}
	if uid := os.Getuid(); uid > 0 {
		b.self, b.group = uid, os.Getgid()
	}
	if !fi.IsDir() {
		b.file = filepath.Base(at)
		at = filepath.Dir(at)
	}
	b.root, err = os.OpenRoot(at) // closed when nobody refers to it any more
	return b, err
}

// name is the host's name for a name of ours.
func (b *bind) name(name string) (string, error) {
	if b.file != "" {
		if name != "." && name != b.file {
			return "", syscall.ENOENT
		}
		return b.file, nil
	}
	if filepath.Separator != '/' && strings.ContainsAny(name, `\:`) {
		return "", syscall.EINVAL
	}
	return name, nil
}

// writable gives the host's name for one that is to be changed.
func (b *bind) writable(name string) (string, error) {
	if b.readOnly {
		return "", syscall.EROFS
	}
	return b.name(name)
}

func (b *bind) Lstat(name string) (fsys.Attr, error) {
	host, err := b.name(name)
	if err != nil {
		return fsys.Attr{}, err
	}
	fi, err := b.root.Lstat(host)
	if err != nil {
		return fsys.Attr{}, errno(err)
	}
	return b.attr(host, fi), nil
}

func (b *bind) ReadDir(name string) ([]fsys.Dirent, error) {
	host, err := b.name(name)
	if err != nil {
		return nil, err
	}
	f, err := b.root.Open(host)
	if err != nil {
		return nil, errno(err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, errno(err)
	}
	list := make([]fsys.Dirent, len(entries))
	for i, e := range entries {
		list[i] = fsys.Dirent{Name: e.Name(), Kind: hostKind(e.Type())}
	}
	slices.SortFunc(list, byName)
	return list, nil
}

func (b *bind) Readlink(name string) (string, error) {
	host, err := b.name(name)
	if err != nil {
		return "", err
	}
	text, err := b.root.Readlink(host)
	if err != nil {
		return "", errno(err)
	}
	return filepath.ToSlash(text), nil
}

func (b *bind) Open(name string, how fsys.How) (fsys.Handle, error) {
	host, err := b.name(name)
	if err != nil {
		return nil, err
	}
	flag := os.O_RDONLY
	if how.Write || how.Truncate {
		if b.readOnly {
			return nil, syscall.EROFS
		}
		flag = os.O_RDWR
	}
	if how.Truncate {
		flag |= os.O_TRUNC
	}
	f, err := b.root.OpenFile(host, flag, 0)
	if flag&os.O_RDWR != 0 && errno(err) == syscall.EACCES {
		f, err = b.root.OpenFile(host, flag&^os.O_RDWR|os.O_WRONLY, 0)
	}
	if err != nil {
		return nil, errno(err)
	}
	return &bindHandle{b, f, host}, nil
}

// bindHandle is an open file of the host.
type bindHandle struct {
	b    *bind
	f    *os.File
	name string
}

func (h *bindHandle) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.f.ReadAt(p, off)
	return n, errno(err)
}

func (h *bindHandle) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 {
		h.b.append.Lock()
		defer h.b.append.Unlock()
		fi, err := h.f.Stat()
		if err != nil {
			return 0, errno(err)
		}
		off = fi.Size()
	}
	n, err := h.f.WriteAt(p, off)
	return n, errno(err)
}

func (h *bindHandle) Truncate(size int64) error { return errno(h.f.Truncate(size)) }
func (h *bindHandle) Close() error              { return errno(h.f.Close()) }

func (h *bindHandle) Attr() (fsys.Attr, error) {
	fi, err := h.f.Stat()
	if err != nil {
		return fsys.Attr{}, errno(err)
	}
	return h.b.attr(h.name, fi), nil
}

// Make makes files, folders and links; EPERM for anything else.
func (b *bind) Make(name string, n fsys.New) error {
	host, err := b.writable(name)
	if err != nil {
		return err
	}
	switch n.Kind {
	case fsys.File:
		var f *os.File
		if f, err = b.root.OpenFile(host, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
			err = f.Close()
		}
	case fsys.Dir:
		err = b.root.Mkdir(host, 0o700)
	case fsys.Symlink:
		err = b.root.Symlink(n.Target, host)
	default:
		return syscall.EPERM
	}
	if err != nil {
		return errno(err)
	}
	// A host that can't give files away leaves the new one to its own user.
	_ = b.root.Lchown(host, b.owner(n.UID), b.ownerGroup(n.GID))
	if n.Kind == fsys.Symlink {
		return nil
	}
	return b.chmod(host, n.Mode)
}

func (b *bind) chmod(host string, mode uint32) error {
	if filepath.Separator != '/' {
		return nil // Windows knows no modes, only a mark that would make the file impossible to remove
	}
	return errno(b.root.Chmod(host, fileMode(fsys.File, mode)))
}

func (b *bind) Link(existing, name string) error {
	host, err := b.writable(name)
	if err != nil {
		return err
	}
	return errno(b.root.Link(existing, host))
}

func (b *bind) Remove(name string) error { return b.remove(name, false) }

func (b *bind) RemoveDir(name string) error { return b.remove(name, true) }

func (b *bind) remove(name string, dir bool) error {
	host, err := b.writable(name)
	if err != nil {
		return err
	}
	fi, err := b.root.Lstat(host)
	switch {
	case err != nil:
		return errno(err)
	case fi.IsDir() && !dir:
		return syscall.EISDIR
	case !fi.IsDir() && dir:
		return syscall.ENOTDIR
	}
	return errno(b.root.Remove(host))
}

func (b *bind) Rename(from, to string) error {
	old, err := b.writable(from)
	if err != nil {
		return err
	}
	host, err := b.writable(to)
	if err != nil {
		return err
	}
	return errno(b.root.Rename(old, host))
}

func (b *bind) Set(name string, c fsys.Change) error {
	host, err := b.writable(name)
	if err != nil {
		return err
	}
	if c.UID != nil || c.GID != nil {
		uid, gid := -1, -1
		if c.UID != nil {
			uid = b.owner(*c.UID)
		}
		if c.GID != nil {
			gid = b.ownerGroup(*c.GID)
		}
		if err := b.root.Lchown(host, uid, gid); err != nil {
			return errno(err)
		}
	}
	if c.Mode != nil {
		if err := b.chmod(host, *c.Mode); err != nil {
			return err
		}
	}
	if c.Mtime == nil && c.Atime == nil {
		return nil
	}
	return b.chtimes(host, c)
}
