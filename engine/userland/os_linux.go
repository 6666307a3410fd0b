package userland

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// system fills in what only this operating system offers.
func system(env *Env) {
	env.Procs = osProcs{}
	env.Host = osHost{}
	env.Mounts = osMounts{}
	env.Signals = osSignals{}
	env.Own = isSelf
}

func selfExe() string { return "/proc/self/exe" }

func processGroup(cmd *exec.Cmd, g Group) {
	if g.Session {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: g.Foreground} // Ctty 0: its standard input
		return
	}
	if g.ID == 0 {
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if g.ID > 0 {
		cmd.SysProcAttr.Pgid = g.ID
	}
	if in, ok := cmd.Stdin.(*os.File); ok && g.Foreground {
		cmd.SysProcAttr.Foreground, cmd.SysProcAttr.Ctty = true, int(in.Fd())
	}
}

// stopped waits until a child ends or stops and tells which; one that ended can still be waited for.
func stopped(pid int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		const childStopped = 5 // CLD_STOPPED
		if err != nil || info.Code != childStopped {
			return false
		}
		return unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WNOHANG, nil) == nil
	}
}

// duplicate is another descriptor for the same open file.
func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// inherited is a descriptor that whoever started the shell left open for it.
func inherited(n int) (*os.File, error) {
	flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC != 0 { // the runtime's own are all closed on exec
		return nil, unix.EBADF
	}
	fd, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "descriptor "+strconv.Itoa(n)), nil
}

// readable waits until there is something to read.
func readable(f *os.File, wait time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	for end := time.Now().Add(wait); ; {
		n, err := unix.Poll(fds, int(max(0, time.Until(end)).Milliseconds()))
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// Foreground is tcsetpgrp; the caller ignores SIGTTOU.
func (osStarter) Foreground(terminal any, group int) error {
	f, ok := terminal.(*os.File)
	if !ok {
		return errors.ErrUnsupported
	}
	if group == 0 {
		group = unix.Getpgrp()
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCSPGRP, group)
}

// NewSession is setsid(2).
func (osStarter) NewSession() error {
	_, err := syscall.Setsid()
	return err
}

func exitCode(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// replace is execve with the command's folder and streams put in place first.
func replace(c Command) error {
	if err := syscall.Chdir(c.Dir); err != nil {
		return err
	}
	for fd, stream := range []any{c.Stdin, c.Stdout, c.Stderr} {
		if err := placeStream(fd, stream); err != nil {
			return err
		}
	}
	return syscall.Exec(c.Path, c.Args, c.Environ)
}

func placeStream(fd int, stream any) error {
	f, ok := stream.(*os.File)
	if !ok {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		f = null
	}
	if int(f.Fd()) == fd {
		return nil
	}
	return syscall.Dup3(int(f.Fd()), fd, 0)
}

// sigaction is the kernel's struct; the C library's has another order.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

func setAction(sig syscall.Signal, action, old *sigaction) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// resetSignals gives the signals that end a program the kernel's default again. The Go runtime catches
// them, which would end a PID 1 that no C program would end.
func resetSignals() {
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM} {
		if !signal.Ignored(sig) {
			setAction(sig, &sigaction{}, nil)
		}
	}
}

// osSignals delivers signals to traps.
type osSignals struct{}

// Notify sends the numbers of the signals it names to ch from now on.
func (osSignals) Notify(ch chan<- int, signals ...int) {
	// The runtime believes that its handler still stands, so copy it back from a signal that keeps it.
	var handler sigaction
	setAction(syscall.SIGURG, nil, &handler)
	for _, n := range signals {
		in := make(chan os.Signal, 8)
		signal.Notify(in, syscall.Signal(n))
		setAction(syscall.Signal(n), &handler, nil)
		go func() {
			for range in {
				ch <- n
			}
		}()
	}
}

func (osSignals) Ignore(signals ...int) {
	for _, n := range signals {
		setAction(syscall.Signal(n), &sigaction{handler: 1}, nil)
	}
}

func (osSignals) Default(signals ...int) {
	for _, n := range signals {
		setAction(syscall.Signal(n), &sigaction{}, nil)
	}
}

func (osSignals) Umask(mask int) int { return syscall.Umask(mask) }

type osHost struct{}

func (osHost) Uname() (Uname, error) {
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		return Uname{}, err
	}
	return Uname{utsString(&u.Sysname), utsString(&u.Nodename), utsString(&u.Release), utsString(&u.Version), utsString(&u.Machine)}, nil
}

func utsString[T int8 | uint8](field *[65]T) string {
	b := make([]byte, 0, len(field))
	for _, c := range field {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}

func (osHost) SetHostname(name string) error { return syscall.Sethostname([]byte(name)) }
func (osHost) CPUs() int                     { return runtime.NumCPU() }

func (osHost) Memory() (Usage, time.Duration, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return Usage{}, 0, err
	}
	kib := map[string]int64{}
	for line := range bytes.Lines(data) {
		name, rest, _ := strings.Cut(string(line), ":")
		if f := strings.Fields(rest); len(f) > 0 {
			kib[name] = number(f[0]) << 10
		}
	}
	up, err := os.ReadFile("/proc/uptime")
	return Usage{kib["MemTotal"], kib["MemFree"], kib["MemAvailable"], kib["Shmem"], kib["Buffers"] + kib["Cached"] + kib["SReclaimable"],
		kib["SwapTotal"], kib["SwapFree"]}, seconds(strings.Fields(string(up) + " 0")[0]), err
}

func seconds(s string) time.Duration {
	d, _ := time.ParseDuration(s + "s")
	return d
}

type osMounts struct{}

func (osMounts) List() ([]MountEntry, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var all []MountEntry
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range bytes.Lines(data) {
		if f := strings.Fields(string(line)); len(f) >= 4 {
			all = append(all, MountEntry{unescape.Replace(f[0]), unescape.Replace(f[1]), f[2], f[3]})
		}
	}
	return all, nil
}

func (osMounts) Space(path string) (Space, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return Space{}, err
	}
	unit := st.Frsize
	return Space{int64(st.Blocks) * unit, int64(st.Bfree) * unit, int64(st.Bavail) * unit, int64(st.Files), int64(st.Ffree)}, nil
}

