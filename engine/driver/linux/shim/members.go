//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// members lists the container's processes. Those in a process namespace of its own descend from the supervisor. In one that others share, an
// orphan becomes a child of somebody else: the control group still has it, and so has the mount namespace, which nobody else is in.
func (s *shim) members() []int {
	pids := descendants(os.Getpid())
	if s.cfg.Spaces.PID.Own() {
		return pids
	}
	seen := map[int]bool{}
	for _, p := range pids {
		seen[p] = true
	}
	for _, p := range append(s.groups.processes(), inMounts(s.record.Mounts)...) {
		if !seen[p] {
			seen[p] = true
			pids = append(pids, p)
		}
	}
	return pids
}

// processes are those in the container's control groups.
func (g *groups) processes() []int {
	var pids []int
	for _, m := range g.members {
		pids = append(pids, groupProcesses(m.Dir)...)
	}
	return pids
}

// inMounts lists the processes in the mount namespace of this number; 0 is none.
func inMounts(number uint64) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil || number == 0 {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && mountsOf(pid) == number {
			pids = append(pids, pid)
		}
	}
	return pids
}

// mountsOf is the number of a process's mount namespace, 0 if it can't be had.
func mountsOf(pid int) uint64 {
	var st unix.Stat_t
	if unix.Stat("/proc/"+strconv.Itoa(pid)+"/ns/mnt", &st) != nil {
		return 0
	}
	return st.Ino
}

// endRest ends what a first process leaves behind that was not the first in a process namespace of its own: the kernel does not do it then.
func (s *shim) endRest() {
	if s.cfg.Spaces.PID.Own() {
		return
	}
	for _, m := range s.groups.members {
		_ = os.WriteFile(filepath.Join(m.Dir, "cgroup.kill"), []byte("1"), 0) // of version 2, and at one stroke
	}
	killAll(s.members, func(pid int) bool {
		return mountsOf(pid) == s.record.Mounts || slices.Contains(s.groups.processes(), pid)
	})
}

// KillShared ends the processes of a recorded task whose supervisor died and whose process namespace is not its own.
func (r Record) KillShared() {
	if r.Mounts == 0 || r.BootID != BootID() {
		return
	}
	killAll(func() []int { return inMounts(r.Mounts) }, func(pid int) bool { return mountsOf(pid) == r.Mounts })
}

// killAll kills until nobody is left, or nobody dies any more. Each is held by a descriptor and looked at again, so that a number that somebody
// else got meanwhile is not hit.
func killAll(list func() []int, ours func(pid int) bool) {
	for range 200 {
		left := 0
		for _, pid := range list() {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue
			}
			if st, err := readStat(pid); err == nil && st.state != 'Z' && st.state != 'X' && ours(pid) {
				left++
				_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			}
			unix.Close(fd)
		}
		if left == 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}
