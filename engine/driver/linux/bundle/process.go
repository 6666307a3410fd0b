//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/bundle/birth"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// program is a process on its way from stage to user's program, in the calling thread.
type program struct {
	p       *specs.Process
	powers  powers
	filter  *Filter
	label   *label
	path    string
	argv    []*byte
	envv    []*byte
	keepFDs int // descriptors above the standard streams that the program gets
}

// prepare gives up what a hook in the container may not have either, and finds the program.
func (g *program) prepare() error {
	if err := g.powers.bound(); err != nil {
		return err
	}
	var err error
	if g.path, err = shim.LookPath(g.p.Args, g.p.Env); err != nil {
		return err
	}
	if g.argv, err = syscall.SlicePtrFromStrings(g.p.Args); err != nil {
		return err
	}
	g.envv, err = syscall.SlicePtrFromStrings(g.p.Env)
	return err
}

// become turns the calling thread into the program. It returns only if that is impossible.
func (g *program) become() error {
	if err := g.setScheduling(); err != nil {
		return err
	}
	if err := g.setUser(); err != nil {
		return err
	}
	if err := g.label.set(); err != nil {
		return err
	}
	shim.ResetSignals()
	path, err := syscall.BytePtrFromString(g.path)
	if err != nil {
		return err
	}
	if err := g.setLimits(); err != nil {
		return err
	}
	// All but the streams and what is handed down closes at execve, the word of success by it.
	if err := unix.CloseRange(uint(3+g.keepFDs), ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("close descriptors: %w", err)
	}
	if g.p.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("forbid new privileges: %w", err)
		}
	}
	// Last of all, since the filter may forbid any of the above.
	if err := g.filter.load(); err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&g.argv[0])), uintptr(unsafe.Pointer(&g.envv[0])))
	runtime.KeepAlive(g)
	return shim.ExecError(g.p.Args[0], g.path, errno)
}

func (g *program) setUser() error {
	u := g.p.User
	umask := 0o022
	if u.Umask != nil {
		umask = int(*u.Umask)
	}
	unix.Umask(umask)
	inside := shim.EnterCwd(g.p.Cwd)
	for fd := range 3 {
		giveStream(fd, int(u.UID))
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	if err := shim.SetGroups(u.AdditionalGids); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(u.GID), uintptr(u.GID), uintptr(u.GID)); errno != 0 {
		return fmt.Errorf("set group %d: %w", u.GID, idError(errno))
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(u.UID), uintptr(u.UID), uintptr(u.UID)); errno != 0 {
		return fmt.Errorf("set user %d: %w", u.UID, idError(errno))
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	// A filter without no_new_privs needs this one; execve takes it away.
	if err := g.powers.hold(1 << unix.CAP_SYS_ADMIN); err != nil {
		return err
	}
	if inside != nil { // a folder that only its user may enter, as on network file systems
		return shim.EnterCwd(g.p.Cwd)
	}
	return nil
}

func idError(errno unix.Errno) error {
	if errno == unix.EINVAL {
		return fmt.Errorf("%w: the id is not mapped in the container's user namespace", errno)
	}
	return errno
}

// giveStream lets a user without powers open /dev/stdout again.
func giveStream(fd, uid int) {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO || int(st.Uid) == uid {
		return
	}
	_ = unix.Fchown(fd, uid, -1)
}

// setLimits sets the config's limits, and that of open files as this process got it if the config says nothing.
func (g *program) setLimits() error {
	nofile := false
	for _, r := range g.p.Rlimits {
		n, _ := rlimitNumber(r.Type)
		nofile = nofile || n == unix.RLIMIT_NOFILE
		if err := setLimit(n, unix.Rlimit{Cur: r.Soft, Max: r.Hard}); err != nil {
			return fmt.Errorf("set limit %s to %d:%d: %w", r.Type, r.Soft, r.Hard, err)
		}
	}
	if nofile {
		return nil
	}
	return setLimit(unix.RLIMIT_NOFILE, unix.Rlimit{Cur: birth.NoFile.Cur, Max: birth.NoFile.Max})
}

// setLimit is setrlimit(2) past package syscall, which would put another one back later.
func setLimit(n int, l unix.Rlimit) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, uintptr(n), uintptr(unsafe.Pointer(&l)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// raiseLimits lets a stage in a user namespace set hard limits above those of this process.
func raiseLimits(pid int, limits []specs.POSIXRlimit) {
	for _, r := range limits {
		n, _ := rlimitNumber(r.Type)
		var have unix.Rlimit
		if unix.Prlimit(pid, n, nil, &have) == nil && have.Max < r.Hard {
			_ = unix.Prlimit(pid, n, &unix.Rlimit{Cur: have.Cur, Max: r.Hard}, nil)
		}
	}
}