func (osMounts) Mount(m MountEntry) error {
	flags, data, err := mountFlags(m.Options)
	if err != nil {
		return err
	}
	return syscall.Mount(m.Source, m.Target, m.Type, flags, data)
}

func (osMounts) Unmount(target string, lazy bool) error {
	flags := 0
	if lazy {
		flags = syscall.MNT_DETACH
	}
	return syscall.Unmount(target, flags)
}

// mountFlags parts the options that are flags of mount(2) from those that the file system reads.
func mountFlags(options string) (uintptr, string, error) {
	known := map[string]uintptr{"ro": syscall.MS_RDONLY, "rw": 0, "defaults": 0, "nosuid": syscall.MS_NOSUID, "nodev": syscall.MS_NODEV,
		"noexec": syscall.MS_NOEXEC, "remount": syscall.MS_REMOUNT, "bind": syscall.MS_BIND, "rbind": syscall.MS_BIND | syscall.MS_REC,
		"private": syscall.MS_PRIVATE, "rprivate": syscall.MS_PRIVATE | syscall.MS_REC, "shared": syscall.MS_SHARED,
		"slave": syscall.MS_SLAVE, "noatime": syscall.MS_NOATIME, "relatime": syscall.MS_RELATIME, "sync": syscall.MS_SYNCHRONOUS}
	var flags uintptr
	var data []string
	for _, o := range strings.Split(options, ",") {
		if f, ok := known[o]; ok {
			flags |= f
		} else if o == "loop" {
			return 0, "", errors.New("loop devices are not supported")
		} else if o != "" {
			data = append(data, o)
		}
	}
	return flags, strings.Join(data, ","), nil
}

// terminalFile asks the kernel whether a character device is a terminal.
func terminalFile(f *os.File) bool {
	var settings [64]byte
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&settings)))
	return errno == 0
}

// limitNumber is the resource that a flag of ulimit means, and its unit in bytes.
func limitNumber(flag string) (int, uint64, bool) {
	switch flag {
	case "-n":
		return syscall.RLIMIT_NOFILE, 1, true
	case "-f":
		return syscall.RLIMIT_FSIZE, 512, true
	case "-c":
		return syscall.RLIMIT_CORE, 512, true
	case "-s":
		return syscall.RLIMIT_STACK, 1024, true
	case "-v":
		return syscall.RLIMIT_AS, 1024, true
	case "-d":
		return syscall.RLIMIT_DATA, 1024, true
	case "-t":
		return syscall.RLIMIT_CPU, 1, true
	case "-u":
		return 6, 1, true
	}
	return 0, 0, false
}

// Limit is getrlimit.
func (osProcs) Limit(flag string) (string, bool) {
	n, unit, ok := limitNumber(flag)
	var r syscall.Rlimit
	if !ok || syscall.Getrlimit(n, &r) != nil {
		return "", false
	}
	if r.Cur == ^uint64(0) {
		return "unlimited", true
	}
	return strconv.FormatUint(r.Cur/unit, 10), true
}

// SetLimit is setrlimit of both the soft and the hard limit.
func (osProcs) SetLimit(flag, value string) error {
	n, unit, _ := limitNumber(flag)
	v, err := strconv.ParseUint(value, 10, 54)
	r := syscall.Rlimit{Cur: v * unit, Max: v * unit}
	if value == "unlimited" {
		r, err = syscall.Rlimit{Cur: ^uint64(0), Max: ^uint64(0)}, nil
	}
	if err != nil {
		return err
	}
	return syscall.Setrlimit(n, &r)
}
