//go:build linux

package shim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A filter that answers EPERM by itself leaves no trace. So each such answer is made a question to the supervisor (seccomp_unotify(2)),
// which gives the very same answer and remembers the call. What is allowed costs nothing by it. A call that the filter answers otherwise, such
// as clone3 with ENOSYS, which C libraries try first each time, is left to the filter.

// asking is the filter with its refusals made questions.
func asking(filter []byte) []byte {
	const refusal = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	out := slices.Clone(filter)
	for at := 0; at+8 <= len(out); at += 8 {
		op, k := binary.NativeEndian.Uint16(out[at:]), out[at+4:]
		if op == unix.BPF_RET|unix.BPF_K && binary.NativeEndian.Uint32(k) == refusal {
			binary.NativeEndian.PutUint32(k, unix.SECCOMP_RET_USER_NOTIF)
		}
	}
	return out
}

// loadFilter loads a filter, with flags of seccomp(2), for the calling thread and gives the descriptor on which it asks, or -1.
func loadFilter(filter []byte, more uint32, ask bool) (int, error) {
	flags := uintptr(more)
	if ask {
		filter, flags = asking(filter), flags|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	prog := unix.SockFprog{Len: uint16(len(filter) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	switch {
	case errno != 0:
		return -1, fmt.Errorf("load system call filter: %w", errno)
	case !ask:
		return -1, nil
	}
	return int(fd), nil
}

// notification is struct seccomp_notif, answer struct seccomp_notif_resp (linux/seccomp.h).
type notification struct {
	ID         uint64
	PID, Flags uint32
	Number     int32
	Arch       uint32
	IP         uint64
	Args       [6]uint64
}

type answer struct {
	ID    uint64
	Val   int64
	Error int32
	Flags uint32
}

// answerRefusals answers the questions of a filter until the last process that has it is gone.
func (s *shim) answerRefusals(listener int) {
	_ = unix.SetNonblock(listener, true)
	f := os.NewFile(uintptr(listener), "filter")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		for {
			switch pending(int(fd)) {
			case unix.POLLIN:
				s.answerOne(fd)
			case 0:
				return false
			default:
				return true // nobody is left to ask
			}
		}
	})
}

// pending tells whether a question waits (POLLIN), none does (0), or none ever will (POLLHUP).
func pending(fd int) int16 {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(p, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return unix.POLLHUP
		case p[0].Revents&unix.POLLIN != 0:
			return unix.POLLIN
		}
		return p[0].Revents
	}
}

func (s *shim) answerOne(fd uintptr) {
	var n notification // all zero, as the kernel wants it
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return // whoever asked was killed
	}
	s.witness.refused(n.Arch, n.Number, int(n.PID))
	a := answer{ID: n.ID, Error: -int32(unix.EPERM)}
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
}
