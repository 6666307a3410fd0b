//go:build linux

package shim

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// serveFiles lets a client reach into the container's files through a stage that it speaks to over a connection of its own. The stage is
// gone when the client is, and at the latest when the supervisor is: it holds the mount of the writable layer.
func (s *shim) serveFiles(conn *Conn, client streams) {
	pid, pidfd, err := s.forkFiles(client.stdin)
	client.close()
	if err != nil {
		reply := errorReply(err)
		if errors.Is(err, unix.ESRCH) {
			reply.Kind = ReplyGone
		}
		_ = conn.Send(reply)
		return
	}
	_ = conn.Send(Reply{Kind: ReplyStarted, Pid: pid})
	left := make(chan struct{})
	go func() {
		defer close(left)
		var none Request
		_ = conn.Receive(&none) // nothing more may come: this returns when the client is gone
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	}()
	exit := exitOf(waitPid(pid))
	s.forgetFiles(pid)
	_ = conn.Send(Reply{Kind: ReplyExit, Exit: &exit})
	conn.Interrupt()
	<-left
	unix.Close(pidfd)
}

// forkFiles starts the stage with the client's end of a connection. It learns of the container nothing but its mount namespace.
func (s *shim) forkFiles(client int) (pid, pidfd int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, -1, unix.ESRCH
	}
	target := s.mounts
	if target < 0 {
		target = s.pidfd
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, -1, pathError("open", "/dev/null", err)
	}
	defer unix.Close(null)
	pidfd = -1
	files := []uintptr{uintptr(null), uintptr(null), uintptr(null), uintptr(client), uintptr(target)}
	pid, err = syscall.ForkExec(procFD(s.self), []string{"learn-" + StageFiles}, &syscall.ProcAttr{Dir: "/", Env: FilesEnv(), Files: files,
		Sys: &syscall.SysProcAttr{PidFD: &pidfd}})
	if err != nil {
		return 0, -1, fmt.Errorf("start %s stage: %w", StageFiles, err)
	}
	if pidfd < 0 {
		pidfd, err = unix.PidfdOpen(pid, 0)
	}
	if s.stages == nil {
		s.stages = map[int]int{}
	}
	s.stages[pid] = pidfd
	return pid, pidfd, err
}

func (s *shim) forgetFiles(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.stages, pid)
}

// endFiles ends the stages that are still there, and with them the last mounts of the writable layer.
func (s *shim) endFiles() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pidfd := range s.stages {
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
	}
	for _, pidfd := range s.stages {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 2000)
	}
}

// FilesEnv is all the environment that a files stage gets. Unlike other stages it may live for long, so it collects its garbage.
func FilesEnv() []string { return []string{StageVariable + "=" + StageFiles, "GOMAXPROCS=2"} }
