//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// openEvents records in the events file of the task in dir. The shim and the stages do so at once.
func openEvents(dir string) (*eventlog.Log, error) {
	l := new(eventlog.Log)
	if err := l.Begin(filepath.Join(dir, EventsFile)); err != nil {
		return nil, err
	}
	return l, nil
}

// noteNamespaces records which namespaces the calling process is in, apart from the shim's.
func noteNamespaces(l *eventlog.Log, id string, names ...string) {
	if l == nil {
		return
	}
	for _, name := range names {
		var st unix.Stat_t
		if unix.Stat("/proc/self/ns/"+name, &st) == nil {
			l.Fact(vocab.NamespaceCreate, trace.String("container", id), trace.String("namespace", name), trace.Int("inode", int64(st.Ino)))
		}
	}
}

// noteUserMap records how ids inside are mapped to ids outside.
func noteUserMap(l *eventlog.Log, id string) {
	if l == nil {
		return
	}
	l.Fact(vocab.UserMap, trace.String("container", id), trace.String("map", idMap("uid_map")), trace.String("group_map", idMap("gid_map")))
}

func idMap(name string) string {
	data, _ := os.ReadFile("/proc/self/" + name)
	var lines []string
	for line := range strings.Lines(string(data)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, ", ")
}

// clonedNote tells how the first process was made.
func (s *shim) clonedNote() trace.Event {
	call := "clone"
	if s.groups.unified >= 0 {
		call = "clone3"
	}
	var flags []string
	for _, f := range []struct {
		bit  uintptr
		name string
	}{{unix.CLONE_NEWNS, "CLONE_NEWNS"}, {unix.CLONE_NEWPID, "CLONE_NEWPID"}, {unix.CLONE_NEWUTS, "CLONE_NEWUTS"}, {unix.CLONE_NEWIPC, "CLONE_NEWIPC"}, {unix.CLONE_NEWNET, "CLONE_NEWNET"}} {
		if s.cloned&f.bit != 0 {
			flags = append(flags, f.name)
		}
	}
	return eventlog.Note(vocab.ProcClone, trace.String("container", s.cfg.ID), trace.String("call", call), trace.Strings("flags", flags))
}

// noteJoined tells which control groups the first process is in.
func noteJoined(l *eventlog.Log, id string, dirs []string) {
	for _, dir := range dirs {
		l.Fact(vocab.CgroupJoin, trace.String("container", id), trace.String("path", dir))
	}
}

// noteOwnLimits tells which limits of its own the process has.
func noteOwnLimits(l *eventlog.Log, id string, p *Process) {
	word := func(n uint64) string {
		if n == unix.RLIM_INFINITY {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	for _, r := range p.Rlimits {
		l.Fact(vocab.RlimitSet, trace.String("container", id), trace.String("name", r.Name), trace.String("soft", word(r.Soft)), trace.String("hard", word(r.Hard)))
	}
	if p.OOMScoreAdj != 0 {
		l.Fact(vocab.OOMScoreSet, trace.String("container", id), trace.Int("value", int64(p.OOMScoreAdj)))
	}
}

// noteUser tells as whom the process goes on.
func noteUser(l *eventlog.Log, id string, p *Process) {
	if l == nil {
		return
	}
	groups := make([]string, len(p.Groups))
	for i, g := range p.Groups {
		groups[i] = strconv.FormatUint(uint64(g), 10)
	}
	l.Fact(vocab.ProcUser, trace.String("container", id), trace.Int("uid", int64(p.UID)), trace.Int("gid", int64(p.GID)), trace.Strings("groups", groups))
}

// noteShared records which namespaces the container shares, and with whom.
func noteShared(l *eventlog.Log, cfg *Config, joined []space) {
	if l == nil {
		return
	}
	of := map[string]string{}
	for _, j := range joined {
		of[j.Name] = j.Of
	}
	for _, k := range kindsOfSpace() {
		sp := k.of(&cfg.Spaces)
		if sp.Own() {
			continue
		}
		whose := of[k.name]
		if sp.Host {
			whose = "host"
		}
		var st unix.Stat_t
		if unix.Stat("/proc/self/ns/"+k.name, &st) == nil {
			l.Fact(vocab.NamespaceJoin, trace.String("container", cfg.ID), trace.String("namespace", k.name), trace.String("of", whose), trace.Int("inode", int64(st.Ino)))
		}
	}
}
