package tiny

import (
	"syscall"
	"unsafe"
)

// sleep sleeps the sum of its arguments: numbers with an optional fraction and an optional s, m, h or d.
func sleep(args []string) (int, bool) {
	if len(args) == 0 {
		return 0, false
	}
	var total int64
	for _, a := range args {
		ns, ok := duration(a)
		if !ok {
			return 0, false
		}
		total += ns
	}
	defaultSignals()
	left := syscall.NsecToTimespec(total)
	for {
		now := left
		if err := syscall.Nanosleep(&now, &left); err != syscall.EINTR {
			return 0, true
		}
	}
}

// duration reads nanoseconds; it refuses what it can not represent.
func duration(s string) (int64, bool) {
	unit := int64(1e9)
	if s == "" {
		return 0, false
	}
	switch s[len(s)-1] {
	case 's':
		s = s[:len(s)-1]
	case 'm':
		unit, s = unit*60, s[:len(s)-1]
	case 'h':
		unit, s = unit*3600, s[:len(s)-1]
	case 'd':
		unit, s = unit*86400, s[:len(s)-1]
	}
	var whole, fraction, scale int64 = 0, 0, 1
	point, digits := false, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.' && !point:
			point = true
		case c < '0' || c > '9' || digits > 9:
			return 0, false
		case point:
			fraction, scale, digits = fraction*10+int64(c-'0'), scale*10, digits+1
		default:
			whole, digits = whole*10+int64(c-'0'), digits+1
		}
	}
	if digits == 0 || whole > 1<<62/unit {
		return 0, false
	}
	return whole*unit + fraction*(unit/scale), true
}

// defaultSignals gives signals the kernel's default action, which the Go runtime took: as PID 1 of a
// container a sleeping program ignores SIGTERM, elsewhere it dies of it.
func defaultSignals() {
	type sigaction struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}
	for _, sig := range [...]syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGPIPE} {
		var old sigaction
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&old)), 8, 0, 0)
		if old.handler != 1 {
			syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&sigaction{})), 0, 8, 0, 0)
		}
	}
}
