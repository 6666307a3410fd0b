//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// sendConsole gives a terminal to whoever listens at a socket, in the form that runc and crun use: the descriptor, with a name as the data.
func sendConsole(socket string, master int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("send terminal: %w", err)
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: socket})
	if errors.Is(err, unix.EINVAL) { // a long path
		err = connectLong(fd, socket)
	}
	if err == nil {
		err = unix.Sendmsg(fd, []byte("/dev/ptmx"), unix.UnixRights(master), nil, 0)
	}
	if err != nil {
		return fmt.Errorf("send terminal to %s: %w", socket, err)
	}
	return nil
}

func connectLong(fd int, socket string) error {
	at, err := unix.Open(socket, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: socket, Err: err}
	}
	defer unix.Close(at)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d", at)})
}
