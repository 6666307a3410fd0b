//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// commandError says that the container's own command is at fault; code is what docker exits with.
type commandError struct {
	code int
	msg  string
}

func (e *commandError) Error() string { return e.msg }

// become turns the calling thread, which must be locked and already inside the container, into the user's process. It
// returns only if that is impossible. self is the engine's binary, needed with p.Init only.
func become(id string, p *Process, conn *Conn, self int, log *eventlog.Log) error {
	if err := enterCwd(p.Cwd); err != nil {
		return err
	}
	last := lastCapability()
	if err := setUser(p, last); err != nil {
		return err
	}
	noteLimits(id, p, log)
	log.Flush()
	resetSignals()
	if err := dieWithParent(); err != nil {
		return err
	}
	program, err := lookPath(p)
	if err != nil {
		return err
	}
	if err := setRlimits(p.Rlimits); err != nil {
		return err
	}
	if err := conn.Send(report{Ready: true, Program: program}); err != nil {
		return err
	}
	if err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("close descriptors: %w", err)
	}
	if err := restrict(p, conn); err != nil {
		return err
	}
	if p.Init {
		return becomeInit(program, p, self)
	}
	err = syscall.Exec(program, p.Args, p.Env)
	runtime.KeepAlive(p)
	return execError(p.Args[0], program, err)
}

// restrict gives up powers and loads the filter. To load it takes a power, unless new ones are forbidden for good: then the filter comes last,
// so that it need not let through what is done before.
func restrict(p *Process, conn *Conn) error {
	if p.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("forbid new privileges: %w", err)
		}
	} else if err := loadSeccomp(p, conn); err != nil {
		return err
	}
	if p.Powers != nil {
		if err := setCapabilities(p.Powers); err != nil {
			return err
		}
	}
	if p.NoNewPrivs {
		return loadSeccomp(p, conn)
	}
	return nil
}

// enterCwd changes to the folder and makes sure that it lies in the container's root.
func enterCwd(cwd string) error {
	if cwd == "" {
		cwd = "/"
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, cwd, &how)
	if err != nil {
		return fmt.Errorf("set working folder %s: %w", cwd, err)
	}
	defer unix.Close(fd)
	if err := unix.Fchdir(fd); err != nil {
		return fmt.Errorf("set working folder %s: %w", cwd, err)
	}
	buf := make([]byte, 4096)
	n, err := unix.Getcwd(buf)
	if err != nil || n == 0 || buf[0] != '/' {
		return fmt.Errorf("set working folder %s: it is outside the container's root", cwd)
	}
	return nil
}

// setUser becomes the user and group in the calling thread alone: the other threads end at execve.
func setUser(p *Process, last uint) error {
	if p.UID > 1<<31-1 || p.GID > 1<<31-1 {
		return fmt.Errorf("set user %d:%d: ids must be between 0 and %d", p.UID, p.GID, 1<<31-1)
	}
	if p.Powers != nil {
		if err := dropBounding(p.Powers.Bounding, last); err != nil {
			return err
		}
	}
	if err := clearInheritable(); err != nil {
		return err
	}
	unix.Umask(0o022)
	for fd := range 3 {
		giveStream(fd, int(p.UID))
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	if err := setGroups(p.Groups); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(p.GID), uintptr(p.GID), uintptr(p.GID)); errno != 0 {
		return fmt.Errorf("set group %d: %w", p.GID, idHint(errno))
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(p.UID), uintptr(p.UID), uintptr(p.UID)); errno != 0 {
		return fmt.Errorf("set user %d: %w", p.UID, idHint(errno))
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	if p.UID == 0 {
		return nil
	}
	return raisePermitted()
}

// raisePermitted makes kept capabilities effective again after the change of user cleared them: the filter needs one.
func raisePermitted() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return fmt.Errorf("get capabilities: %w", err)
	}
	for i := range data {
		data[i].Effective = data[i].Permitted
	}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	return nil
}

func idHint(errno unix.Errno) error {
	if errno == unix.EINVAL {
		return fmt.Errorf("%w: the id is not mapped in this user namespace; a rootless engine needs a range in /etc/subuid and /etc/subgid", errno)
	}
	return errno
}

// setGroups sets the supplementary groups. Where a user namespace with a single id forbids it, none can be added anyway.
func setGroups(groups []uint32) error {
	var p unsafe.Pointer
	if len(groups) > 0 {
		p = unsafe.Pointer(&groups[0])
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(p), 0)
	if errno == unix.EPERM && groupsDenied() {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("set supplementary groups: %w", idHint(errno))
	}
	return nil
}

func groupsDenied() bool {
	data, err := os.ReadFile("/proc/self/setgroups")
	return err == nil && strings.TrimSpace(string(data)) == "deny"
}

// giveStream lets a user without powers open /dev/stdout again.
func giveStream(fd, uid int) {
	var st unix.Stat_t
	if uid == 0 || unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return
	}
	_ = unix.Fchown(fd, uid, -1)
}

func noteLimits(id string, p *Process, log *eventlog.Log) {
	if log == nil {
		return
	}
	if p.Init {
		log.Fact(vocab.InitRun, trace.String("container", id))
	}
	if p.Powers != nil {
		log.Fact(vocab.CapsDrop, trace.String("container", id), trace.Strings("kept", standard.NamesOf(p.Powers.Bounding)))
	}
	noteUser(log, id, p)
	noteOwnLimits(log, id, p)
	if p.NoNewPrivs {
		log.Fact(vocab.NoNewPrivs, trace.String("container", id))
	}
	if len(p.Seccomp) > 0 {
		log.Fact(vocab.SeccompLoad, trace.String("container", id), trace.Int("instructions", int64(len(p.Seccomp)/8)), trace.Strings("refused", p.Refused))
	}
}

// loadSeccomp sets the filter for the calling thread and all it becomes.
func loadSeccomp(p *Process, conn *Conn) error {
	if len(p.Seccomp) == 0 {
		return nil
	}
	if len(p.Seccomp)%8 != 0 {
		return fmt.Errorf("load system call filter: %d bytes are no whole instructions", len(p.Seccomp))
	}
	listener, err := loadFilter(p.Seccomp, p.SeccompFlags, p.Refusals)
	if err != nil || listener < 0 {
		return err
	}
	return conn.Send(report{Listener: true}, listener)
}

// dieWithParent asks for SIGKILL when the shim dies. A change of user clears that wish, so it comes after.
func dieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tie to supervisor: %w", err)
	}
	return nil
}

// resetSignals undoes what a command started under nohup, or a blocked signal, would hand down to the container.
func resetSignals() {
	type sigaction struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}
	for sig := uintptr(1); sig <= 64; sig++ {
		var old, def sigaction
		unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&old)), 8, 0, 0)
		if old.handler == 1 { // SIG_IGN
			unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&def)), 0, 8, 0, 0)
		}
	}
	var none uint64
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none)), 0, 8, 0, 0)
}
