//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// The stages of this package, beside those of shim.
const (
	StageCreate = "bundle-create" // becomes a container's process
	StageExec   = "bundle-exec"   // becomes a further process of a container
)

// connVariable holds the number of the stage's connection to the command.
const connVariable = "_LEARN_CONN"

// orders are what a stage needs.
type orders struct {
	Spec     *specs.Spec // without what is only the command's: filter, hooks of the runtime's namespaces
	Process  *specs.Process
	Filter   *Filter
	Bundle   string
	Rootfs   string
	Groups   groups
	Enter    bool   // a mount namespace to enter comes along
	Tasks    int    // so many files of version 1 control groups come along, each for a task to join by
	Keyring  string // name of the session keyring to make
	State    specs.State
	Sources  int  // so many mounts follow, each with a message of its own
	Hooks    bool // the command has hooks to run before the root is entered
	Wait     bool // for start, at the socket that comes along
	Preserve int
	Fresh    int // namespaces that were made for the container
	CPUs     string
}

// report is what a stage has to say.
type report struct {
	Kind  string `json:"kind"`
	Error string `json:"error,omitempty"`
	Code  int    `json:"code,omitempty"`
}

// Kinds of report. The end of the connection after reportReady, or at the socket, says that the program runs.
const (
	reportError    = "error"
	reportWarning  = "warning"
	reportHooks    = "hooks"    // an answer is awaited
	reportTerminal = "terminal" // the master comes along
	reportListener = "listener" // the filter's descriptor comes along
	reportReady    = "ready"    // everything stands
)

// source announces a mount that the command opened.
type source struct{ Index int }

// stage is a process on its way into a container.
type stage struct {
	conn *shim.Conn
	o    orders
	name string
}

// Stage runs a stage of this package and never returns; it returns at once for any other name.
func Stage(name string) {
	if name != StageCreate && name != StageExec {
		return
	}
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	n, err := strconv.Atoi(os.Getenv(connVariable))
	if err != nil || n < 3 {
		os.Exit(1)
	}
	fd, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 64)
	unix.Close(n)
	if err != nil {
		os.Exit(1)
	}
	conn, err := shim.NewConn(fd)
	if err != nil {
		os.Exit(1)
	}
	s := &stage{conn: conn, name: name}
	if conn.Receive(&s.o) != nil {
		os.Exit(1) // the command died, or gave up
	}
	do := s.create
	if name == StageExec {
		do = s.exec
	}
	err = do()
	_ = s.conn.Send(report{Kind: reportError, Error: err.Error(), Code: shim.CommandCode(err)})
	os.Exit(1)
}

func (s *stage) warn(err error) { _ = s.conn.Send(report{Kind: reportWarning, Error: err.Error()}) }

// create becomes the first process of a container.
func (s *stage) create() error {
	o := &s.o
	if err := s.enter(); err != nil {
		return err
	}
	if err := s.joinGroups(); err != nil {
		return err
	}
	listener, err := s.takeListener()
	if err != nil {
		return err
	}
	if err := s.enterSpaces(); err != nil {
		return err
	}
	b := &builder{spec: o.Spec, bundle: o.Bundle, rootfs: o.Rootfs, groups: o.Groups}
	if b.sources, err = s.takeSources(); err != nil {
		return err
	}
	lab, err := openLabel(o.Process)
	if err != nil {
		return err
	}
	if err := b.build(); err != nil {
		return err
	}
	if err := setSysctls(o.Spec.Linux.Sysctl); err != nil {
		return err
	}
	if err := s.hooks(o.Spec.Hooks); err != nil {
		return err
	}
	if o.Process.Terminal {
		if err := s.terminal(b.console); err != nil {
			return err
		}
	}
	for _, step := range []func() error{b.finish, b.enter} {
		if err := step(); err != nil {
			return err
		}
	}
	unix.Close(b.root.FD())
	return s.await(listener, lab)
}

// enterSpaces finishes what clone left: the namespace of control groups, names, the loopback interface, the session.
func (s *stage) enterSpaces() error {
	o := &s.o
	if o.Fresh&unix.CLONE_NEWCGROUP != 0 {
		if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
			return fmt.Errorf("make cgroup namespace: %w", err)
		}
	}
	if _, err := unix.Setsid(); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("start session: %w", err)
	}
	if o.Keyring != "" {
		_, _ = unix.KeyctlJoinSessionKeyring(o.Keyring)
	}
	if o.Spec.Hostname != "" {
		if err := unix.Sethostname([]byte(o.Spec.Hostname)); err != nil {
			return fmt.Errorf("set host name: %w", err)
		}
	}
	if o.Spec.Domainname != "" {
		if err := unix.Setdomainname([]byte(o.Spec.Domainname)); err != nil {
			return fmt.Errorf("set domain name: %w", err)
		}
	}
	if o.Fresh&unix.CLONE_NEWNET != 0 {
		if err := shim.LoopbackUp(); err != nil {
			return err
		}
	}
	return setPersonality(o.Spec.Linux.Personality)
}

// enter goes into the mount namespace that came along. What is needed of the host's files has been opened before.
func (s *stage) enter() error {
	if !s.o.Enter {
		return nil
	}
	fds, err := s.conn.TakeFDs(1)
	if err != nil {
		return err
	}
	return enterMounts(fds[0])
}

