//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// ownDev reports whether /dev is the container's to fill, not a folder of somebody else's.
func (b *builder) ownDev() bool {
	for _, m := range b.spec.Mounts {
		o, _ := parseOptions(m.Options)
		if path.Clean(m.Destination) == "/dev" && (o.bind || m.Type == "bind") {
			return false
		}
	}
	return true
}

// fillDev makes the devices and links that the specification demands, and those that the config names.
func (b *builder) fillDev() error {
	if !b.ownDev() {
		return nil
	}
	var list []specs.LinuxDevice
	for _, d := range standard.Devices() {
		list = append(list, specs.LinuxDevice{Path: "/dev/" + d.Name, Type: "c", Major: int64(d.Major), Minor: int64(d.Minor)})
	}
	for _, d := range append(list, b.spec.Linux.Devices...) {
		if err := b.device(&d); err != nil {
			return fmt.Errorf("make device %s: %w", d.Path, err)
		}
	}
	for _, l := range standard.Links() {
		if err := b.link(l.Target, "/dev/"+l.Name); err != nil {
			return fmt.Errorf("make /dev/%s: %w", l.Name, err)
		}
	}
	return b.multiplexer()
}

// multiplexer makes /dev/ptmx lead to the container's own terminals, whatever the image has there.
func (b *builder) multiplexer() error {
	dev, err := b.root.EnsureDir("/dev", 0)
	if err != nil {
		return err
	}
	defer unix.Close(dev)
	if err := unix.Unlinkat(dev, "ptmx", 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("make /dev/ptmx: %w", err)
	}
	if err := unix.Symlinkat("pts/ptmx", dev, "ptmx"); err != nil {
		return fmt.Errorf("make /dev/ptmx: %w", err)
	}
	return nil
}

func (b *builder) link(target, at string) error {
	dir, err := b.root.EnsureDir(path.Dir(at), 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	err = unix.Symlinkat(target, dir, path.Base(at))
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func (b *builder) device(d *specs.LinuxDevice) error {
	mode, err := deviceMode(d)
	if err != nil {
		return err
	}
	dir, err := b.root.EnsureDir(path.Dir(path.Clean(d.Path)), 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	name := path.Base(d.Path)
	dev := unix.Mkdev(uint32(d.Major), uint32(d.Minor))
	err = unix.Mknodat(dir, name, mode, int(dev))
	if errors.Is(err, unix.EEXIST) {
		return b.sameDevice(dir, name, mode, dev)
	}
	if errors.Is(err, unix.EPERM) && mode&unix.S_IFMT != unix.S_IFIFO {
		return b.bindDevice(d, mode, dev)
	}
	if err != nil {
		return err
	}
	if d.UID != nil || d.GID != nil {
		if err := unix.Fchownat(dir, name, idOf(d.UID), idOf(d.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	return unix.Fchmodat(dir, name, mode&0o7777, 0)
}

func idOf(id *uint32) int {
	if id == nil {
		return 0
	}
	return int(*id)
}

func (b *builder) sameDevice(dir int, name string, mode uint32, dev uint64) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != mode&unix.S_IFMT || mode&unix.S_IFMT != unix.S_IFIFO && st.Rdev != dev {
		return errors.New("something else is there")
	}
	return nil
}

// bindDevice serves user namespaces, in which no device can be made: the host's is mounted, after a look at what it is.
func (b *builder) bindDevice(d *specs.LinuxDevice, mode uint32, dev uint64) error {
	mnt, err := shim.Clone(unix.AT_FDCWD, d.Path, false)
	if err != nil {
		return &os.PathError{Op: "bind", Path: d.Path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(mnt, &st); err != nil || st.Mode&unix.S_IFMT != mode&unix.S_IFMT || st.Rdev != dev {
		unix.Close(mnt)
		return fmt.Errorf("the host's %s is not the device %d:%d", d.Path, d.Major, d.Minor)
	}
	return b.put(mnt, false, d.Path, mountOptions{})
}

// mask hides what linux.maskedPaths names.
func (b *builder) mask(p string) error {
	target, err := b.root.Open(p, unix.O_PATH, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(target, &st); err != nil {
		return errors.Join(err, unix.Close(target))
	}
	var mnt int
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		mnt, err = shim.NewMount("tmpfs", unix.MOUNT_ATTR_RDONLY, shim.KeyValue("size", "0k"))
	} else {
		mnt, err = b.null()
	}
	if err != nil {
		return errors.Join(err, unix.Close(target))
	}
	return shim.Attach(mnt, target)
}

// null mounts the host's /dev/null, which the container had no chance to replace.
func (b *builder) null() (int, error) {
	mnt, err := shim.Clone(unix.AT_FDCWD, "/dev/null", false)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(mnt, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		unix.Close(mnt)
		return -1, errors.New("the host's /dev/null is not that device")
	}
	return mnt, nil
}

// seal makes what linux.readonlyPaths names read-only.
func (b *builder) seal(p string) error {
	target, err := b.root.Open(p, unix.O_PATH, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	mnt, err := shim.Clone(target, "", true)
	if err != nil {
		return errors.Join(err, unix.Close(target))
	}
	if err := setAttributes(mnt, mountOptions{rset: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return errors.Join(err, unix.Close(mnt), unix.Close(target))
	}
	return shim.Attach(mnt, target)
}

// console makes the container's terminal from its own devpts, and shows it as /dev/console.
func (b *builder) console() (master, slave int, err error) {
	pts, err := b.root.Open("/dev/pts", unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return -1, -1, fmt.Errorf("a terminal needs a devpts file system mounted at /dev/pts: %w", err)
	}
	defer unix.Close(pts)
	master, slave, n, err := shim.Terminal(pts, "ptmx")
	if err != nil {
		return -1, -1, err
	}
	mnt, err := shim.Clone(pts, strconv.Itoa(n), false)
	if err == nil {
		err = b.put(mnt, false, filepath.Join("/dev", "console"), mountOptions{})
	}
	if err != nil {
		closeAll([]int{master, slave})
		return -1, -1, fmt.Errorf("make /dev/console: %w", err)
	}
	return master, slave, nil
}
