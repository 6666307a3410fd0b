package vfs

import (
	"errors"
	"hash/fnv"
	"io"
	"io/fs"
	"path/filepath"
	"reflect"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// hostKind is what a file of the host is.
func hostKind(m fs.FileMode) fsys.Kind {
	if k, ok := kindOf(m); ok {
		return k
	}
	return fsys.File // Windows has further kinds, which can at best be read
}

// attr describes a file of the host. What the system tells beside fs.FileInfo has another type on every system, and on Windows there
// is none of it: then root owns everything and the modes are the usual ones.
func (b *bind) attr(name string, fi fs.FileInfo) fsys.Attr {
	a := fsys.Attr{Kind: hostKind(fi.Mode()), Mode: modeBits(fi.Mode()), Size: fi.Size(), Links: 1, Mtime: fi.ModTime(), Ctime: fi.ModTime(), Atime: fi.ModTime()}
	v := reflect.Indirect(reflect.ValueOf(fi.Sys()))
	if v.Kind() != reflect.Struct || !v.FieldByName("Uid").IsValid() {
		if a.Mode = 0o644; a.Kind == fsys.Dir {
			a.Mode = 0o755
		}
		h := fnv.New64a()
		io.WriteString(h, name)
		a.Inode = h.Sum64()
		return a
	}
	a.UID, a.GID = b.inside(int(number(v, "Uid")), b.self), b.inside(int(number(v, "Gid")), b.group)
	a.Links, a.Inode = int(number(v, "Nlink")), number(v, "Ino")
	if a.Kind == fsys.CharDevice || a.Kind == fsys.BlockDevice {
		a.Rdev = number(v, "Rdev")
	}
	a.Ctime = moment(v, a.Mtime, "Ctim", "Ctimespec")
	a.Atime = moment(v, a.Mtime, "Atim", "Atimespec")
	return a
}

// inside is the id that a host's id has in the container; self is the one that is 0 there.
func (b *bind) inside(id, self int) int {
	if id == self {
		return 0
	}
	return id
}

// owner and ownerGroup are the opposite of inside.
func (b *bind) owner(uid int) int {
	if uid == 0 && b.self > 0 {
		return b.self
	}
	return uid
}

func (b *bind) ownerGroup(gid int) int {
	if gid == 0 && b.self > 0 {
		return b.group
	}
	return gid
}

// number reads an integer field of any type.
func number(v reflect.Value, name string) uint64 {
	switch f := v.FieldByName(name); {
	case !f.IsValid():
		return 0
	case f.CanInt():
		return uint64(f.Int())
	case f.CanUint():
		return f.Uint()
	}
	return 0
}

// moment reads the first of the named fields that is there: a timespec.
func moment(v reflect.Value, otherwise time.Time, names ...string) time.Time {
	for _, name := range names {
		if f := v.FieldByName(name); f.IsValid() && f.Kind() == reflect.Struct {
			return time.Unix(int64(number(f, "Sec")), int64(number(f, "Nsec")))
		}
	}
	return otherwise
}

// chtimes sets the times that are given and keeps the others.
func (b *bind) chtimes(host string, c fsys.Change) error {
	var atime, mtime time.Time
	if c.Atime != nil {
		atime = *c.Atime
	}
	if c.Mtime != nil {
		mtime = *c.Mtime
	}
	return errno(b.root.Chtimes(host, atime, mtime))
}

// errno is the bare number of an error of package os, nil for nil and io.EOF for io.EOF.
func errno(err error) error {
	var n syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return io.EOF
	case filepath.Separator == '/' && errors.As(err, &n):
		return n
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, fs.ErrExist):
		const notEmpty = 145 // ERROR_DIR_NOT_EMPTY
		if errors.As(err, &n) && n == notEmpty {
			return syscall.ENOTEMPTY
		}
		return syscall.EEXIST
	case errors.Is(err, fs.ErrPermission):
		return syscall.EPERM
	case errors.Is(err, errors.ErrUnsupported):
		return syscall.ENOSYS
	case filepath.Separator == '/':
		return syscall.EXDEV // os.Root refuses to leave the folder
	}
	return syscall.EIO
}
