//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// stageEnv is all the environment of a stage.
func stageEnv(name string, conn int) []string {
	return []string{shim.StageVariable + "=" + name, connVariable + "=" + strconv.Itoa(conn), "GOMAXPROCS=1", "GOGC=off"}
}

// listenAt makes the socket that a stage waits at. The state folder is its owner's alone.
func listenAt(dir string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make socket: %w", err)
	}
	err = atSocket(dir, func(a unix.Sockaddr) error { return unix.Bind(fd, a) })
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("make socket in %s: %w", dir, err), unix.Close(fd))
	}
	return fd, nil
}

func dialAt(dir string) (*shim.Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket: %w", err)
	}
	if err := atSocket(dir, func(a unix.Sockaddr) error { return unix.Connect(fd, a) }); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return shim.NewConn(fd)
}

// atSocket names the socket by the folder's descriptor: socket addresses are short.
func atSocket(dir string, do func(unix.Sockaddr) error) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	return do(&unix.SockaddrUnix{Name: filepath.Join("/proc/self/fd", strconv.Itoa(fd), startSock)})
}

// ownStreams are descriptors 0, 1 and 2 of this process, with /dev/null for those that are closed.
func ownStreams() ([3]int, error) {
	var std [3]int
	for fd := range 3 {
		std[fd] = fd
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) != nil {
			null, err := unix.Open("/dev/null", unix.O_RDWR, 0)
			if err != nil {
				return std, &os.PathError{Op: "open", Path: "/dev/null", Err: err}
			}
			std[fd] = null
		}
	}
	return std, nil
}
