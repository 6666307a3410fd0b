//go:build linux

package shim

import (
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// addDevices makes the nodes of the devices that the container's owner gave it. In a user namespace none can be made, so the host's are mounted.
func (b *builder) addDevices() error {
	add := b.makeNode
	if b.cfg.Rootless {
		add = b.bindNode
	}
	defer unix.Umask(unix.Umask(0)) // their permissions are exactly the host's
	group := 0
	for _, d := range b.cfg.Devices {
		if err := add(&d); err != nil {
			return fmt.Errorf("add device %s: %w", d.Target, err)
		}
		if d.Access == "" {
			group++
			continue
		}
		b.log.Fact(vocab.DeviceAdd, trace.String("container", b.cfg.ID), trace.String("path", d.Target), trace.String("source", d.Source), trace.String("access", d.Access))
	}
	if group > 0 {
		b.log.Fact(vocab.DeviceAdd, trace.String("container", b.cfg.ID), trace.String("path", "/dev"), trace.String("source", "/dev"), trace.String("access", "rwm"))
	}
	return nil
}

// makeNode makes the node through its open parent, whatever somebody does to the path meanwhile.
func (b *builder) makeNode(d *Device) error {
	dir, err := b.root.ensureDir(path.Dir(d.Target), 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	kind := uint32(unix.S_IFCHR)
	if d.Block {
		kind = unix.S_IFBLK
	}
	name, number := path.Base(d.Target), unix.Mkdev(d.Major, d.Minor)
	err = unix.Mknodat(dir, name, kind|d.Mode&0o777, int(number))
	if errors.Is(err, unix.EEXIST) {
		var st unix.Stat_t
		if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == kind && st.Rdev == number {
			return nil // a standard one, or the image's
		}
		if err = unix.Unlinkat(dir, name, 0); err == nil {
			err = unix.Mknodat(dir, name, kind|d.Mode&0o777, int(number))
		}
	}
	if err != nil {
		return err
	}
	return unix.Fchownat(dir, name, int(d.UID), int(d.GID), unix.AT_SYMLINK_NOFOLLOW)
}

func (b *builder) bindNode(d *Device) error {
	var mnt int
	fd, err := unix.Open(d.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open", d.Source, err)
	}
	defer unix.Close(fd)
	if mnt, err = clone(fd, "", false); err != nil {
		return err
	}
	target, err := b.root.ensureFile(d.Target)
	if err != nil {
		unix.Close(mnt)
		return err
	}
	return attach(mnt, target)
}
