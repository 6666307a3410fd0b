package build

import (
	"io"
	"io/fs"
	"reflect"
	"time"

	"github.com/opencontainers/go-digest"
)

// node is one name in a tree that files are copied from or to.
type node struct {
	path     string      // slash-separated and relative; "." is the root
	mode     fs.FileMode // type and permissions, with setuid, setgid and sticky
	size     int64
	mtime    time.Time
	link     string // symlink: its text
	uid, gid int
	xattrs   map[string]string
	stamp    stamp
	sum      digest.Digest // of a file's content, once asked for
}

// stamp is what tells that a file is still the one that was read: with size and mtime it vouches for the content.
type stamp struct {
	inode uint64
	ctime int64 // nanoseconds since 1970; 0: unknown here, nothing is vouched for
}

// tree is where files are copied from, and what lies below the place they are copied to. Paths are clean, relative and
// slash-separated. No method follows a link.
type tree interface {
	lstat(path string) (node, error) // fs.ErrNotExist if there is no such name
	list(dir string) ([]string, error)
	open(path string) (io.ReadCloser, error)
	digest(files []*node) error // fills in sum
}

// sysFields reads what fs.FileInfo does not offer from the system's own structure, by the names of its fields, which are
// the same on all systems that have them. The zero value is ready.
type sysFields struct {
	typ                  reflect.Type
	inode, ctime, uid, g []int
}

func (s *sysFields) bind(t reflect.Type) {
	if s.typ == t {
		return
	}
	*s = sysFields{typ: t}
	field := func(names ...string) []int {
		for _, n := range names {
			if f, ok := t.FieldByName(n); ok {
				return f.Index
			}
		}
		return nil
	}
	s.inode, s.ctime = field("Ino"), field("Ctim", "Ctimespec")
	s.uid, s.g = field("Uid", "UID"), field("Gid", "GID")
}

// read returns owner and stamp of fi, zero where the system has none.
func (s *sysFields) read(fi fs.FileInfo) (uid, gid int, st stamp) {
	v := reflect.ValueOf(fi.Sys())
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return 0, 0, stamp{}
	}
	s.bind(v.Type())
	uid, gid = int(number(v, s.uid)), int(number(v, s.g))
	if s.ctime == nil || s.inode == nil {
		return uid, gid, stamp{}
	}
	t := v.FieldByIndex(s.ctime)
	if t.Kind() != reflect.Struct {
		return uid, gid, stamp{}
	}
	sec, nsec := t.FieldByName("Sec"), t.FieldByName("Nsec")
	if sec.CanInt() && nsec.CanInt() {
		st = stamp{inode: uint64(number(v, s.inode)), ctime: sec.Int()*1e9 + nsec.Int()}
	}
	return uid, gid, st
}

func number(v reflect.Value, index []int) int64 {
	if index == nil {
		return 0
	}
	f := v.FieldByIndex(index)
	switch {
	case f.CanInt():
		return f.Int()
	case f.CanUint():
		return int64(f.Uint())
	}
	return 0
}

// kind is the word for a node's type in keys and messages.
func (n node) kind() string {
	switch n.mode.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "dir"
	case fs.ModeSymlink:
		return "symlink"
	case fs.ModeNamedPipe:
		return "fifo"
	case fs.ModeSocket:
		return "socket"
	case fs.ModeDevice | fs.ModeCharDevice:
		return "char"
	case fs.ModeDevice:
		return "block"
	}
	return "other"
}

// unixMode is the permissions with setuid, setgid and sticky as numbers: 0 to 07777.
func unixMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	return mode
}
