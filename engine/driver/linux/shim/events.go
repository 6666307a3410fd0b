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

// EventsStart is where the events begin in their file. Before them, in a line of its own, stands how far they have been handed
// out, as a decimal number of bytes from the file's start; whoever changes it holds the file's lock.
const EventsStart = 21

// EventsMark is the line that says that events have been handed out up to offset.
func EventsMark(offset int64) []byte { return fmt.Appendf(nil, "%0*d\n", EventsStart-1, offset) }

// eventLog appends notes to a task's events file. A nil log records nothing. Each write goes whole to the end of the file, so
// the shim and the stages may write at once.
type eventLog struct {
	mu   sync.Mutex
	fd   int
	hold bool // keep notes until flush
	held []byte
	wait int    // how many notes are to come before those that come now
	late []byte // those
}

// openEvents opens the events file of the task in dir for appending, or makes it.
func openEvents(dir string) (*eventLog, error) {
	path := filepath.Join(dir, EventsFile)
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_APPEND|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err == nil && st.Size == 0 {
		_, _ = unix.Write(fd, EventsMark(EventsStart))
	}
	return &eventLog{fd: fd}, nil
}

// fact records one note. An event that can't be written is lost: recording never stops a container.
func (l *eventLog) fact(kind string, attrs ...trace.Attr) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := trace.Event{Kind: kind, Phase: trace.Note, Attrs: attrs}
	if l.wait > 0 {
		l.late = append(trace.AppendJSON(l.late, e), '\n')
		return
	}
	l.held = append(trace.AppendJSON(l.held, e), '\n')
	if !l.hold {
		l.write()
	}
}

// postpone keeps notes back until resume: a program may have done something before the supervisor knows that it runs.
func (l *eventLog) postpone() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wait++
}

// resume records first and then, unless somebody else postpones, what came meanwhile.
func (l *eventLog) resume(first ...trace.Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range first {
		l.held = append(trace.AppendJSON(l.held, e), '\n')
	}
	if l.wait--; l.wait <= 0 {
		l.held, l.late, l.wait = append(l.held, l.late...), nil, 0
	}
	l.write()
}

// flush writes what is held.
func (l *eventLog) flush() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
}

func (l *eventLog) write() {
	if len(l.held) > 0 {
		_, _ = unix.Write(l.fd, l.held)
		l.held = l.held[:0]
	}
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
