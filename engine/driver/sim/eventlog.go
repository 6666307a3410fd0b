package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/learn-containers/learn/trace"
)

// eventsStart is where the events begin in their file. Before them, in a line of its own, stands how far they have been handed out, as
// a decimal number of bytes from the file's start; whoever changes it holds the hand-out lock.
const eventsStart = 21

func eventsMark(offset int64) []byte { return fmt.Appendf(nil, "%0*d\n", eventsStart-1, offset) }

// eventLog appends notes to a task's events file, if it is on. Recording never stops a container: an event that can't be written is lost.
type eventLog struct {
	dir  string
	mu   sync.Mutex
	f    *os.File // nil: nothing is recorded
	hold bool     // keep notes until flush
	held []byte
	wait int    // how many notes are to come before those that come by themselves
	late []byte // those, meanwhile
}

func note(kind string, attrs ...trace.Attr) trace.Event {
	return trace.Event{Kind: kind, Phase: trace.Note, Attrs: attrs}
}

// begin opens the file. It is no error if it is open.
func (l *eventLog) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(l.dir, eventsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	if st, err := f.Stat(); err == nil && st.Size() == 0 {
		_, _ = f.Write(eventsMark(eventsStart))
	}
	l.f = f
	return nil
}

func (l *eventLog) on() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f != nil
}

// fact records one note.
func (l *eventLog) fact(kind string, attrs ...trace.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return
	}
	if l.wait > 0 {
		l.late = append(trace.AppendJSON(l.late, note(kind, attrs...)), '\n')
		return
	}
	l.held = append(trace.AppendJSON(l.held, note(kind, attrs...)), '\n')
	l.write()
}

// observed records one note on what programs do. Those of the time before flush come after what started the first of them.
func (l *eventLog) observed(kind string, attrs ...trace.Attr) {
	l.mu.Lock()
	early := l.f != nil && l.hold
	if early {
		l.late = append(trace.AppendJSON(l.late, note(kind, attrs...)), '\n')
	}
	l.mu.Unlock()
	if !early {
		l.fact(kind, attrs...)
	}
}

// postpone keeps what happens from now on behind the notes that resume gives: a program may have done something before the one who
// started it has said so.
func (l *eventLog) postpone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wait++
}

// resume records first and then, unless somebody else postpones, what happened meanwhile.
func (l *eventLog) resume(first ...trace.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wait--
	if l.f == nil {
		return
	}
	for _, e := range first {
		l.held = append(trace.AppendJSON(l.held, e), '\n')
	}
	if l.wait == 0 {
		l.held = append(l.held, l.late...)
		l.late = nil
	}
	l.write()
}

// holdBack keeps notes in memory until flush: a start makes dozens of small ones.
func (l *eventLog) holdBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = true
}

func (l *eventLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endHold()
}

func (l *eventLog) endHold() {
	l.hold = false
	if l.wait == 0 {
		l.held = append(l.held, l.late...)
		l.late = nil
	}
	l.write()
}

func (l *eventLog) write() {
	if !l.hold && l.f != nil && len(l.held) > 0 {
		_, _ = l.f.Write(l.held)
		l.held = l.held[:0]
	}
}

func (l *eventLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endHold()
	if l.f != nil {
		_ = l.f.Close()
		l.f = nil
	}
}

// takeEvents returns what of the events in dir has not been handed out yet, up to the first event of kind (empty: all), and marks it as
// handed out.
func takeEvents(ctx context.Context, dir, kind string) ([]trace.Event, error) {
	path := filepath.Join(dir, eventsFile)
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	lock := flock.New(filepath.Join(dir, handFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(context.WithoutCancel(ctx), time.Millisecond); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("lock events: %w", err)
	}
	defer func() { _ = lock.Close() }()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	offset := readMark(f)
	data, err := io.ReadAll(io.NewSectionReader(f, offset, 1<<40))
	if err != nil {
		return nil, err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	if len(data) == 0 {
		return nil, nil
	}
	events, length := parseEvents(data, kind)
	_, err = f.WriteAt(eventsMark(offset+int64(length)), 0)
	return events, err
}

func readMark(f io.ReaderAt) int64 {
	buf := make([]byte, eventsStart)
	n, _ := f.ReadAt(buf, 0)
	v, err := strconv.ParseInt(strings.TrimSuffix(string(buf[:n]), "\n"), 10, 64)
	if err != nil || v < eventsStart {
		return eventsStart
	}
	return v
}

// parseEvents reads lines up to the first event of kind and tells how many bytes that were. It passes over lines that are no events: a
// process may have died while it wrote one.
func parseEvents(data []byte, kind string) (events []trace.Event, length int) {
	for line := range bytes.Lines(data) {
		length += len(line)
		e, err := trace.ParseJSON(line)
		if err != nil {
			continue
		}
		events = append(events, e)
		if e.Kind == kind {
			break
		}
	}
	return events, length
}
