//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openSelf opens the engine's binary so that what runs from the descriptor can't write to it, whatever powers it has: a
// program in a container reaches the binary of a stage through /proc/PID/exe (CVE-2019-5736). A read-only mount of its own
// costs microseconds; where the file has no name any more, a sealed copy in memory does.
func openSelf() (int, error) {
	fd, err := selfMount()
	if err != nil {
		fd, err = selfCopy()
	}
	if err != nil {
		return -1, fmt.Errorf("open own binary: %w", err)
	}
	return dupHigh(fd)
}

func selfMount() (int, error) {
	name, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return -1, err
	}
	mnt, err := clone(unix.AT_FDCWD, name, false)
	if err != nil {
		return -1, err
	}
	var named, running unix.Stat_t
	err = errors.Join(unix.Fstat(mnt, &named), unix.Stat("/proc/self/exe", &running))
	if err == nil && (named.Dev != running.Dev || named.Ino != running.Ino) {
		err = errors.New("the file was replaced")
	}
	if err == nil {
		err = setAttrs(mnt, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV, false)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(mnt))
	}
	return mnt, nil
}

func selfCopy() (int, error) {
	src, err := os.Open("/proc/self/exe")
	if err != nil {
		return -1, err
	}
	defer src.Close()
	fd, err := unix.MemfdCreate("learn", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, err
	}
	for {
		n, err := unix.Sendfile(fd, int(src.Fd()), nil, 1<<30)
		if err != nil {
			return -1, errors.Join(err, unix.Close(fd))
		}
		if n == 0 {
			break
		}
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// openOwnBinary opens what the calling stage was executed from: the descriptor of its supervisor's openSelf. The host's /proc must be in sight.
func openOwnBinary() (int, error) {
	fd, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, pathError("open", "own binary", err)
	}
	return dupHigh(fd)
}
