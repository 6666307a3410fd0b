//go:build linux

package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/failpoint"
)

// finish records the end, tells those who wait, cleans up and ends the process.
func (s *shim) finish(ws unix.WaitStatus) {
	failpoint.Hit("shim.exit.before-record")
	s.exit = exitOf(ws)
	s.endRest()
	s.exit.OOM = s.groups.oom()
	s.exit.OOMKilled = s.exit.OOM != nil
	s.monitor.Stop()
	s.io.drain()
	s.log.Close()
	if s.foreign != nil {
		s.foreign.remove()
	}
	s.endWatch() // what programs did comes before what their end brings
	s.withdraw()
	s.endTrace()
	s.groups.remove()
	s.eventLog().Settle() // a signal that ended it
	s.witness.close()
	if err := writeFile(s.cfg.Dir, ExitFile, s.exit, !s.cfg.Ephemeral); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: record exit:", err)
	}
	failpoint.Hit("shim.exit.after-record")
	s.mu.Lock()
	s.ended = true
	rests := len(s.cfg.OnEnd) > 0
	s.mu.Unlock()
	if rests {
		failpoint.Hit("shim.rest")
	} else {
		s.closeSocket()
	}
	close(s.done) // from here on the folder may be gone at any time
	s.disconnect()
	s.farewell()
	s.endFiles()
	if !s.told.Load() && len(s.cfg.OnExit) > 0 {
		s.runOnExit()
	}
	SweepGroups(s.cfg.Owner, s.cfg.Rootless)
	if rests {
		s.rest()
		s.closeSocket()
	}
	os.Exit(0)
}

func (s *shim) closeSocket() {
	_ = os.Remove(filepath.Join(s.cfg.Dir, socketName))
	s.dropStderr()
}

// farewell gives the connections a moment to take their answers.
func (s *shim) farewell() {
	select {
	case <-s.talks.Quiet():
	case <-time.After(2 * time.Second):
	}
}

// runOnExit starts the command that nobody is there to run, as a process of its own.
func (s *shim) runOnExit() { _, _ = s.runDetached(s.cfg.OnExit) }

func (s *shim) runDetached(argv []string) (pid int, err error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(null)
	fd := uintptr(null)
	pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Dir: "/", Env: s.cfg.OnExitEnv,
		Files: []uintptr{fd, fd, fd}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: run", argv[0]+":", err)
	}
	return pid, err
}

// dropStderr removes the file for the supervisor's own complaints when there were none.
func (s *shim) dropStderr() {
	name := filepath.Join(s.cfg.Dir, StderrFile)
	if st, err := os.Stat(name); err == nil && st.Size() == 0 {
		_ = os.Remove(name)
	}
}
