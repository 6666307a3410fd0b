//go:build linux

package shim

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/respawn"
)

// setOnEnd changes what is run after the end.
func (s *shim) setOnEnd(req *Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return unix.ESRCH
	}
	s.cfg.OnEnd, s.cfg.OnExitEnv, s.cfg.Rested = req.OnEnd, req.Env, req.Rested
	s.record.Rests = len(req.OnEnd) > 0
	return writeFile(s.cfg.Dir, TaskFile, s.record, false)
}

// rest is what is left of a supervisor after the end of a container that may be started again: it waits its time and has that done, unless it
// is dismissed before. That it lives is how others know that somebody will. It holds nothing of the container any more.
func (s *shim) rest() {
	for _, fd := range []*int{&s.mounts, &s.pidfd} {
		if *fd > 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
	trim()
	due := time.NewTimer(respawn.Next(s.cfg.Rested, s.exit.At.Sub(s.record.StartedAt)) - time.Since(s.exit.At))
	defer due.Stop()
	select {
	case <-s.dismissed:
		return
	case <-due.C:
	}
	pid, err := s.runDetached(s.cfg.OnEnd)
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: the container is not started again")
		return
	}
	ended := make(chan struct{})
	go func() { waitPid(pid); close(ended) }()
	select {
	case <-s.dismissed: // by the command itself: it makes a new supervisor
	case <-ended:
	}
}
