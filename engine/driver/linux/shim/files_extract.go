//go:build linux

package shim

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/pack"
)

// fileTarget is a folder of a view that an archive is extracted to. It implements pack.Target. Each folder is opened by its whole path
// inside the root: nothing that a process of the container swaps meanwhile leads out of it.
type fileTarget struct {
	view     *view
	dir      string // absolute, without links when it was opened
	parent   string // folder that parentFD has open: entries come in runs of the same one
	parentFD int
	buf      []byte
}

// target opens the folder to extract to, whose links are followed.
func (v *view) target(name string) (*fileTarget, error) {
	fd, err := v.open(path.Clean("/"+name), unix.O_PATH, 0)
	if err != nil {
		return nil, pathError("open", name, noFolder(err))
	}
	t := &fileTarget{view: v, parent: ".", parentFD: fd}
	if err := t.check(); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return t, nil
}

func (t *fileTarget) check() error {
	var st unix.Stat_t
	if err := unix.Fstat(t.parentFD, &st); err != nil {
		return fmt.Errorf("stat folder: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return &pack.RefusedError{Msg: "extraction point is not a directory"}
	}
	var err error
	if t.dir, err = t.view.realName(t.parentFD); err != nil {
		return fmt.Errorf("name folder: %w", err)
	}
	if err := t.writable(t.parentFD, t.dir); err != nil {
		return err
	}
	var fst unix.Statfs_t
	if err := unix.Fstatfs(t.parentFD, &fst); err != nil {
		return fmt.Errorf("stat file system of %s: %w", t.dir, err)
	}
	if fst.Flags&unix.ST_RDONLY == 0 {
		return nil
	}
	if sameMount(t.parentFD, t.view.fd) {
		return &pack.RefusedError{Msg: rootReadOnly}
	}
	return &pack.RefusedError{Msg: volumeReadOnly}
}

// writable refuses folders that are not the container's own.
func (t *fileTarget) writable(fd int, name string) error {
	if t.view.files(fd) {
		return nil
	}
	return &pack.RefusedError{Msg: fmt.Sprintf("cannot copy to %q: what is in it is made by the kernel for the running container, and no file of it; "+
		"copy to another folder, or write to it with docker exec", name)}
}

func sameMount(a, b int) bool {
	var x, y unix.Statx_t
	return unix.Statx(a, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &x) == nil && unix.Statx(b, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &y) == nil && x.Mnt_id == y.Mnt_id
}

func (t *fileTarget) leave() {
	if t.parentFD >= 0 {
		unix.Close(t.parentFD)
	}
	t.parentFD = -1
}

// enter opens the folder that a name lies in.
func (t *fileTarget) enter(name string) (int, error) {
	dir := path.Dir(name)
	if dir == t.parent && t.parentFD >= 0 {
		return t.parentFD, nil
	}
	fd, err := t.view.open(path.Join(t.dir, dir), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, pathError("open", path.Join(t.dir, dir), err)
	}
	if err := t.writable(fd, path.Join(t.dir, dir)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	t.leave()
	t.parent, t.parentFD = dir, fd
	return fd, nil
}

// Lstat implements pack.Target.
func (t *fileTarget) Lstat(name string) (fs.FileMode, error) {
	dir, err := t.enter(name)
	if err != nil {
		return 0, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, path.Base(name), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, t.error("lstat", name, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fs.ModeDir, nil
	}
	return 0, nil // what else it is nobody asks
}

func (t *fileTarget) error(op, name string, err error) error {
	return pathError(op, path.Join(t.dir, name), err)
}

// Remove implements pack.Target.
func (t *fileTarget) Remove(name string) error {
	dir, err := t.enter(name)
	if err != nil {
		return err
	}
	return t.error("unlinkat", name, unix.Unlinkat(dir, path.Base(name), 0))
}

// Make implements pack.Target.
func (t *fileTarget) Make(h *tar.Header, content io.Reader) error {
	dir, err := t.enter(h.Name)
	if err != nil {
		return err
	}
	name := path.Base(h.Name)
	switch h.Typeflag {
	case tar.TypeReg:
		return t.file(dir, name, h, content)
	case tar.TypeDir:
		return t.error("mkdir", h.Name, unix.Mkdirat(dir, name, 0o700))
	case tar.TypeLink:
		return t.link(dir, name, h)
	case tar.TypeSymlink:
		err = unix.Symlinkat(h.Linkname, dir, name)
	default:
		kind := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}[h.Typeflag]
		err = unix.Mknodat(dir, name, kind|uint32(h.Mode&0o7777), int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))))
	}
	if err != nil {
		return t.error("create", h.Name, err)
	}
	if err := unix.Fchownat(dir, name, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return t.error("lchown", h.Name, err)
	}
	return t.error("chtimes", h.Name, unix.UtimesNanoAt(dir, name, timesOf(h), unix.AT_SYMLINK_NOFOLLOW))
}

