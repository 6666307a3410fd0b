//go:build linux

package shim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal pair.
type terminal struct {
	master, slave int
	number        int
}

// openTerminal makes a pair from the multiplexer name in dir. The other end is asked of the master itself, not looked
// up by a name that somebody could have swapped.
func openTerminal(dir int, name string) (*terminal, error) {
	how := unix.OpenHow{Flags: unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	master, err := unix.Openat2(dir, name, &how)
	if err != nil {
		return nil, fmt.Errorf("open terminal: %w", err)
	}
	if !magic(master, unix.DEVPTS_SUPER_MAGIC) {
		return nil, errors.Join(errors.New("open terminal: it is not on a devpts file system"), unix.Close(master))
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return nil, fmt.Errorf("unlock terminal: %w", err)
	}
	n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
	if err != nil {
		return nil, fmt.Errorf("number terminal: %w", err)
	}
	slave, err := openPeer(master)
	if err != nil {
		return nil, fmt.Errorf("open terminal: %w", err)
	}
	return &terminal{master, slave, n}, nil
}

// openPeer opens the other end of a terminal (ioctl_tty(2), TIOCGPTPEER).
func openPeer(master int) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func setSize(fd int, cols, rows uint16) error {
	if cols == 0 && rows == 0 {
		return nil
	}
	return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows})
}

// adopt makes the terminal the process's standard streams and controlling terminal.
func (t *terminal) adopt(p *Process) error {
	if _, err := unix.Setsid(); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("start session: %w", err)
	}
	if err := unix.IoctlSetInt(t.slave, unix.TIOCSCTTY, 0); err != nil {
		return fmt.Errorf("take terminal: %w", err)
	}
	if err := unix.Fchown(t.slave, int(p.UID), -1); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("give terminal to user %d: %w", p.UID, err)
	}
	for fd := range 3 {
		if err := unix.Dup3(t.slave, fd, 0); err != nil {
			return fmt.Errorf("use terminal: %w", err)
		}
	}
	return nil
}

// groupMapped reports whether a group id exists in this user namespace.
func groupMapped(gid int64) bool {
	data, err := os.ReadFile("/proc/self/gid_map")
	if err != nil {
		return false
	}
	for _, line := range bytes.Split(data, []byte("\n")) {
		f := bytes.Fields(line)
		if len(f) != 3 {
			continue
		}
		first, err1 := strconv.ParseInt(string(f[0]), 10, 64)
		n, err2 := strconv.ParseInt(string(f[2]), 10, 64)
		if err1 == nil && err2 == nil && gid >= first && gid < first+n {
			return true
		}
	}
	return false
}
