//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Filter is a compiled system call filter.
type Filter struct {
	Program []byte `json:"program"` // struct sock_filter[], native byte order
	Flags   uint   `json:"flags,omitempty"`
	Notify  bool   `json:"notify,omitempty"` // somebody decides about some calls
	send    func(fd int) error
}

// load sets the filter for the calling thread and all it becomes. A nil filter forbids nothing.
func (f *Filter) load() error {
	if f == nil || len(f.Program) == 0 {
		return nil
	}
	if len(f.Program)%8 != 0 || len(f.Program)/8 > unix.BPF_MAXINSNS {
		return fmt.Errorf("load system call filter: %d bytes are no filter: at most %d instructions of 8 bytes", len(f.Program), unix.BPF_MAXINSNS)
	}
	prog := unix.SockFprog{Len: uint16(len(f.Program) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&f.Program[0]))}
	flags := f.Flags
	if f.Notify {
		flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(f)
	if errno == unix.EACCES {
		return errors.New("load system call filter: without noNewPrivileges it needs CAP_SYS_ADMIN")
	}
	if errno != 0 {
		return fmt.Errorf("load system call filter: %w", errno)
	}
	if f.Notify {
		return f.send(int(fd))
	}
	return nil
}
