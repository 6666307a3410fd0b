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
	links    int    // names that the file has, where known
	major    uint32 // of a device
	minor    uint32
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

// attributed is what a tree may offer besides: the extended attributes of a name.
type attributed interface {
	xattrs(path string) (map[string]string, error)
}

// learner is what a tree may offer besides: to remember the sum of a file that somebody else read, at begun or later.
type learner interface {
	learned(n *node, begun time.Time)
}

// sysFields reads what fs.FileInfo does not offer from the system's own structure, by the names of its fields, which are
// the same on all systems that have them. The zero value is ready. It is bound by the first name that is read; after that it may be
// used from several goroutines as long as all structures are of one type.
type sysFields struct {
	typ                                    reflect.Type
	inode, ctime, sec, nsec, uid, g, links []int
	rdev, major, minor                     []int
}

func (s *sysFields) bind(t reflect.Type) {
	if s.typ == t {
		return
	}
	*s = sysFields{typ: t}
	field := func(t reflect.Type, names ...string) []int {
		for _, n := range names {
			if f, ok := t.FieldByName(n); ok {
				return f.Index
			}
		}
		return nil
	}
	s.inode, s.ctime = field(t, "Ino", "Inode"), field(t, "Ctim", "Ctimespec")
	s.uid, s.g, s.links = field(t, "Uid", "UID"), field(t, "Gid", "GID"), field(t, "Nlink", "Links")
	s.rdev, s.major, s.minor = field(t, "Rdev"), field(t, "Devmajor", "Major"), field(t, "Devminor", "Minor")
	if s.ctime == nil {
		return
	}
	if c := t.FieldByIndex(s.ctime).Type; c.Kind() == reflect.Struct {
		s.sec, s.nsec = field(c, "Sec"), field(c, "Nsec")
	}
}

// fill sets what fi knows of n beyond fs.FileInfo: owner, stamp, links and device, zero where the system has none.
func (s *sysFields) fill(n *node, fi fs.FileInfo) {
	v := reflect.ValueOf(fi.Sys())
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	s.bind(v.Type())
	n.uid, n.gid, n.links = int(number(v, s.uid)), int(number(v, s.g)), int(number(v, s.links))
	n.stamp.inode = uint64(number(v, s.inode))
	if s.sec != nil && s.nsec != nil && s.inode != nil {
		t := v.FieldByIndex(s.ctime)
		n.stamp.ctime = number(t, s.sec)*1e9 + number(t, s.nsec)
	}
	if n.mode&fs.ModeDevice == 0 {
		return
	}
	n.major, n.minor = uint32(number(v, s.major)), uint32(number(v, s.minor))
	if s.rdev != nil { // as Linux packs it (makedev(3))
		d := uint64(number(v, s.rdev))
		n.major, n.minor = uint32(d>>8)&0xfff|uint32(d>>32)&^0xfff, uint32(d)&0xff|uint32(d>>12)&^0xff
	}
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

// goMode is unixMode's inverse.
func goMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	if mode&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if mode&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
