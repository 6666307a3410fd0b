//go:build linux

package rootnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// folder is where the cables of a network are.
type folder struct{ *os.File }

// openFolder makes it, if need be.
func openFolder(path string) (folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return folder{}, err
	}
	f, err := os.Open(path)
	return folder{f}, err
}

// address is a socket's there: by way of /proc, for a path of the home may have more than the 107 bytes that an address can (unix(7)).
func (d folder) address(name string) *unix.SockaddrUnix {
	return &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) + "/" + name}
}

// members are the names of the cables there.
func (d folder) members() (names []string, err error) {
	entries, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(int(d.Fd())))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if isCable(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// locked does something that no other supervisor does meanwhile.
func (d folder) locked(do func() error) error {
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(int(d.Fd())), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		if err = unix.Flock(fd, unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return err
	}
	return do()
}

// listen makes a cable, and tells whether it is the only one. It takes the place of one whose supervisor died.
func (d folder) listen(name string) (f *os.File, alone bool, err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, false, os.NewSyscallError("socket", err)
	}
	err = d.locked(func() error {
		if err := d.removeStale(name); err != nil {
			return err
		}
		if alone, err = d.deserted(); err != nil {
			return err
		}
		return os.NewSyscallError("bind", unix.Bind(fd, d.address(name)))
	})
	if err != nil {
		_ = unix.Close(fd)
		return nil, false, err
	}
	return os.NewFile(uintptr(fd), name), alone, nil
}

// errTaken: a supervisor that lives has the cable.
var errTaken = errors.New("its MAC address is in use there")

// removeStale removes a socket that nobody reads any more. The folder is locked.
func (d folder) removeStale(name string) error {
	fd, err := d.dial(name)
	switch {
	case err == nil:
		_ = unix.Close(fd)
		return errTaken
	case errors.Is(err, unix.ECONNREFUSED):
		return d.remove(name)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// deserted removes the sockets of all who are dead, and reports whether nobody is left. The folder is locked.
func (d folder) deserted() (bool, error) {
	names, err := d.members()
	nobody := err == nil
	for _, name := range names {
		nobody = d.removeStale(name) == nil && nobody
	}
	return nobody, err
}

func (d folder) remove(name string) error {
	err := unix.Unlinkat(int(d.Fd()), name, 0)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// dial connects to a cable: ECONNREFUSED if its supervisor is dead, ENOENT if there is none.
func (d folder) dial(name string) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, d.address(name)); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
