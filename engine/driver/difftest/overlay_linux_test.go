package difftest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/home"
)

// linuxSide is the linux driver's side.
func linuxSide(t testing.TB, dir string) *side {
	t.Helper()
	h, err := home.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	layers := linux.NewLayers(h, linux.Mode{})
	snaps := linux.NewSnapshots(h, linux.Mode{}, layers)
	return &side{name: "linux", layers: layers, snapshots: snaps, open: func(key string) (tree, func() error, error) {
		lowers, upper, work, _, err := snaps.RootMount(key)
		if err != nil {
			return nil, nil, err
		}
		fd, err := mountOverlay(lowers, upper, work)
		if err != nil {
			return nil, nil, err
		}
		done := func() error { return errors.Join(unix.Close(fd), stampAll(upper)) }
		return overlay{fd}, done, nil
	}}
}

// mountOverlay mounts as the driver does, attached nowhere: the mount ends with its descriptor, however the test ends.
func mountOverlay(lowers []string, upper, work string) (int, error) {
	// The mark that a volatile mount leaves, which forbids the next one.
	if err := os.RemoveAll(filepath.Join(work, "work", "incompat")); err != nil {
		return -1, err
	}
	ctx, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("mount overlay: %w", err)
	}
	defer unix.Close(ctx)
	options := [][2]string{{"upperdir", upper}, {"workdir", work}, {"source", "overlay"}}
	for _, dir := range lowers {
		options = append(options, [2]string{"lowerdir+", dir})
	}
	for _, o := range options {
		if err := unix.FsconfigSetString(ctx, o[0], o[1]); err != nil {
			return -1, fmt.Errorf("mount overlay: option %s=%s: %w", o[0], o[1], err)
		}
	}
	if err := unix.FsconfigSetFlag(ctx, "volatile"); err != nil {
		return -1, fmt.Errorf("mount overlay: option volatile: %w", err)
	}
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, fmt.Errorf("mount overlay: %w", err)
	}
	fd, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return -1, fmt.Errorf("mount overlay: %w", err)
	}
	return fd, nil
}

// stampAll gives everything below dir that the kernel has given a time of its own the stamp.
func stampAll(dir string) error {
	return filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		if !time.Unix(st.Mtim.Unix()).After(stamp()) {
			return nil
		}
		ts := unix.NsecToTimespec(stamp().UnixNano())
		return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// overlay is a mounted file system as package fsys sees one.
type overlay struct{ fd int }

func (o overlay) Lstat(name string) (fsys.Attr, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(o.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fsys.Attr{}, err
	}
	return attrOf(&st), nil
}

func attrOf(st *unix.Stat_t) fsys.Attr {
	return fsys.Attr{Kind: kindOf(st.Mode), Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid), Size: st.Size, Links: int(st.Nlink),
		Inode: st.Ino, Rdev: st.Rdev, Mtime: time.Unix(st.Mtim.Unix()), Ctime: time.Unix(st.Ctim.Unix()), Atime: time.Unix(st.Atim.Unix())}
}

func kindOf(mode uint32) fsys.Kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return fsys.Dir
	case unix.S_IFLNK:
		return fsys.Symlink
	case unix.S_IFCHR:
		return fsys.CharDevice
	case unix.S_IFBLK:
		return fsys.BlockDevice
	case unix.S_IFIFO:
		return fsys.Pipe
	case unix.S_IFSOCK:
		return fsys.Socket
	default:
		return fsys.File
	}
}

// modeOf is the type part of a mode.
func modeOf(k fsys.Kind) uint32 {
	switch k {
	case fsys.CharDevice:
		return unix.S_IFCHR
	case fsys.BlockDevice:
		return unix.S_IFBLK
	case fsys.Pipe:
		return unix.S_IFIFO
	default:
		return unix.S_IFSOCK
	}
}

