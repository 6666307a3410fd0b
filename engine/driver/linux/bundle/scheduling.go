//go:build linux

package bundle

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// setScheduling sets policy, priority of input and output, and nothing that the config does not name.
func (g *program) setScheduling() error {
	if g.p.Scheduler != nil {
		attr, err := schedAttr(g.p.Scheduler)
		if err != nil {
			return err
		}
		if err := unix.SchedSetAttr(0, attr, 0); err != nil {
			return fmt.Errorf("set scheduler: %w", err)
		}
	}
	if g.p.IOPriority != nil {
		prio, err := ioPriority(g.p.IOPriority)
		if err != nil {
			return err
		}
		const who = 1 // IOPRIO_WHO_PROCESS
		if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, who, 0, uintptr(prio)); errno != 0 {
			return fmt.Errorf("set priority of input and output: %w", errno)
		}
	}
	return nil
}

func schedAttr(s *specs.Scheduler) (*unix.SchedAttr, error) {
	policies := map[specs.LinuxSchedulerPolicy]uint32{specs.SchedOther: unix.SCHED_NORMAL, specs.SchedFIFO: unix.SCHED_FIFO, specs.SchedRR: unix.SCHED_RR,
		specs.SchedBatch: unix.SCHED_BATCH, specs.SchedIdle: unix.SCHED_IDLE, specs.SchedDeadline: unix.SCHED_DEADLINE}
	policy, ok := policies[s.Policy]
	if !ok {
		return nil, fmt.Errorf("process.scheduler: no such policy: %q", s.Policy)
	}
	flags := map[specs.LinuxSchedulerFlag]uint64{specs.SchedFlagResetOnFork: unix.SCHED_FLAG_RESET_ON_FORK, specs.SchedFlagReclaim: unix.SCHED_FLAG_RECLAIM,
		specs.SchedFlagDLOverrun: unix.SCHED_FLAG_DL_OVERRUN, specs.SchedFlagKeepPolicy: unix.SCHED_FLAG_KEEP_POLICY, specs.SchedFlagKeepParams: unix.SCHED_FLAG_KEEP_PARAMS,
		specs.SchedFlagUtilClampMin: unix.SCHED_FLAG_UTIL_CLAMP_MIN, specs.SchedFlagUtilClampMax: unix.SCHED_FLAG_UTIL_CLAMP_MAX}
	a := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy, Nice: s.Nice, Priority: uint32(s.Priority), Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period}
	for _, f := range s.Flags {
		bit, ok := flags[f]
		if !ok {
			return nil, fmt.Errorf("process.scheduler: no such flag: %q", f)
		}
		a.Flags |= bit
	}
	return a, nil
}

// ioPriority packs class and level as ioprio_set(2) takes them.
func ioPriority(p *specs.LinuxIOPriority) (int, error) {
	class := map[specs.IOPriorityClass]int{specs.IOPRIO_CLASS_RT: 1, specs.IOPRIO_CLASS_BE: 2, specs.IOPRIO_CLASS_IDLE: 3}[p.Class]
	if class == 0 {
		return 0, fmt.Errorf("process.ioPriority: no such class: %q", p.Class)
	}
	if p.Priority < 0 || p.Priority > 7 {
		return 0, fmt.Errorf("process.ioPriority: the priority must be between 0 and 7, not %d", p.Priority)
	}
	return class<<13 | p.Priority, nil
}

// cpuSet reads a list of processors like 0-2,4 (cpuset(7)).
func cpuSet(list string) (*unix.CPUSet, error) {
	var set unix.CPUSet
	if list == "" {
		return &set, nil
	}
	const most = 1024
	for _, part := range strings.Split(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && isRange {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 0 || last < first || last >= most {
			return nil, fmt.Errorf("list of processors %q: expected numbers below %d and ranges of them, as in 0-2,4", list, most)
		}
		for cpu := first; cpu <= last; cpu++ {
			set.Set(cpu)
		}
	}
	return &set, nil
}

// setAffinity binds a process to processors; an empty list leaves it.
func setAffinity(pid int, list string) error {
	if list == "" {
		return nil
	}
	set, err := cpuSet(list)
	if err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(pid, set); err != nil {
		return fmt.Errorf("bind process to processors %s: %w", list, err)
	}
	return nil
}

// setPersonality sets the execution domain (personality(2)).
func setPersonality(p *specs.LinuxPersonality) error {
	if p == nil {
		return nil
	}
	domain := map[specs.LinuxPersonalityDomain]uintptr{specs.PerLinux: 0, specs.PerLinux32: 8}
	n, ok := domain[p.Domain]
	if !ok {
		return fmt.Errorf("linux.personality: no such domain: %q", p.Domain)
	}
	if len(p.Flags) > 0 {
		return fmt.Errorf("linux.personality: no such flag: %q", p.Flags[0])
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, n, 0, 0); errno != 0 {
		return fmt.Errorf("set personality: %w", errno)
	}
	return nil
}
