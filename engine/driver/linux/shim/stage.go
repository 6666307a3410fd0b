//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Descriptors that a stage inherits besides its standard streams.
const (
	stageConn   = 3
	stageTarget = 4 // exec only: pidfd of the container's first process
)

// runStage is the common frame of the init and exec stages: it reports what prevented them from becoming the user's process.
func runStage(do func(*Conn, *stageConfig) error) {
	runtime.LockOSThread()
	// Not by SysProcAttr.Pdeathsig: its check of the parent's id fails from inside another process namespace. A shim that died
	// before this line is noticed by the end of the connection.
	if err := dieWithParent(); err != nil {
		os.Exit(1)
	}
	conn, err := NewConn(stageConn)
	if err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
		os.Exit(1)
	}
	var cfg stageConfig
	if err := conn.Receive(&cfg); err != nil {
		os.Exit(1) // the shim died, or gave up
	}
	if err = takeStandard(conn); err == nil {
		err = takeSpaces(conn, cfg.Others)
	}
	if err == nil {
		err = do(conn, &cfg)
	}
	rep := report{Error: err.Error()}
	var cmd *commandError
	if errors.As(err, &cmd) {
		rep.Code = cmd.code
	}
	_ = conn.Send(rep)
	os.Exit(1)
}

// takeStandard puts the streams that came with the orders in their places.
func takeStandard(conn *Conn) error {
	fds, err := conn.TakeFDs(3)
	if err != nil {
		return err
	}
	for i, fd := range fds {
		if err := unix.Dup3(fd, i, 0); err != nil {
			return fmt.Errorf("take standard streams: %w", err)
		}
		unix.Close(fd)
	}
	return nil
}

// initStage becomes the first process of a container. It runs as pid 1 of new namespaces.
func initStage(conn *Conn, sc *stageConfig) error {
	cfg := sc.Config
	log, err := stageLog(cfg.Dir, sc.Trace)
	if err != nil {
		return err
	}
	defer log.Flush()
	defer closeSpaces(sc.Others)
	if err := joinTasks(sc.Tasks); err != nil {
		return err
	}
	if err := settleSpaces(cfg, sc, log); err != nil {
		return err
	}
	if err := confine(cfg.Process.AppArmor); err != nil {
		return err
	}
	_, _ = unix.KeyctlJoinSessionKeyring("learn-" + cfg.ID)
	self := -1
	if cfg.Process.Init {
		if self, err = openOwnBinary(); err != nil {
			return err
		}
	}
	b := &builder{cfg: cfg, log: log, groups: sc.Groups, shm: -1, mountsOf: mountsAmong(sc.Others)}
	if err := b.build(); err != nil {
		return err
	}
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if b.console != nil {
		if err := handTerminal(conn, b.console, &cfg.Process); err != nil {
			return err
		}
	}
	if sc.Gated {
		if err := conn.Receive(new(gate)); err != nil {
			os.Exit(1) // the shim died, or gave up
		}
	}
	return become(cfg.ID, &cfg.Process, conn, self, log)
}

// execStage becomes a further process of a running container. The shim has forked it into the process namespace already.
func execStage(conn *Conn, sc *stageConfig) error {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	unix.CloseOnExec(stageTarget)
	if err := joinTasks(sc.Tasks); err != nil {
		return err
	}
	// A mount namespace can be joined only by a thread that shares its root and working folder with no other.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("part from the file system state: %w", err)
	}
	if err := confine(sc.Process.AppArmor); err != nil {
		return err
	}
	if err := enterTarget(stageTarget, sc.Spaces); err != nil {
		return fmt.Errorf("enter the container's namespaces: %w", err)
	}
	unix.Close(stageTarget)
	p := sc.Process
	if p.Terminal {
		t, err := openTerminal(unix.AT_FDCWD, "/dev/pts/ptmx")
		if err != nil {
			return err
		}
		if err := handTerminal(conn, t, p); err != nil {
			return err
		}
	}
	return become(sc.ID, p, conn, -1, nil)
}

