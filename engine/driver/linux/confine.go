//go:build linux

package linux

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Bounds are what a confined process may use. Zero leaves a bound as it is.
type Bounds struct {
	CPU       uint64 // seconds
	Memory    uint64 // bytes of data
	Addresses uint64 // bytes of address space
	FileSize  uint64 // bytes of one file
	Processes uint64 // threads, too; only in a user namespace of its own, where nobody else's count
}

// Apart is how a process is started that Confine is to be called in: a user namespace in which the caller is root of nothing but his own files, and
// networks, processes and messages of its own. A system may refuse it when the process is started.
func Apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
}

// Confine makes root all that this process, started by Apart, can see of the file system, bounds what it uses and brings its loopback up. lent are files from
// outside that it sees, and can't change, in place of empty ones that stand ready: source by target. There is no way back.
func Confine(root string, lent map[string]string, b Bounds) error {
	if os.Getpid() != 1 {
		return errors.New("confine process: it is not in namespaces of its own; Apart starts one that is")
	}
	if err := loopback(); err != nil {
		return fmt.Errorf("confine process: bring loopback up: %w", err)
	}
	for target, source := range lent {
		if err := lend(source, target); err != nil {
			return fmt.Errorf("confine process: lend it %s: %w", source, err)
		}
	}
	if err := syscall.Chroot(root); err != nil {
		return fmt.Errorf("confine process to %s: %w", root, err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("confine process to %s: %w", root, err)
	}
	for _, l := range []struct {
		name  string
		which int
		value uint64
	}{
		{"CPU time", unix.RLIMIT_CPU, b.CPU}, {"memory", unix.RLIMIT_DATA, b.Memory}, {"address space", unix.RLIMIT_AS, b.Addresses},
		{"file size", unix.RLIMIT_FSIZE, b.FileSize}, {"processes", unix.RLIMIT_NPROC, b.Processes},
	} {
		if err := lower(l.which, l.value); err != nil {
			return fmt.Errorf("confine process: bound %s: %w", l.name, err)
		}
	}
	return nil
}

// lower sets a limit, unless a smaller one is in force already, which can't be raised.
func lower(which int, value uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(which, &now); err != nil || value == 0 {
		return err
	}
	value = min(value, now.Max)
	return unix.Setrlimit(which, &unix.Rlimit{Cur: value, Max: value})
}

func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// lend mounts a file over another one, for reading only. What the file system below forbids has to stay forbidden.
func lend(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(target, &fs); err != nil {
		return err
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY)
	for _, f := range []struct{ is, keep uintptr }{
		{unix.ST_NOSUID, unix.MS_NOSUID}, {unix.ST_NODEV, unix.MS_NODEV}, {unix.ST_NOEXEC, unix.MS_NOEXEC},
		{unix.ST_NOATIME, unix.MS_NOATIME}, {unix.ST_NODIRATIME, unix.MS_NODIRATIME}, {unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if uintptr(fs.Flags)&f.is != 0 {
			flags |= f.keep
		}
	}
	return unix.Mount("", target, "", flags, "")
}

// Room is how many bytes may still be written below dir; 0 if that can't be told.
func Room(dir string) uint64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Bsize < 0 {
		return 0
	}
	return fs.Bavail * uint64(fs.Bsize)
}
