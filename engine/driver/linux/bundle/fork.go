//go:build linux

package bundle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forkPlan says how a stage is born.
//
// A process of several threads, which every Go program is, can enter no user namespace, and a time namespace holds for children only. So a
// first child, which is a copy with one thread, enters what is to be joined; a second one, made as a sibling (CLONE_PARENT), is born in
// the new namespaces and executes the binary. Nothing runs in either but system calls on memory prepared before.
type forkPlan struct {
	joins      []join
	fresh      int    // flags of namespaces to make
	offsets    []byte // of the clocks of a new time namespace
	mapped     bool   // wait until the ids of a new user namespace are mapped, then be root there
	becomeRoot bool   // of the user namespace that is joined
	cgroup     int    // version 2 group to be born in, or -1
	self       int    // the binary
	argv       string
	env        []string
	files      []int // become descriptors 0, 1, 2 ...
}

// forked is a stage that is being born.
type forked struct {
	pid  int
	wake int // a byte here says that ids are mapped; -1: it does not wait
}

// raw is the plan as the children use it: nothing in it is allocated or moved after the fork.
type raw struct {
	joins      []join
	fresh      uintptr
	offsets    []byte
	twice      bool
	waits      bool
	becomeRoot bool
	wake       uintptr // read end
	tell       uintptr // write end: the stage's id, or what went wrong
	self       uintptr
	argv, envv []*byte
	files      []uintptr // all above len(files), so that none is overwritten
	clone      cloneArgs
	offsetsAt  *byte
	empty      *byte
	buf        [16]byte
	one        [1]byte
	act        [32]byte // struct sigaction: all zero is the default
}

// cloneArgs is struct clone_args (clone3(2)).
type cloneArgs struct {
	flags, pidFD, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// Steps of a birth, for its error.
const (
	stepJoin = iota + 1
	stepTime
	stepFork
	stepWait
	stepRoot
	stepFiles
	stepExec
)

func stepName(n uint32) string {
	return [...]string{"start", "join namespace", "make time namespace", "make namespaces", "wait for id maps", "become root of the user namespace", "pass descriptors", "execute own binary"}[min(n, 7)]
}

// fork makes the stage. It returns when the stage has its id, or with the step that failed.
func (p *forkPlan) fork() (forked, error) {
	r, err := p.prepare()
	if err != nil {
		return forked{}, err
	}
	var wake, tell [2]int
	if err := unix.Pipe2(wake[:], unix.O_CLOEXEC); err != nil {
		return forked{}, fmt.Errorf("make pipe: %w", err)
	}
	if err := unix.Pipe2(tell[:], unix.O_CLOEXEC); err != nil {
		closeAll(wake[:])
		return forked{}, fmt.Errorf("make pipe: %w", err)
	}
	r.wake, r.tell = uintptr(wake[0]), uintptr(tell[1])
	runtime.LockOSThread()
	pid, errno := r.run()
	runtime.UnlockOSThread()
	runtime.KeepAlive(r)
	runtime.KeepAlive(p)
	unix.Close(wake[0])
	unix.Close(tell[1])
	defer unix.Close(tell[0])
	f := forked{int(pid), wake[1]}
	if errno != 0 {
		unix.Close(wake[1])
		return forked{}, fmt.Errorf("%s: %w", stepName(stepFork), errno)
	}
	if r.twice {
		if err := f.adopt(tell[0]); err != nil {
			unix.Close(wake[1])
			return forked{}, err
		}
	}
	if !p.mapped {
		unix.Close(wake[1])
		f.wake = -1
		return f, f.failed(tell[0])
	}
	return f, nil
}

// adopt waits for the first child's word of the second, which is ours.
func (f *forked) adopt(tell int) error {
	var b [16]byte
	n, err := readFull(tell, b[:8])
	var ws unix.WaitStatus
	_, _ = unix.Wait4(f.pid, &ws, 0, nil)
	if err != nil || n != 8 {
		return errors.New("start stage: its first process died")
	}
	if step := binary.NativeEndian.Uint32(b[:]); step != 0 {
		return fmt.Errorf("%s: %w", stepName(step), unix.Errno(binary.NativeEndian.Uint32(b[4:])))
	}
	f.pid = int(binary.NativeEndian.Uint32(b[4:]))
	return nil
}

// failed waits until the binary is executed, or something prevents it.
func (f *forked) failed(tell int) error {
	var b [8]byte
	if n, _ := readFull(tell, b[:]); n != 8 {
		return nil // closed by execve
	}
	_, _ = unix.Wait4(f.pid, nil, 0, nil)
	return fmt.Errorf("%s: %w", stepName(binary.NativeEndian.Uint32(b[:])), unix.Errno(binary.NativeEndian.Uint32(b[4:])))
}

func readFull(fd int, b []byte) (int, error) {
	got := 0
	for got < len(b) {
		n, err := unix.Read(fd, b[got:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 {
			return got, err
		}
		got += n
	}
	return got, nil
}

func (p *forkPlan) prepare() (*raw, error) {
	argv0, err := syscall.BytePtrFromString(p.argv)
	if err != nil {
		return nil, err
	}
	envv, err := syscall.SlicePtrFromStrings(p.env)
	if err != nil {
		return nil, err
	}
	empty, _ := syscall.BytePtrFromString("")
	at, _ := syscall.BytePtrFromString("/proc/self/timens_offsets")
	r := &raw{joins: p.joins, fresh: uintptr(p.fresh &^ unix.CLONE_NEWTIME &^ unix.CLONE_NEWCGROUP), offsets: p.offsets, twice: len(p.joins) > 0 || p.fresh&unix.CLONE_NEWTIME != 0,
		waits: p.mapped, becomeRoot: p.mapped || p.becomeRoot, self: uintptr(p.self), argv: []*byte{argv0, nil}, envv: envv, empty: empty, offsetsAt: at}
	for _, j := range p.joins {
		r.becomeRoot = r.becomeRoot || j.flag == unix.CLONE_NEWUSER
	}
	if p.fresh&unix.CLONE_NEWTIME == 0 {
		r.offsetsAt = nil
	}
	r.clone = cloneArgs{flags: uint64(r.fresh), exitSignal: uint64(unix.SIGCHLD)}
	if p.cgroup >= 0 {
		r.clone.flags |= unix.CLONE_INTO_CGROUP
		r.clone.cgroup = uint64(p.cgroup)
	}
	for _, fd := range p.files {
		r.files = append(r.files, uintptr(fd))
	}
	return r, nil
}

// run forks. It returns in the parent only.
//
//go:norace
func (r *raw) run() (pid uintptr, errno syscall.Errno) {
	var all, old uint64
	all = ^all
	// No handler of this program may run in the copies.
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	if r.twice {
		pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 && errno == 0 {
			r.first()
		}
	} else {
		pid, errno = r.second()
	}
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	return pid, errno
}

// first is the whole life of the first child.
//
//go:norace
//go:nosplit
func (r *raw) first() {
	syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0, 0)
	for i := 0; i < len(r.joins); i++ {
		_, _, errno := syscall.RawSyscall(unix.SYS_SETNS, uintptr(r.joins[i].fd), uintptr(r.joins[i].flag), 0)
		if errno != 0 {
			r.die(stepJoin, errno)
		}
	}
	if r.offsetsAt != nil {
		if _, _, errno := syscall.RawSyscall(unix.SYS_UNSHARE, unix.CLONE_NEWTIME, 0, 0); errno != 0 {
			r.die(stepTime, errno)
		}
		r.setOffsets()
	}
	r.clone.flags |= unix.CLONE_PARENT
	r.clone.exitSignal = 0
	pid, errno := r.second()
	if errno != 0 {
		r.die(stepFork, errno)
	}
	r.put(0, uint32(pid))
	r.write(8)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

//go:norace
//go:nosplit
func (r *raw) setOffsets() {
	if len(r.offsets) == 0 {
		return
	}
	dir := -100 // AT_FDCWD
	fd, _, errno := syscall.RawSyscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(r.offsetsAt)), unix.O_WRONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno == 0 {
		_, _, errno = syscall.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&r.offsets[0])), uintptr(len(r.offsets)))
	}
	if errno != 0 {
		r.die(stepTime, errno)
	}
}