// targetPatience is how long a process may be without namespaces while it executes a program.
const targetPatience = 5 * time.Second

// enterTarget enters namespaces of the process of a pidfd. A process of several threads has none for a moment while it executes a program:
// its first thread has ended, and the one that executes has not taken its place yet (de_thread in the kernel's fs/exec.c). setns says then what it
// says of a process that has ended.
func enterTarget(pidfd, spaces int) error {
	for until := time.Now().Add(targetPatience); ; time.Sleep(time.Millisecond) {
		err := unix.Setns(pidfd, spaces)
		if !errors.Is(err, unix.ESRCH) || ended(pidfd) || time.Now().After(until) {
			return err
		}
	}
}

// ended tells whether the process of a pidfd has ended, all of its threads (pidfd_open(2)).
func ended(pidfd int) bool {
	polled := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(polled, 0)
	return err == nil && n > 0
}

// takeSpaces takes the namespaces that came behind the streams.
func takeSpaces(conn *Conn, joined []space) error {
	fds, err := conn.TakeFDs(len(joined))
	for i, fd := range fds {
		joined[i].fd = fd
	}
	return err
}

// settleSpaces enters the namespaces that are others', and gives those that are new what they need. The cgroup namespace is made here: its root
// is the group that the process is in by now.
func settleSpaces(cfg *Config, sc *stageConfig, log *eventlog.Log) error {
	if err := enterSpaces(sc.Others); err != nil {
		return err
	}
	if cfg.Spaces.Cgroup.Own() {
		if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("make cgroup namespace: %w", err)
		}
	}
	names := cfg.Spaces.ownNames()
	if cfg.Rootless {
		names = append(names, "user")
	}
	noteJoined(log, cfg.ID, sc.Joined)
	noteNamespaces(log, cfg.ID, names...)
	noteShared(log, cfg, sc.Others)
	if cfg.Rootless {
		noteUserMap(log, cfg.ID)
	}
	if cfg.Spaces.Net.Own() {
		if err := loopbackUp(); err != nil {
			return err
		}
		log.Fact(vocab.LoopbackUp, trace.String("container", cfg.ID), trace.String("interface", "lo"))
	}
	return setNames(cfg, log)
}

// setNames names the machine, if its names are the container's own.
func setNames(cfg *Config, log *eventlog.Log) error {
	if !cfg.Spaces.UTS.Own() {
		return nil
	}
	if err := unix.Sethostname([]byte(cfg.Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if cfg.Domain != "" {
		if err := unix.Setdomainname([]byte(cfg.Domain)); err != nil {
			return fmt.Errorf("set domain name: %w", err)
		}
	}
	log.Fact(vocab.HostnameSet, trace.String("container", cfg.ID), trace.String("hostname", cfg.Hostname))
	return nil
}

// handTerminal gives the master to the shim and takes the other end.
func handTerminal(conn *Conn, t *terminal, p *Process) error {
	if err := setSize(t.master, p.Cols, p.Rows); err != nil {
		return fmt.Errorf("size terminal: %w", err)
	}
	if err := conn.Send(report{Terminal: true}, t.master); err != nil {
		return err
	}
	return t.adopt(p)
}

func stageLog(dir string, on bool) (*eventlog.Log, error) {
	if !on {
		return nil, nil
	}
	log, err := openEvents(dir)
	if err == nil {
		log.Hold() // dozens of small writes would delay the program
	}
	return log, err
}

// joinTasks moves the calling thread, the only one that survives execve, into version 1 control groups. Writing the own
// thread as 0 is free of the long wait that moving a whole process costs.
func joinTasks(files []string) error {
	for _, name := range files {
		fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return pathError("join control group", name, err)
		}
		_, err = unix.Write(fd, []byte(strconv.Itoa(0)))
		unix.Close(fd)
		if err != nil {
			return pathError("join control group", name, err)
		}
	}
	return nil
}

// loopbackUp switches on the lo interface of a new network namespace that the calling thread is in.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("switch on loopback: %w", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("switch on loopback: %w", err)
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("switch on loopback: %w", err)
	}
	return nil
}
