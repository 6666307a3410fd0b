//go:build linux

package shim

import (
	"errors"
	"fmt"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// mountDev makes /dev: a tmpfs in which devices do not work, with the standard nodes mounted on top one by one.
func (b *builder) mountDev() error {
	nodes, err := b.deviceNodes()
	if err != nil {
		return err
	}
	m := standard.Dev()
	if b.cfg.Root.Nodes {
		m.Flags &^= standard.NoDev
	}
	dev, err := b.placeStandard(m)
	if err != nil {
		return err
	}
	defer unix.Close(dev)
	for i, d := range standard.Devices() {
		target, err := touchAt(dev, d.Name)
		if err != nil {
			return fmt.Errorf("make /dev/%s: %w", d.Name, err)
		}
		if d.Name == "null" {
			// Kept to mask files with: our own node, never the one that the container sees.
			if b.null, err = unix.FcntlInt(uintptr(nodes[i]), unix.F_DUPFD_CLOEXEC, 64); err != nil {
				return err
			}
		}
		if err := attach(nodes[i], target); err != nil {
			return fmt.Errorf("mount /dev/%s: %w", d.Name, err)
		}
		b.mounted("/dev/"+d.Name, "bind", d.Name, standard.DeviceOptions)
	}
	if err := deviceLinks(dev); err != nil {
		return err
	}
	if err := b.mountUnderDev(dev); err != nil {
		return err
	}
	if b.cfg.Process.Terminal {
		if err := b.openConsole(dev); err != nil {
			return err
		}
	}
	return b.addDevices()
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
	for _, d := range standard.Devices() {
		mnt, err := clone(base, prefix+d.Name, false)
		if err != nil {
			return nil, fmt.Errorf("take /dev/%s: %w", d.Name, err)
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
	for _, d := range standard.Devices() {
		if err := unix.Mknodat(mnt, d.Name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.Major, d.Minor))); err != nil {
			return -1, fmt.Errorf("make /dev/%s: %w", d.Name, err)
		}
		if err := unix.Fchmodat(mnt, d.Name, 0o666, 0); err != nil {
			return -1, fmt.Errorf("make /dev/%s: %w", d.Name, err)
		}
	}
	return mnt, nil
}

func checkDevice(fd int, d standard.Device) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(d.Major, d.Minor) {
		return fmt.Errorf("take /dev/%s: it is not the device %d:%d", d.Name, d.Major, d.Minor)
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
	for _, l := range standard.Links() {
		if err := unix.Symlinkat(l.Target, dev, l.Name); err != nil {
			return fmt.Errorf("make /dev/%s: %w", l.Name, err)
		}
	}
	return nil
}

func (b *builder) mountUnderDev(dev int) error {
	for i, m := range standard.UnderDev(b.cfg.ShmBytes) {
		if m.Target == "/dev/shm" && b.cfg.NoShm {
			continue
		}
		if i == 0 && b.cfg.Rootless && !groupMapped(5) {
			m.Options = m.Options[:len(m.Options)-1]
		}
		if err := unix.Mkdirat(dev, path.Base(m.Target), 0o755); err != nil {
			return fmt.Errorf("make %s: %w", m.Target, err)
		}
		if m.Target == "/dev/shm" && b.shm >= 0 {
			if err := b.placeShm(m.Target); err != nil {
				return err
			}
			continue
		}
		fd, err := b.placeStandard(m)
		if errors.Is(err, unix.EPERM) && m.Type == "mqueue" && b.cfg.Rootless && !b.cfg.Spaces.IPC.Own() {
			if err := b.bindQueues(m.Target); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if i == 0 {
			b.pts = fd
			continue
		}
		unix.Close(fd)
	}
	return nil
}

// bindQueues serves a user namespace that shares the message queues of an outer one: the kernel makes no fresh view of them for it. Where the
// host shows none, they are there for programs all the same (mq_overview(7)).
func (b *builder) bindQueues(name string) error {
	target, err := b.fixed(name)
	if err != nil {
		return err
	}
	err = bind(name, target, false)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil {
		b.mounted(name, "bind", name, standard.BindOptions(false))
	}
	return err
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
