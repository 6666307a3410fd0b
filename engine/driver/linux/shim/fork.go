//go:build linux

package shim

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/failpoint"
)

// forkAhead forks the first stage before there are orders, so that it wakes up while they are written. It needs a machine on which
// control groups can be joined later than by birth; elsewhere, and if anything goes wrong, there is time enough afterwards.
func (s *shim) forkAhead() *Conn {
	var err error
	if s.self, err = openSelf(); err != nil || !joinsLater(Hierarchies(false)) {
		return nil
	}
	stage, err := s.forkInit(&Spaces{}, nil)
	if err != nil {
		s.abandonInit()
		return nil
	}
	return stage
}

// joinsLater reports whether no version 2 group is needed to freeze a container.
func joinsLater(mounted []MountedHierarchy) bool {
	for _, h := range mounted {
		if h.Version == 1 && h.Has("freezer") {
			return true
		}
	}
	return false
}

// abandonInit ends a first stage that was forked in vain.
func (s *shim) abandonInit() {
	if s.pid > 0 {
		_ = unix.Kill(s.pid, unix.SIGKILL)
		s.reap()
	}
	if s.pidfd >= 0 {
		unix.Close(s.pidfd)
	}
	s.pid, s.pidfd = 0, -1
}

// settleInit gives the first stage to go on with: the one that was forked ahead, unless it had to be born elsewhere: in a control group, or
// with namespaces that are not its own. joined are those of others.
func (s *shim) settleInit(stage *Conn, joined []space) (*Conn, error) {
	spaces := &s.cfg.Spaces
	if stage != nil && s.groups.unified < 0 && spaces.cloneFlags() == (&Spaces{}).cloneFlags() {
		return stage, nil
	}
	if stage != nil {
		_ = stage.Close()
		s.abandonInit()
	}
	return s.forkInit(spaces, joined)
}

// forkInit makes the first stage, in namespaces of its own but for those that spaces says. It enters the joined ones by itself, save that of
// processes, which it has to be born in.
func (s *shim) forkInit(spaces *Spaces, joined []space) (*Conn, error) {
	attr := &syscall.SysProcAttr{Cloneflags: spaces.cloneFlags()}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", "/dev/null", err)
	}
	defer unix.Close(null)
	fork := func() (*Conn, int, error) {
		return s.fork(StageInit, [3]int{null, null, null}, attr, nil) // its streams come with its orders
	}
	if i := slices.IndexFunc(joined, func(j space) bool { return j.Flag == unix.CLONE_NEWPID }); i >= 0 {
		stage := fork
		fork = func() (*Conn, int, error) { return inPidNamespace(joined[i].fd, stage) }
	}
	conn, pid, err := fork()
	if err != nil {
		return nil, err
	}
	s.pid, s.cloned = pid, attr.Cloneflags
	s.pidfd, err = unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("watch first process: %w", err)
	}
	// With its last process a mount namespace is taken apart, before that process counts as ended: several milliseconds, and
	// more while the disk is busy. While it is held here, that comes when the supervisor ends, and everybody knows by then.
	s.mounts, _ = unix.Open("/proc/"+strconv.Itoa(pid)+"/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return conn, nil
}

// fork starts a stage from the read-only binary. It gets the streams, a connection, and the extra descriptors.
func (s *shim) fork(stage string, std [3]int, attr *syscall.SysProcAttr, extra []uintptr) (*Conn, int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("start %s stage: %w", stage, err)
	}
	if s.groups.unified >= 0 {
		attr.UseCgroupFD, attr.CgroupFD = true, s.groups.unified
	}
	files := []uintptr{uintptr(std[0]), uintptr(std[1]), uintptr(std[2]), uintptr(pair[1])}
	pid, err := syscall.ForkExec(procFD(s.self), []string{"learn-" + stage}, &syscall.ProcAttr{
		Env: stageEnv(stage), Files: append(files, extra...), Sys: attr})
	unix.Close(pair[1])
	if err != nil {
		unix.Close(pair[0])
		return nil, 0, fmt.Errorf("start %s stage: %w", stage, err)
	}
	conn, err := NewConn(pair[0])
	return conn, pid, err
}

// stageEnv is all the environment that a stage gets: nothing of the caller's, nothing of the image's.
func stageEnv(stage string) []string {
	env := []string{StageVariable + "=" + stage, "GOMAXPROCS=1", "GOGC=off"}
	if p := os.Getenv(failpoint.Variable); (strings.HasPrefix(p, "init.") || strings.HasPrefix(p, "log:")) && stage == StageInit {
		env = append(env, failpoint.Variable+"="+p)
	}
	return env
}
