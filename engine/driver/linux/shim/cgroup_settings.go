//go:build linux

package shim

import (
	"slices"
	"strconv"
	"time"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// setting is one limit: its controller, and what is written for it in either version of control groups. Without writes, a version can't
// keep it.
type setting struct {
	controller string
	v1, v2     []write
	set        bool // false: it takes the limit away
}

// write is a value for a file of a control group. Which of several files there is depends on the kernel: the first one that is there counts.
type write struct {
	file, value string
	otherwise   *write
	none        bool // the value is no limit, which is what a kernel without the file keeps to
}

func (s setting) writes(version int) []write {
	if version == 1 {
		return s.v1
	}
	return s.v2
}

// settings are the limits that l has.
func settings(l Limits) []setting {
	var wanted []setting
	for _, s := range allSettings(l) {
		if s.set {
			wanted = append(wanted, s)
		}
	}
	return wanted
}

// changes are the settings that turn from into to.
func changes(from, to Limits) []setting {
	before, after := allSettings(from), allSettings(to)
	var changed []setting
	for i, s := range after {
		if before[i].equal(s) {
			continue
		}
		if i == 0 && before[i].set && (!s.set || to.MemoryBytes > from.MemoryBytes) {
			slices.Reverse(s.v1) // version 1 never lets both together be less than memory alone
		}
		changed = append(changed, s)
	}
	return changed
}

func (s setting) equal(o setting) bool {
	same := func(a, b []write) bool {
		for i := range a {
			if i >= len(b) || a[i].file != b[i].file || a[i].value != b[i].value {
				return false
			}
		}
		return len(a) == len(b)
	}
	return s.set == o.set && same(s.v1, o.v1) && same(s.v2, o.v2)
}

// allSettings has one entry for each limit there is, always in the same order, that of memory first.
func allSettings(l Limits) []setting {
	return []setting{memorySetting(l), lowSetting(l), oomSetting(l), swappinessSetting(l), pidsSetting(l), quotaSetting(l), sharesSetting(l),
		cpusetSetting("cpuset.cpus", l.CPUs), cpusetSetting("cpuset.mems", l.Mems), weightSetting(l)}
}

// memorySetting is the limit of memory and that of swap: version 1 wants both together in the second file, version 2 swap alone.
func memorySetting(l Limits) setting {
	s := setting{controller: "memory", set: l.MemoryBytes > 0, v1: []write{{file: "memory.limit_in_bytes", value: orNone(l.MemoryBytes, "-1")}},
		v2: []write{{file: "memory.max", value: orNone(l.MemoryBytes, "max")}}}
	both, swap := "-1", "max"
	if l.MemorySwapBytes > 0 {
		both, swap = strconv.FormatInt(l.MemorySwapBytes, 10), strconv.FormatInt(max(0, l.MemorySwapBytes-l.MemoryBytes), 10)
	}
	if l.MemorySwapBytes != 0 || !s.set {
		none := l.MemorySwapBytes <= 0
		s.v1 = append(s.v1, write{file: "memory.memsw.limit_in_bytes", value: both, none: none})
		s.v2 = append(s.v2, write{file: "memory.swap.max", value: swap, none: none})
	}
	return s
}

func lowSetting(l Limits) setting {
	return setting{controller: "memory", set: l.MemoryLowBytes > 0, v1: []write{{file: "memory.soft_limit_in_bytes", value: orNone(l.MemoryLowBytes, "-1")}},
		v2: []write{{file: "memory.low", value: orNone(l.MemoryLowBytes, "0")}}}
}

func oomSetting(l Limits) setting {
	value := "0"
	if l.OOMKillDisabled {
		value = "1"
	}
	return setting{controller: "memory", set: l.OOMKillDisabled, v1: []write{{file: "memory.oom_control", value: value}}}
}

func swappinessSetting(l Limits) setting {
	s := setting{controller: "memory", set: l.Swappiness != nil}
	if s.set {
		s.v1 = []write{{file: "memory.swappiness", value: strconv.FormatInt(*l.Swappiness, 10)}}
	}
	return s
}

func pidsSetting(l Limits) setting {
	w := []write{{file: "pids.max", value: orNone(l.Pids, "max")}}
	return setting{controller: "pids", set: l.Pids > 0, v1: w, v2: w}
}

const usualPeriod = 100 * time.Millisecond

func quotaSetting(l Limits) setting {
	period := l.CPUPeriod
	if period == 0 {
		period = usualPeriod
	}
	p := strconv.FormatInt(period.Microseconds(), 10)
	return setting{controller: "cpu", set: l.CPUQuota > 0 || l.CPUPeriod > 0,
		v1: []write{{file: "cpu.cfs_period_us", value: p}, {file: "cpu.cfs_quota_us", value: orNone(l.CPUQuota.Microseconds(), "-1")}},
		v2: []write{{file: "cpu.max", value: orNone(l.CPUQuota.Microseconds(), "max") + " " + p}}}
}

func sharesSetting(l Limits) setting {
	return setting{controller: "cpu", set: l.CPUShares > 0, v1: []write{{file: "cpu.shares", value: orNone(l.CPUShares, "1024")}},
		v2: []write{{file: "cpu.weight", value: strconv.FormatUint(standard.CPUWeight(l.CPUShares), 10)}}}
}

// cpusetSetting limits to a list; an empty one gives back all that the parent has.
func cpusetSetting(file, list string) setting {
	value := list
	if value == "" {
		value = "\n" // an empty write would not reach the kernel
	}
	s := setting{controller: "cpuset", set: list != "", v2: []write{{file: file, value: value}}}
	if list != "" {
		s.v1 = s.v2
	}
	return s
}

// weightSetting is for disks. Which file there is depends on the scheduler that the kernel has; io.weight goes from 1 to 10000.
func weightSetting(l Limits) setting {
	w, io := int64(l.BlkioWeight), int64(100)
	if w > 0 {
		io = 1 + (w-10)*9999/990
	} else {
		w = 100
	}
	value := strconv.FormatInt(w, 10)
	return setting{controller: "io", set: l.BlkioWeight > 0,
		v1: []write{{file: "blkio.weight", value: value, otherwise: &write{file: "blkio.bfq.weight", value: value}}},
		v2: []write{{file: "io.bfq.weight", value: value, otherwise: &write{file: "io.weight", value: strconv.FormatInt(io, 10)}}}}
}

func orNone(n int64, none string) string {
	if n <= 0 {
		return none
	}
	return strconv.FormatInt(n, 10)
}

// controllerIn is the name that a controller has in a version: disks are blkio in version 1.
func controllerIn(version int, name string) string {
	if name == "io" && version == 1 {
		return "blkio"
	}
	return name
}
