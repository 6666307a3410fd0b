package sim

import (
	"fmt"
	"hash/fnv"
	"path"
	"strconv"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
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
type setting struct{ file, value string }

func settings(l driver.Limits) []setting {
	var s []setting
	if l.MemoryBytes > 0 {
		s = append(s, setting{"memory.max", strconv.FormatInt(l.MemoryBytes, 10)})
	}
	if l.Pids > 0 {
		s = append(s, setting{"pids.max", strconv.FormatInt(l.Pids, 10)})
	}
	if l.CPUQuota > 0 {
		period := l.CPUPeriod
		if period == 0 {
			period = 100 * time.Millisecond
		}
		s = append(s, setting{"cpu.max", strconv.FormatInt(l.CPUQuota.Microseconds(), 10) + " " + strconv.FormatInt(period.Microseconds(), 10)})
	}
	return s
}

func makeGroup(root, id string, l driver.Limits, log *eventlog.Log) group {
	wanted := settings(l)
	if len(wanted) == 0 {
		return group{}
	}
	g := group{id, path.Join("/sys/fs/cgroup/learn", ownerTag(root)+"-"+id)}
	log.Fact(vocab.CgroupCreate, trace.String("container", id), trace.String("controller", "unified"), trace.String("path", g.dir))
	for _, s := range wanted {
		log.Fact(vocab.CgroupWrite, trace.String("container", id), trace.String("file", path.Join(g.dir, s.file)), trace.String("value", s.value))
	}
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
