//go:build linux

package shim

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// borrowShm makes a further mount of the /dev/shm that belongs to the shared IPC namespace: the host's, or another container's. -1: the
// container has its own.
func (b *builder) borrowShm() (int, error) {
	switch {
	case b.cfg.Spaces.IPC.Host:
		fd, err := clone(unix.AT_FDCWD, "/dev/shm", false)
		return fd, pathError("share", "/dev/shm", err)
	case b.mountsOf >= 0:
		fd, err := shmOf(b.mountsOf)
		if err != nil {
			return -1, fmt.Errorf("share /dev/shm of the other container: %w", err)
		}
		return fd, nil
	}
	return -1, nil
}

// shmOf goes into another mount namespace for a moment, since only what is mounted in the own one can be mounted again.
func shmOf(namespace int) (int, error) {
	own, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(own)
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return -1, err
	}
	if err := unix.Setns(namespace, unix.CLONE_NEWNS); err != nil {
		return -1, joinHint(err)
	}
	mnt, err := shmHere()
	return mnt, errors.Join(err, unix.Setns(own, unix.CLONE_NEWNS))
}

// shmHere trusts nothing of what the other container may have put in the place.
func shmHere() (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, "/dev/shm", &how)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	if !magic(fd, unix.TMPFS_MAGIC) {
		return -1, errors.New("it is no file system in memory there")
	}
	return clone(fd, "", false)
}

func (b *builder) placeShm(name string) error {
	target, err := b.fixed(name)
	if err != nil {
		return err
	}
	if err := setAttrs(b.shm, plainAttrs, false); err != nil {
		return fmt.Errorf("set attributes of %s: %w", name, err)
	}
	if err := attach(b.shm, target); err != nil {
		return fmt.Errorf("mount %s: %w", name, err)
	}
	b.mounted(name, "bind", name, strings.Join(standard.Plain.Words(), ","))
	return nil
}
