//go:build linux

package shim

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// device is one of the nodes that every container has.
type device struct {
	name         string
	major, minor uint32
}

func devices() []device {
	return []device{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}
}

// mountDev makes /dev: a tmpfs in which devices do not work, with the standard nodes mounted on top one by one.
func (b *builder) mountDev() error {
	nodes, err := b.deviceNodes()
	if err != nil {
		return err
	}
	dev, err := b.place("/dev", "tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_STRICTATIME,
		option{"mode", "755"}, option{"size", "65536k"}, option{"source", "tmpfs"})
	if err != nil {
		return err
	}
	defer unix.Close(dev)
	for i, d := range devices() {
		target, err := touchAt(dev, d.name)
		if err != nil {
			return fmt.Errorf("make /dev/%s: %w", d.name, err)
		}
		if d.name == "null" {
			// Kept to mask files with: our own node, never the one that the container sees.
			if b.null, err = unix.FcntlInt(uintptr(nodes[i]), unix.F_DUPFD_CLOEXEC, 64); err != nil {
				return err
			}
		}
		if err := attach(nodes[i], target); err != nil {
			return fmt.Errorf("mount /dev/%s: %w", d.name, err)
		}
		b.mounted("/dev/"+d.name, "bind", d.name, "nosuid,noexec")
	}
	if err := deviceLinks(dev); err != nil {
		return err
	}
	if err := b.mountUnderDev(dev); err != nil {
		return err
	}
	if b.cfg.Process.Terminal {
		return b.openConsole(dev)
	}
	return nil
}

// deviceNodes gives one mount per device. Root makes its own nodes, so that a container can't change the host's; in a user
// namespace that is impossible, and the host's nodes belong to somebody whom the container can't be.
func (b *builder) deviceNodes() ([]int, error) {
	base := unix.AT_FDCWD
	prefix := "/dev/"
	if !b.cfg.Rootless {
		mnt, err := b.ownNodes()
		if err != nil {
			return nil, err
		}
		defer unix.Close(mnt)
		// On top of this mount comes the container's /dev.
		base, prefix = mnt, ""
	}
	var nodes []int
	for _, d := range devices() {
		mnt, err := clone(base, prefix+d.name, false)
		if err != nil {
			return nil, fmt.Errorf("take /dev/%s: %w", d.name, err)
		}
		if err := checkDevice(mnt, d); err != nil {
			return nil, err
		}
		nodes = append(nodes, mnt)
	}
	return nodes, nil
}

func (b *builder) ownNodes() (int, error) {
	mnt, err := newMount("tmpfs", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, option{"mode", "755"}, option{"size", "64k"})
	if err != nil {
		return -1, err
	}
	target, err := b.fixed("/dev")
	if err != nil {
		return -1, err
	}
	defer unix.Close(target)
	if err := unix.MoveMount(mnt, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return -1, fmt.Errorf("mount /dev: %w", err)
	}
	for _, d := range devices() {
		if err := unix.Mknodat(mnt, d.name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return -1, fmt.Errorf("make /dev/%s: %w", d.name, err)
		}
		if err := unix.Fchmodat(mnt, d.name, 0o666, 0); err != nil {
			return -1, fmt.Errorf("make /dev/%s: %w", d.name, err)
		}
	}
	return mnt, nil
}

func checkDevice(fd int, d device) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(d.major, d.minor) {
		return fmt.Errorf("take /dev/%s: it is not the device %d:%d", d.name, d.major, d.minor)
	}
	return nil
}

// touchAt makes an empty file to mount on and opens it.
func touchAt(dir int, name string) (int, error) {
	fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
	if err != nil {
		return -1, err
	}
	unix.Close(fd)
	return unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

func deviceLinks(dev int) error {
	for _, l := range [][2]string{{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
		{"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"}, {"pts/ptmx", "ptmx"}} {
		if err := unix.Symlinkat(l[0], dev, l[1]); err != nil {
			return fmt.Errorf("make /dev/%s: %w", l[1], err)
		}
	}
	return nil
}

func (b *builder) mountUnderDev(dev int) error {
	pts := []option{{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}}
	if b.cfg.Rootless && !groupMapped(5) {
		pts = pts[:3]
	}
	for _, m := range []struct {
		name, fstype string
		attrs        int
		options      []option
	}{
		{"pts", "devpts", unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC, pts},
		{"shm", "tmpfs", plainAttrs, []option{{"mode", "1777"}, {"size", "65536k"}}},
		{"mqueue", "mqueue", plainAttrs, nil},
	} {
		if err := unix.Mkdirat(dev, m.name, 0o755); err != nil {
			return fmt.Errorf("make /dev/%s: %w", m.name, err)
		}
		fd, err := b.place("/dev/"+m.name, m.fstype, m.attrs, m.options...)
		if err != nil {
			return err
		}
		if m.name == "pts" {
			b.pts = fd
			continue
		}
		unix.Close(fd)
	}
	return nil
}

// openConsole makes the container's terminal from its own devpts and puts it at /dev/console as well.
func (b *builder) openConsole(dev int) error {
	t, err := openTerminal(b.pts, "ptmx")
	if err != nil {
		return err
	}
	b.console = t
	target, err := touchAt(dev, "console")
	if err != nil {
		return fmt.Errorf("make /dev/console: %w", err)
	}
	mnt, err := clone(b.pts, strconv.Itoa(t.number), false)
	if err != nil {
		return fmt.Errorf("mount /dev/console: %w", err)
	}
	if err := attach(mnt, target); err != nil {
		return fmt.Errorf("mount /dev/console: %w", err)
	}
	b.mounted("/dev/console", "bind", "pts/"+strconv.Itoa(t.number), "")
	return nil
}
