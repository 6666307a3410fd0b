//go:build linux

package linux

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// Capacity implements driver.Measurer. What only a group below the top shows counts as there while no group shows anything: the start
// will tell.
func (r *Runtime) Capacity(context.Context) (driver.Capacity, error) {
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		return driver.Capacity{}, fmt.Errorf("count CPUs: %w", err)
	}
	c := driver.Capacity{CPUs: cpus.Count(), CPUList: firstLine("/sys/devices/system/cpu/online"), MemList: firstLine("/sys/devices/system/node/online"),
		MemoryBytes: shim.MachineMemory(), Swap: true, BlkioWeight: true}
	if c.MemList == "" {
		c.MemList = "0" // no CONFIG_NUMA
	}
	for _, h := range shim.Hierarchies(r.mode.Rootless) {
		if h.Has("memory") {
			c.Swap = shown(h, "memory.max", "memory.swap.max", "memory.memsw.limit_in_bytes")
			c.Swappiness, c.OOMKill = h.Version == 1, h.Version == 1
		}
		if h.Has("io") || h.Has("blkio") {
			c.BlkioWeight = shown(h, "io.max", "io.weight", "io.bfq.weight", "blkio.weight", "blkio.bfq.weight")
		}
		if h.Has("cpuset") {
			c.CPUList = lineOr(c.CPUList, h, "cpuset.cpus.effective", "cpuset.effective_cpus")
			c.MemList = lineOr(c.MemList, h, "cpuset.mems.effective", "cpuset.effective_mems")
		}
	}
	return c, nil
}

// shown reports whether one of the files is in the groups of h. Those at the very top may lack it, so one below is looked for; mark is in
// every group of version 2 that the controller governs.
func shown(h shim.MountedHierarchy, mark string, files ...string) bool {
	if h.Version == 1 {
		mark = "cgroup.procs" // all of the hierarchy is governed
	}
	below, _ := filepath.Glob(filepath.Join(h.Dir, "*"))
	governed := false
	for _, dir := range append(below, h.Base, h.Parent()) {
		for _, f := range files {
			if there(dir, f) {
				return true
			}
		}
		governed = governed || dir != h.Dir && there(dir, mark)
	}
	return !governed
}

func there(dir, file string) bool {
	_, err := os.Lstat(filepath.Join(dir, file))
	return err == nil
}

func lineOr(otherwise string, h shim.MountedHierarchy, files ...string) string {
	for _, f := range files {
		if line := firstLine(filepath.Join(h.Base, f)); line != "" {
			return line
		}
	}
	return otherwise
}

func firstLine(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line)
}
