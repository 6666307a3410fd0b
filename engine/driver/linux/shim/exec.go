//go:build linux

package shim

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// exec runs a further process in the container for one client.
//
// The shim's thread enters only the process namespace, which concerns its children alone, forks the stage from the read-only
// binary, and goes back; the stage enters the other namespaces by itself, after it has been loaded. So nothing of the
// container's file system is used to start it, and one fork and one exec of ours are all it takes.
func (s *shim) exec(conn *Conn, req *Request, client streams) {
	p := req.Process
	std, program, pid, err := s.startExec(req, client)
	if err != nil {
		client.close()
		if pid > 0 {
			_ = unix.Kill(pid, unix.SIGKILL)
			waitPid(pid)
		}
		_ = conn.Send(errorReply(err))
		return
	}
	events := s.eventLog()
	events.Fact(vocab.ProcExec, trace.String("container", s.cfg.ID), trace.Int("pid", int64(pid)), trace.String("program", program), trace.Strings("argv", p.Args))
	attached := std.attach(client)
	std.run()
	_ = conn.Send(Reply{Kind: ReplyStarted, Pid: pid})
	if req.Detach {
		conn.Close()
	} else {
		go func() {
			heed(conn, std)
			attached.left()
		}()
	}
	exit := exitOf(waitPid(pid))
	std.drain()
	s.syncTrace()
	events.Fact(vocab.ProcExit, exitAttrs(s.cfg.ID, pid, exit)...)
	_ = conn.Send(Reply{Kind: ReplyExit, Exit: &exit})
	attached.end()
}

func (s *shim) eventLog() *eventlog.Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events
}

// startExec returns when the user's program runs. After an error a pid that is not zero is still to be waited for.
func (s *shim) startExec(req *Request, client streams) (std *stdio, program string, pid int, err error) {
	p := req.Process
	if p == nil {
		return nil, "", 0, fmt.Errorf("start process: none was given")
	}
	if std, err = newStdio(p, client.stdin >= 0, true, nil); err != nil {
		return nil, "", 0, err
	}
	defer func() {
		if err != nil {
			std.discard()
		}
	}()
	program, pid, err = s.runInside(std, p)
	return std, program, pid, err
}

// runInside runs a process with the child's ends of std, which it takes. After an error a pid that is not zero is still to be waited for.
func (s *shim) runInside(std *stdio, p *Process) (program string, pid int, err error) {
	defer std.releaseChild()
	if s.foreign != nil {
		pid, err = s.foreign.exec(std, p)
		return p.Args[0], pid, err
	}
	stage, pid, err := s.forkInside()
	if err != nil {
		return "", pid, err
	}
	defer stage.Close()
	if err := adjustOOMScore(pid, p); err != nil {
		return "", pid, err
	}
	s.mu.Lock() // an update may add groups
	cfg := stageConfig{Process: p, ID: s.cfg.ID, Tasks: s.groups.tasks(), Spaces: s.cfg.Spaces.enterFlags()}
	s.mu.Unlock()
	program, err = s.handOver(stage, cfg, std, pid, nil)
	return program, pid, err
}

// forkInside forks the exec stage into the container's process namespace.
func (s *shim) forkInside() (*Conn, int, error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, pathError("open", "/dev/null", err)
	}
	defer unix.Close(null)
	fork := func() (*Conn, int, error) {
		return s.fork(StageExec, [3]int{null, null, null}, &syscall.SysProcAttr{}, []uintptr{uintptr(s.pidfd)})
	}
	if s.cfg.Spaces.PID.Host {
		return fork()
	}
	return inPidNamespace(s.pidfd, fork)
}
