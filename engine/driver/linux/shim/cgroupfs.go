//go:build linux

package shim

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// mountCgroups shows the container its own control groups and no others, read-only: a writable one is a way out of the
// container, which only a privileged one may have. Version 2 takes the whole folder where it is alone, otherwise each hierarchy gets a folder of its own.
func (b *builder) mountCgroups() error {
	if len(b.groups) == 0 {
		return nil
	}
	attrs := plainAttrs | unix.MOUNT_ATTR_RDONLY
	if b.cfg.Privileged {
		attrs = plainAttrs
	}
	if len(b.groups) == 1 && b.groups[0] == "unified" {
		fd, err := b.place("/sys/fs/cgroup", "cgroup2", attrs)
		if err != nil {
			return b.tolerate(err)
		}
		return unix.Close(fd)
	}
	dir, err := b.place("/sys/fs/cgroup", "tmpfs", plainAttrs, option{"mode", "755"}, option{"size", "64k"})
	if err != nil {
		return b.tolerate(err)
	}
	defer unix.Close(dir)
	for _, name := range b.groups {
		if err := b.mountHierarchy(dir, name, attrs); err != nil && b.tolerate(err) != nil {
			return err
		}
	}
	if err := setAttrs(dir, unix.MOUNT_ATTR_RDONLY, false); err != nil {
		return fmt.Errorf("make /sys/fs/cgroup read-only: %w", err)
	}
	return nil
}

// tolerate forgives a missing view of control groups in a user namespace, where the kernel may refuse it.
func (b *builder) tolerate(err error) error {
	if b.cfg.Rootless {
		return nil
	}
	return err
}

func (b *builder) mountHierarchy(dir int, name string, attrs int) error {
	if err := unix.Mkdirat(dir, path.Base(name), 0o755); err != nil {
		return fmt.Errorf("make /sys/fs/cgroup/%s: %w", name, err)
	}
	fstype, options := "cgroup2", []option(nil)
	if name != "unified" {
		fstype = "cgroup"
		for _, c := range strings.Split(name, ",") {
			options = append(options, option{key: c})
		}
	}
	fd, err := b.place("/sys/fs/cgroup/"+name, fstype, attrs, options...)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
