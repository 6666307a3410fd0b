//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// freeze stops or resumes all processes of the container: by the version 2 control group, by a freezer of version 1 that
// is made when it is first needed, or, where neither may be used, by signals.
func (s *shim) freeze(on bool) error {
	if s.foreign != nil {
		return s.foreign.freeze(on)
	}
	for _, m := range s.groups.members {
		if m.Version == 2 {
			if err := freezeV2(m.Dir, on); err == nil {
				return nil
			}
		}
	}
	err := s.freezeV1(on)
	if err == nil {
		return nil
	}
	return s.freezeBySignal(on)
}

func freezeV2(dir string, on bool) error {
	want := "0"
	if on {
		want = "1"
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte(want), 0); err != nil {
		return err
	}
	return waitFor(func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		return err != nil || strings.Contains(string(data), "frozen "+want)
	})
}

// freezeV1 first moves every process into the freezer: what is forked afterwards is born in it.
func (s *shim) freezeV1(on bool) error {
	for _, h := range Hierarchies(s.cfg.Rootless) {
		if h.Version != 1 || !h.Has("freezer") {
			continue
		}
		dir, err := s.freezer(h, on)
		if err != nil {
			return err
		}
		state := "THAWED"
		if on {
			state = "FROZEN"
			if err := s.gather(dir); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "freezer.state"), []byte(state), 0); err != nil {
			return err
		}
		return waitFor(func() bool {
			data, err := os.ReadFile(filepath.Join(dir, "freezer.state"))
			return err != nil || strings.TrimSpace(string(data)) == state
		})
	}
	return errors.New("no freezer")
}

// freezer gives the container's group in the freezer h, made if it has to be. What was never frozen has none to thaw.
func (s *shim) freezer(h MountedHierarchy, create bool) (string, error) {
	if create {
		return s.groups.mkdir(h, h.name())
	}
	dir := filepath.Join(h.Parent(), s.groups.name)
	_, err := os.Lstat(dir)
	return dir, err
}

// gather moves processes until a look round finds none outside.
func (s *shim) gather(dir string) error {
	file := filepath.Join(dir, "cgroup.procs")
	for range 100 {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		inside := map[string]bool{}
		for _, pid := range strings.Fields(string(data)) {
			inside[pid] = true
		}
		moved := false
		for _, pid := range s.members() {
			if p := strconv.Itoa(pid); !inside[p] {
				moved = true
				if err := os.WriteFile(file, []byte(p), 0); err != nil && !errors.Is(err, unix.ESRCH) {
					return err
				}
			}
		}
		if !moved {
			return nil
		}
	}
	return errors.New("processes are made faster than they can be moved")
}

// freezeBySignal stops the first process last and wakes it first, so that it does not see its children stop.
func (s *shim) freezeBySignal(on bool) error {
	pids := s.members()
	sig := unix.SIGCONT
	if on {
		sig = unix.SIGSTOP
	}
	for i := range pids {
		pid := pids[i]
		if on {
			pid = pids[len(pids)-1-i]
		}
		if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
	}
	return nil
}

func waitFor(done func() bool) error {
	for range 500 {
		if done() {
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errors.New("the kernel did not finish within a second")
}
