//go:build linux

package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// eventLog appends notes to a task's events file. A nil log records nothing. Each line is one write to a file opened for
// appending, so the shim and the stages may write at once.
type eventLog struct {
	mu sync.Mutex
	f  *os.File
}

func openEvents(dir string) (*eventLog, error) {
	f, err := os.OpenFile(filepath.Join(dir, EventsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	return &eventLog{f: f}, nil
}

// fact records one note. An event that can't be written is lost: recording never stops a container.
func (l *eventLog) fact(kind string, attrs ...trace.Attr) {
	if l == nil {
		return
	}
	line := trace.AppendJSON(nil, trace.Event{Kind: kind, Phase: trace.Note, Attrs: attrs})
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.f.Write(append(line, '\n'))
}

// namespaces records which namespaces the calling process is in, apart from the shim's.
func (l *eventLog) namespaces(id string, names ...string) {
	if l == nil {
		return
	}
	for _, name := range names {
		var st unix.Stat_t
		if unix.Stat("/proc/self/ns/"+name, &st) == nil {
			l.fact(vocab.NamespaceCreate, trace.String("container", id), trace.String("namespace", name), trace.Int("inode", int64(st.Ino)))
		}
	}
}

// userMap records how ids inside are mapped to ids outside.
func (l *eventLog) userMap(id string) {
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
	l.fact(vocab.UserMap, trace.String("container", id), trace.String("map", strings.Join(lines, "\n")))
}