func (o overlay) ReadDir(name string) ([]fsys.Dirent, error) {
	fd, err := unix.Openat(o.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	sort.Strings(names)
	var list []fsys.Dirent
	for _, n := range names {
		var st unix.Stat_t
		err := unix.Fstatat(fd, n, &st, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.ENOENT { // the mark of a whiteout with nothing below, which the kernel lists in a folder of one layer only
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, fsys.Dirent{Name: n, Kind: kindOf(st.Mode)})
	}
	return list, err
}

func (o overlay) Readlink(name string) (string, error) {
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(o.fd, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

func (o overlay) Open(name string, how fsys.How) (fsys.Handle, error) {
	flags := unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	if how.Write {
		flags |= unix.O_RDWR
	}
	if how.Truncate {
		flags |= unix.O_TRUNC
	}
	fd, err := unix.Openat(o.fd, name, flags, 0)
	if err != nil {
		return nil, err
	}
	return handle{fd}, nil
}

func (o overlay) Make(name string, n fsys.New) (err error) {
	switch n.Kind {
	case fsys.File:
		var fd int
		if fd, err = unix.Openat(o.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, n.Mode); err == nil {
			err = unix.Close(fd)
		}
	case fsys.Dir:
		err = unix.Mkdirat(o.fd, name, n.Mode)
	case fsys.Symlink:
		err = unix.Symlinkat(n.Target, o.fd, name)
	default:
		err = unix.Mknodat(o.fd, name, modeOf(n.Kind)|n.Mode, int(n.Rdev))
	}
	if err != nil {
		return err
	}
	return o.dress(name, n)
}

// dress gives a new inode the owner and mode that were asked for, but for what a set-group-ID folder hands on.
func (o overlay) dress(name string, n fsys.New) error {
	made, err := o.Lstat(name)
	if err != nil {
		return err
	}
	dir, err := o.Lstat(path.Dir(name))
	if err != nil {
		return err
	}
	if dir.Mode&unix.S_ISGID != 0 {
		n.GID = made.GID
	}
	if n.Kind == fsys.Dir {
		n.Mode |= made.Mode & unix.S_ISGID
	}
	c := fsys.Change{UID: &n.UID, GID: &n.GID}
	if n.Kind != fsys.Symlink {
		c.Mode = &n.Mode
	}
	return o.Set(name, c)
}

func (o overlay) Link(existing, name string) error { return unix.Linkat(o.fd, existing, o.fd, name, 0) }
func (o overlay) Remove(name string) error         { return unix.Unlinkat(o.fd, name, 0) }
func (o overlay) RemoveDir(name string) error      { return unix.Unlinkat(o.fd, name, unix.AT_REMOVEDIR) }
func (o overlay) Rename(from, to string) error     { return unix.Renameat(o.fd, from, o.fd, to) }

// Set changes the owner first and then the mode, which a change of owner takes bits from.
func (o overlay) Set(name string, c fsys.Change) error {
	if c.UID != nil && c.GID != nil {
		if err := unix.Fchownat(o.fd, name, *c.UID, *c.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if c.Mode != nil {
		if err := unix.Fchmodat(o.fd, name, *c.Mode, 0); err != nil {
			return err
		}
	}
	if c.Mtime == nil {
		return nil
	}
	ts := unix.NsecToTimespec(c.Mtime.UnixNano())
	return unix.UtimesNanoAt(o.fd, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

func (o overlay) host(name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", o.fd, name) }

func (o overlay) Xattr(name string) (map[string]string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(o.host(name), buf)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for attr := range strings.SplitSeq(strings.TrimRight(string(buf[:n]), "\x00"), "\x00") {
		if attr == "" || strings.HasPrefix(attr, "security.") && attr != "security.capability" { // the machine's own policy
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(o.host(name), attr, value)
		if err != nil {
			return nil, err
		}
		all[attr] = string(value[:n])
	}
	return all, nil
}

func (o overlay) SetXattr(name, attr, value string) error {
	return unix.Lsetxattr(o.host(name), attr, []byte(value), 0)
}

func (o overlay) RemoveXattr(name, attr string) error { return unix.Lremovexattr(o.host(name), attr) }

// handle is an open file of an overlay.
type handle struct{ fd int }

func (h handle) ReadAt(p []byte, off int64) (int, error) {
	n, err := unix.Pread(h.fd, p, off)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return max(n, 0), err
}

func (h handle) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 {
		a, err := h.Attr()
		if err != nil {
			return 0, err
		}
		off = a.Size
	}
	return unix.Pwrite(h.fd, p, off)
}

func (h handle) Truncate(size int64) error { return unix.Ftruncate(h.fd, size) }

func (h handle) Attr() (fsys.Attr, error) {
	var st unix.Stat_t
	if err := unix.Fstat(h.fd, &st); err != nil {
		return fsys.Attr{}, err
	}
	return attrOf(&st), nil
}

func (h handle) Close() error { return unix.Close(h.fd) }

// room is a folder for a home in memory where there is one, that no test leaves behind.
func room(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "difftest-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// sides makes both drivers, or says what is lacking.
func sides(t testing.TB) [2]*side {
	t.Helper()
	if os.Geteuid() != 0 || linux.Detect().Rootless {
		lacks(t, "needs root: overlay keeps its marks where only root reaches them")
	}
	dir := room(t)
	if err := tryOverlay(filepath.Join(dir, "try")); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENODEV) {
		lacks(t, "needs Linux 6.7 and the right to mount: "+err.Error())
	} else if err != nil {
		t.Fatal(err)
	}
	return [2]*side{linuxSide(t, filepath.Join(dir, "linux")), simSide(t, filepath.Join(dir, "sim"))}
}

func tryOverlay(dir string) error {
	lower, upper, work := filepath.Join(dir, "lower"), filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{lower, upper, work} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	fd, err := mountOverlay([]string{lower}, upper, work)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// lacks skips a test for what the machine does not have or allow; under CI, where it must, that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
