//go:build linux

package shim

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// setRlimits bounds the calling process and what it becomes. By syscall and not by number: Go sets the soft limit of files back at an
// execve unless it has seen it changed.
func setRlimits(limits []Rlimit) error {
	for _, l := range limits {
		err := syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard})
		if err == nil {
			continue
		}
		var has syscall.Rlimit
		if errors.Is(err, unix.EPERM) && syscall.Getrlimit(l.Resource, &has) == nil && l.Hard > has.Max {
			return fmt.Errorf("set ulimit %s=%s:%s: %w: a hard limit above %s needs CAP_SYS_RESOURCE of the whole machine, which this user does not have; choose no more than that, or start the command with a higher one (ulimit -H)",
				l.Name, rlimitText(l.Soft), rlimitText(l.Hard), err, rlimitText(has.Max))
		}
		return fmt.Errorf("set ulimit %s=%s:%s: %w", l.Name, rlimitText(l.Soft), rlimitText(l.Hard), err)
	}
	return nil
}

func rlimitText(n uint64) string {
	if n == math.MaxUint64 {
		return "-1"
	}
	return strconv.FormatUint(n, 10)
}

// adjustOOMScore tells the kernel how gladly to kill a stage, and what it becomes, when the machine runs out of memory.
func adjustOOMScore(pid int, p *Process) error {
	if p.OOMScoreAdj == 0 {
		return nil
	}
	value := strconv.Itoa(p.OOMScoreAdj)
	err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte(value), 0)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("set oom-score-adj %s: %w: a lower value than the command has itself needs CAP_SYS_RESOURCE of the whole machine, which this user does not have; choose a higher one", value, err)
	}
	if err != nil {
		return fmt.Errorf("set oom-score-adj %s: %w", value, err)
	}
	return nil
}