// joinGroups moves this thread, the only one that execve leaves, into the version 1 groups. Its own number written as 0 is free of the long
// wait that moving a process costs.
func (s *stage) joinGroups() error {
	fds, err := s.conn.TakeFDs(s.o.Tasks)
	if err != nil {
		return err
	}
	defer closeAll(fds)
	for _, fd := range fds {
		if _, err := unix.Write(fd, []byte("0")); err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	return nil
}

func (s *stage) takeListener() (int, error) {
	if !s.o.Wait {
		return -1, nil
	}
	fds, err := s.conn.TakeFDs(1)
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

func (s *stage) takeSources() (map[int]int, error) {
	all := map[int]int{}
	for range s.o.Sources {
		var src source
		if err := s.conn.Receive(&src); err != nil {
			return nil, fmt.Errorf("receive mounts: %w", err)
		}
		fds, err := s.conn.TakeFDs(1)
		if err != nil {
			return nil, err
		}
		all[src.Index] = fds[0]
	}
	return all, nil
}

// hooks lets those of the runtime's namespaces run, then runs those of the container's.
func (s *stage) hooks(h *specs.Hooks) error {
	if s.o.Hooks {
		if err := s.conn.Send(report{Kind: reportHooks}); err != nil {
			return err
		}
		var answer report
		if err := s.conn.Receive(&answer); err != nil {
			return fmt.Errorf("wait for hooks: %w", err)
		}
	}
	if h == nil {
		return nil
	}
	st := s.o.State
	st.Status = specs.StateCreating
	return runHooks("createContainer", h.CreateContainer, s.o.Bundle, st)
}

// terminal makes a terminal the process's streams and sends the other end to the command.
func (s *stage) terminal(open func() (int, int, error)) error {
	master, slave, err := open()
	if err != nil {
		return err
	}
	defer unix.Close(master)
	p := s.o.Process
	if b := p.ConsoleSize; b != nil {
		if err := unix.IoctlSetWinsize(master, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(b.Width), Row: uint16(b.Height)}); err != nil {
			return fmt.Errorf("size terminal: %w", err)
		}
	}
	if err := s.conn.Send(report{Kind: reportTerminal}, master); err != nil {
		return err
	}
	if _, err := unix.Setsid(); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("start session: %w", err)
	}
	if err := unix.IoctlSetInt(slave, unix.TIOCSCTTY, 0); err != nil {
		return fmt.Errorf("take terminal: %w", err)
	}
	if err := unix.Fchown(slave, int(p.User.UID), -1); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("give terminal to user %d: %w", p.User.UID, err)
	}
	for fd := range 3 {
		if err := unix.Dup3(slave, fd, 0); err != nil {
			return fmt.Errorf("use terminal: %w", err)
		}
	}
	return unix.Close(slave)
}

// await waits for start and becomes the program.
func (s *stage) await(listener int, lab *label) error {
	g := s.program(lab)
	if err := g.prepare(); err != nil {
		return err
	}
	if err := s.conn.Send(report{Kind: reportReady}); err != nil {
		return err
	}
	if listener >= 0 {
		if err := s.accept(listener); err != nil {
			return err
		}
	} else {
		var go_ report
		if err := s.conn.Receive(&go_); err != nil {
			os.Exit(1) // whoever runs the container gave up
		}
	}
	if h := s.o.Spec.Hooks; h != nil {
		st := s.o.State
		st.Status = specs.StateCreated
		if err := runHooks("startContainer", h.StartContainer, "/", st); err != nil {
			return err
		}
	}
	return g.become()
}

// accept waits for the command start, which takes the place of create.
func (s *stage) accept(listener int) error {
	_ = s.conn.Close()
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for start: %w", err)
		}
		unix.Close(listener)
		s.conn, err = shim.NewConn(fd)
		return err
	}
}

func (s *stage) program(lab *label) *program {
	o := &s.o
	g := &program{p: o.Process, powers: powersOf(o.Process.Capabilities, s.warn), filter: o.Filter, label: lab, keepFDs: o.Preserve}
	if g.filter != nil && g.filter.Notify {
		g.filter.send = func(fd int) error { return s.conn.Send(report{Kind: reportListener}, fd) }
	}
	return g
}

// exec becomes a further process of a running container. Its namespaces were entered before it was executed.
func (s *stage) exec() error {
	o := &s.o
	lab, err := openLabel(o.Process)
	if err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	if err := s.joinGroups(); err != nil {
		return err
	}
	if _, err := unix.Setsid(); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("start session: %w", err)
	}
	if o.Process.Terminal {
		if err := s.terminal(execTerminal); err != nil {
			return err
		}
	}
	if err := setPersonality(o.Spec.Linux.Personality); err != nil {
		return err
	}
	g := s.program(lab)
	if err := g.prepare(); err != nil {
		return err
	}
	if err := setAffinity(0, o.CPUs); err != nil {
		return err
	}
	if err := s.conn.Send(report{Kind: reportReady}); err != nil {
		return err
	}
	var answer report
	if err := s.conn.Receive(&answer); err != nil {
		os.Exit(1)
	}
	return g.become()
}

func execTerminal() (master, slave int, err error) {
	pts, err := unix.Openat2(unix.AT_FDCWD, "/dev/pts", &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return -1, -1, fmt.Errorf("a terminal needs a devpts file system mounted at /dev/pts: %w", err)
	}
	defer unix.Close(pts)
	master, slave, _, err = shim.Terminal(pts, "ptmx")
	return master, slave, err
}