func timesOf(h *tar.Header) []unix.Timespec {
	at := unix.Timespec{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())}
	return []unix.Timespec{at, at}
}

// link makes a further name of a file of the same archive. It is looked for as a name: what has it and leads elsewhere is linked itself.
func (t *fileTarget) link(dir int, name string, h *tar.Header) error {
	from, err := t.view.open(path.Join(t.dir, path.Dir(h.Linkname)), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return t.error("link", h.Linkname, err)
	}
	defer unix.Close(from)
	if err := t.writable(from, path.Join(t.dir, path.Dir(h.Linkname))); err != nil {
		return err
	}
	return t.error("link", h.Name, unix.Linkat(from, path.Base(h.Linkname), dir, name, 0))
}

func (t *fileTarget) file(dir int, name string, h *tar.Header, content io.Reader) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(h.Mode&0o777))
	if err != nil {
		return t.error("open", h.Name, err)
	}
	defer unix.Close(fd)
	if h.Size > 0 {
		if t.buf == nil {
			t.buf = make([]byte, 256<<10)
		}
		if _, err := io.CopyBuffer(pack.Descriptor(fd), struct{ io.Reader }{content}, t.buf); err != nil {
			return t.error("write", h.Name, err)
		}
	}
	if err := dress(fd, h); err != nil {
		return t.error("set attributes of", h.Name, err)
	}
	return t.error("chtimes", h.Name, unix.UtimesNanoAt(dir, name, timesOf(h), unix.AT_SYMLINK_NOFOLLOW))
}

// dress gives an open file its owner, mode and attributes, as far as it has others: each change costs the disk something. The owner comes
// first: changing it takes setuid and capabilities away.
func dress(fd int, h *tar.Header) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	changed := int(st.Uid) != h.Uid || int(st.Gid) != h.Gid
	if changed {
		if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
			return fmt.Errorf("give to owner %d:%d: %w", h.Uid, h.Gid, err)
		}
	}
	if mode := uint32(h.Mode & 0o7777); changed || st.Mode&0o7777 != mode {
		if err := unix.Fchmod(fd, mode); err != nil {
			return err
		}
	}
	return pack.Xattrs(h, func(name, value string) error {
		err := unix.Fsetxattr(fd, name, []byte(value), 0)
		if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
			return nil // this file system or user can't keep it
		}
		return err
	})
}

// Dress implements pack.Target.
func (t *fileTarget) Dress(h *tar.Header) error {
	dir, err := t.enter(h.Name)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(dir, path.Base(h.Name), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // somebody put something else there
	}
	if err != nil {
		return t.error("open", h.Name, err)
	}
	defer unix.Close(fd)
	if err := dress(fd, h); err != nil {
		return t.error("set attributes of", h.Name, err)
	}
	return t.error("chtimes", h.Name, unix.UtimesNanoAt(fd, ".", timesOf(h), 0))
}
