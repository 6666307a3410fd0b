package vfs

import (
	"io"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Cred is who makes a system call. User 0 has the capabilities that a container's root usually has, without those in Lacks and with those in
// Gains, bit by bit; Privileged has all, and may open block devices.
type Cred struct {
	UID, GID   int
	Groups     []int // supplementary
	Privileged bool
	Lacks      uint64
	Gains      uint64
}

// Process is the process whose calls a View carries out.
type Process interface {
	// Enter begins a system call: it waits while the process may not run, counts the call, and gives a syscall.Errno once the
	// process is dead.
	Enter() error
	// Device opens a character device that StandardDevice does not know: terminals. ENXIO if there is none of that number.
	Device(rdev uint64, write bool) (Stream, error)
	// Pipe opens the FIFO that is this inode of fs; mode is os.O_RDONLY, os.O_WRONLY or os.O_RDWR. It waits as open(2) does.
	Pipe(fs fsys.FS, inode uint64, mode int) (Stream, error)
	Now() time.Time
}

// Descriptors is an ability that a Process may have besides: its own number and open streams, which /proc/self and /dev/stdin
// lead to.
type Descriptors interface {
	PID() int
	// Stream gives a further reference to what the descriptor is open on, which the caller closes. EBADF if it is closed.
	Stream(fd int) (Stream, error)
}

// Refused is an ability that a Process may have besides: to be told when the kernel refuses it a call that only privileged containers have.
type Refused interface {
	Refused(call string)
}

// Stream is an open device, terminal or pipe.
type Stream interface {
	io.Reader
	io.Writer
	io.Closer
}
