package sim

import (
	"fmt"
	"hash/fnv"
	"path"
	"strconv"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// group is the control group of a container, as the machine would have it under version 2. The kernel keeps the limits; this is their
// story. A container without limits needs no group.
type group struct {
	id, dir string // no dir: there is none
}

// ownerTag stands for a home in the names of control groups.
func ownerTag(root string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(root))
	return fmt.Sprintf("%08x", h.Sum32())
}

// setting is one limit: its file and what is written there.
type setting struct {
	file, value string
	set         bool // false: the limit is not there
}

func settings(l driver.Limits) []setting {
	var s []setting
	for _, one := range allSettings(l) {
		if one.set {
			s = append(s, one)
		}
	}
	return s
}

// allSettings has one entry for each limit, always in the same order: what is written without one is the kernel's own beginning.
func allSettings(l driver.Limits) []setting {
	period := l.CPUPeriod
	if period == 0 {
		period = 100 * time.Millisecond
	}
	swap := int64(0)
	if l.MemorySwapBytes > 0 {
		swap = l.MemorySwapBytes - l.MemoryBytes
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []setting{
		{"memory.max", orMax(l.MemoryBytes), l.MemoryBytes > 0},
		{"memory.swap.max", orMax(swap), l.MemoryBytes > 0 && l.MemorySwapBytes > 0},
		{"memory.low", number(l.MemoryLowBytes), l.MemoryLowBytes > 0},
		{"pids.max", orMax(l.Pids), l.Pids > 0},
		{"cpu.max", orMax(l.CPUQuota.Microseconds()) + " " + number(period.Microseconds()), l.CPUQuota > 0 || l.CPUPeriod > 0},
		{"cpu.weight", strconv.FormatUint(standard.CPUWeight(l.CPUShares), 10), l.CPUShares > 0},
		{"cpuset.cpus", l.CPUs, l.CPUs != ""},
		{"cpuset.mems", l.Mems, l.Mems != ""},
	}
}

func orMax(n int64) string {
	if n <= 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// update tells how the limits change. A container that had none gets a group.
func (g *group) update(root, id string, from, to driver.Limits, log *eventlog.Log) {
	before, after := allSettings(from), allSettings(to)
	var changed []setting
	for i, s := range after {
		if s != before[i] {
			changed = append(changed, s)
		}
	}
	if g.dir == "" {
		*g = makeGroup(root, id, to, log)
		return
	}
	g.write(changed, log)
}

func (g *group) write(wanted []setting, log *eventlog.Log) {
	for _, s := range wanted {
		log.Fact(vocab.CgroupWrite, trace.String("container", g.id), trace.String("file", path.Join(g.dir, s.file)), trace.String("value", s.value))
	}
}

func makeGroup(root, id string, l driver.Limits, log *eventlog.Log) group {
	wanted := settings(l)
	if len(wanted) == 0 {
		return group{}
	}
	g := group{id, path.Join("/sys/fs/cgroup/learn", ownerTag(root)+"-"+id)}
	log.Fact(vocab.CgroupCreate, trace.String("container", id), trace.String("controller", "unified"), trace.String("path", g.dir))
	g.write(wanted, log)
	return g
}

func (g *group) remove(log *eventlog.Log) {
	if g.dir != "" {
		log.Fact(vocab.CgroupRemove, trace.String("container", g.id), trace.String("path", g.dir))
	}
	g.dir = ""
}

// joined tells that the first process is in the group.
func (g group) joined(log *eventlog.Log) {
	if g.dir != "" {
		log.Fact(vocab.CgroupJoin, trace.String("container", g.id), trace.String("path", g.dir))
	}
}