// second makes the child that becomes the stage. It returns in its maker only.
//
//go:norace
//go:nosplit
func (r *raw) second() (pid uintptr, errno syscall.Errno) {
	pid, _, errno = syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&r.clone)), unsafe.Sizeof(r.clone), 0)
	if errno == unix.ENOSYS { // forbidden by a filter of an outer container: the group is joined later then
		flags := uintptr(r.clone.flags&^uint64(unix.CLONE_INTO_CGROUP)) | uintptr(unix.SIGCHLD)
		pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	}
	if pid != 0 || errno != 0 {
		return pid, errno
	}
	r.become()
	return 0, 0
}

//go:norace
//go:nosplit
func (r *raw) become() {
	if r.waits {
		n, _, errno := syscall.RawSyscall(unix.SYS_READ, r.wake, uintptr(unsafe.Pointer(&r.one[0])), 1)
		if n != 1 {
			r.die(stepWait, errno)
		}
	}
	if r.becomeRoot {
		syscall.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
		_, _, errno := syscall.RawSyscall(unix.SYS_SETRESGID, 0, 0, 0)
		if errno == 0 {
			_, _, errno = syscall.RawSyscall(unix.SYS_SETRESUID, 0, 0, 0)
		}
		if errno != 0 {
			r.die(stepRoot, errno)
		}
	}
	for i := 0; i < len(r.files); i++ {
		if _, _, errno := syscall.RawSyscall(unix.SYS_DUP3, r.files[i], uintptr(i), 0); errno != 0 {
			r.die(stepFiles, errno)
		}
	}
	for sig := uintptr(1); sig <= 64; sig++ {
		syscall.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&r.act)), 0, 8, 0, 0)
	}
	var none uint64
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none)), 0, 8, 0, 0)
	_, _, errno := syscall.RawSyscall6(unix.SYS_EXECVEAT, r.self, uintptr(unsafe.Pointer(r.empty)), uintptr(unsafe.Pointer(&r.argv[0])),
		uintptr(unsafe.Pointer(&r.envv[0])), unix.AT_EMPTY_PATH, 0)
	r.die(stepExec, errno)
}

//go:norace
//go:nosplit
func (r *raw) put(step, value uint32) {
	*(*uint32)(unsafe.Pointer(&r.buf[0])) = step
	*(*uint32)(unsafe.Pointer(&r.buf[4])) = value
}

//go:norace
//go:nosplit
func (r *raw) write(n uintptr) {
	syscall.RawSyscall(unix.SYS_WRITE, r.tell, uintptr(unsafe.Pointer(&r.buf[0])), n)
}

// die tells why and ends the copy.
//
//go:norace
//go:nosplit
func (r *raw) die(step uint32, errno syscall.Errno) {
	r.put(step, uint32(errno))
	r.write(8)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 1, 0, 0)
	}
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
