//go:build linux

package shim

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/health"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// watchHealth begins to probe the container, if it is to be.
func (s *shim) watchHealth() {
	if s.cfg.Health == nil {
		return
	}
	before, _ := health.Read(s.cfg.Dir)
	s.monitor = health.Start(s.cfg.Health, health.Host{
		Now:    time.Now,
		After:  func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop },
		Probe:  s.probe,
		Ending: s.ending,
		Keep:   s.keepHealth,
	}, s.record.StartedAt, before)
}

// ending reports whether the first process has ended or is on its way out, on which it takes along the rest of its process namespace.
func (s *shim) ending() bool {
	st, err := readStat(s.pid)
	return err != nil || st.start != s.record.StartTime || st.flags&pfExiting != 0
}

// keepHealth writes down what was found out.
func (s *shim) keepHealth(r health.Record, res *health.Result, changed bool) {
	if err := health.Write(s.cfg.Dir, r); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
	}
	events := s.eventLog()
	if res != nil {
		events.Fact(vocab.HealthProbe, trace.String("container", s.cfg.ID), trace.Strings("argv", s.cfg.Health.Test), trace.Int("exit_code", int64(res.ExitCode)))
	}
	if changed {
		events.Fact(vocab.HealthState, trace.String("container", s.cfg.ID), trace.String("status", string(r.Status)), trace.Int("streak", int64(r.Streak)))
	}
}

// probeGrace bounds the wait for the output of a probe that ended: something that it left behind may hold the pipe open.
const probeGrace = 200 * time.Millisecond

// probe runs one check as a further process of the container and keeps the beginning of what it says. Its output goes past the log.
func (s *shim) probe(argv []string, cancel <-chan struct{}) (int, string, error) {
	r, w, err := pipe()
	if err != nil {
		return 0, "", err
	}
	output := pollable(r, "probe")
	defer output.Close()
	pid, err := s.startProbe(argv, w)
	if err != nil {
		if pid > 0 {
			_ = unix.Kill(pid, unix.SIGKILL)
			waitPid(pid)
		}
		return 0, "", err
	}
	var said health.Output
	copied := make(chan struct{})
	go func() { _, _ = io.Copy(&said, output); close(copied) }()
	ended := make(chan int, 1)
	go func() { ended <- exitOf(waitPid(pid)).Code }()
	var code int
	select {
	case code = <-ended:
	case <-cancel:
		_ = unix.Kill(pid, unix.SIGKILL)
		code = <-ended
	}
	_ = output.SetReadDeadline(time.Now().Add(probeGrace))
	<-copied
	return code, said.String(), nil
}

// startProbe returns when the program runs. It takes w; after an error a pid that is not zero is still to be waited for.
func (s *shim) startProbe(argv []string, w int) (pid int, err error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(w)
		return 0, pathError("open", "/dev/null", err)
	}
	p := s.cfg.Process
	p.Args, p.Terminal, p.Init = argv, false, false
	_, pid, err = s.runInside(&stdio{child: [3]int{null, w, dup(w)}}, &p)
	return pid, err
}
