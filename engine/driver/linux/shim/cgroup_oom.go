//go:build linux

package shim

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryFiles are the files of a memory control group, in version 1 and 2 (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
type memoryFiles struct{ events, limit, peak string }

func memoryFilesOf(version int) memoryFiles {
	if version == 1 {
		return memoryFiles{"memory.oom_control", "memory.limit_in_bytes", "memory.max_usage_in_bytes"}
	}
	return memoryFiles{"memory.events", "memory.max", "memory.peak"} // memory.peak: since Linux 5.19
}

// oom tells what the memory group counted if it had processes killed, or nil. It has to be asked before the group goes.
func (g *groups) oom() *OOM {
	for _, m := range g.members {
		files := memoryFilesOf(m.Version)
		kills := keyed(filepath.Join(m.Dir, files.events), "oom_kill")
		if kills > 0 {
			return &OOM{LimitBytes: number(filepath.Join(m.Dir, files.limit)), PeakBytes: number(filepath.Join(m.Dir, files.peak)), Kills: kills}
		}
	}
	return nil
}

// keyed reads one number of a flat keyed file; 0 if it is not there.
func keyed(file, key string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+" "); ok {
			n, _ := strconv.ParseInt(v, 10, 64)
			return n
		}
	}
	return 0
}

// unlimitedV1 is what version 1 shows where there is no limit: the largest number of whole pages.
const unlimitedV1 = math.MaxInt64 &^ (1<<16 - 1)

// number reads a file that holds one number; 0 for max, and if it is not there.
func number(file string) int64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || n >= unlimitedV1 {
		return 0
	}
	return n
}
