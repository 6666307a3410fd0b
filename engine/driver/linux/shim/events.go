//go:build linux

package shim

import (
	"os"
	"path/filepath"
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
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	l.Fact(vocab.UserMap, trace.String("container", id), trace.String("map", strings.Join(lines, "\n")))
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
