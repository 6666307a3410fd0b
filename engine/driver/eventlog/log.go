// Package eventlog is the file in which a supervisor writes down what happens in a container, and from which any command hands it out as
// trace events, each once.
//
// The file begins with a mark: a line that says how far events have been handed out. After it comes an event per line. Writers append, so
// several processes may write at once; whoever hands out holds a lock, which is the driver's affair.
//
// It is not a trace: it numbers nothing and keeps no order but that of writing, in which what was caused comes after its cause.
//
// Invariants: a write is whole lines; only the mark is ever written over; an event that can't be written is lost, for recording never stops
// a container.
package eventlog

import (
	"fmt"
	"os"
	"sync"

	"github.com/learn-containers/learn/trace"
)

// Log records notes in a file. A nil log, and one that has not begun, records nothing. Its methods may be called from many goroutines.
type Log struct {
	mu   sync.Mutex
	f    *os.File // nil: nothing is recorded
	hold bool     // keep notes until Flush
	held []byte
	wait int    // how many notes are to come before those that come by themselves
	late []byte // those, meanwhile

	resumed chan struct{} // not nil: closed when wait is 0 again
}

// Note is the event that says that kind happened.
func Note(kind string, attrs ...trace.Attr) trace.Event {
	return trace.Event{Kind: kind, Phase: trace.Note, Attrs: attrs}
}

// Begin records in the file path from now on, which is made if it has to be. It is no error if the log has begun. The caller closes the log.
func (l *Log) Begin(path string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("record events: %w", err)
	}
	if st, err := f.Stat(); err == nil && st.Size() == 0 {
		_, _ = f.Write(mark(start))
	}
	l.f = f
	return nil
}

// On tells whether the log records.
func (l *Log) On() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f != nil
}

// Fact records one note.
func (l *Log) Fact(kind string, attrs ...trace.Attr) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fact(l.wait > 0, Note(kind, attrs...))
}

// Observed records one note on what programs do. While notes are held back, such a note comes after them: what started the first program
// is still to be told.
func (l *Log) Observed(kind string, attrs ...trace.Attr) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fact(l.hold || l.wait > 0, Note(kind, attrs...))
}

func (l *Log) fact(late bool, e trace.Event) {
	switch {
	case l.f == nil:
	case late:
		l.late = appendLine(l.late, e)
	default:
		l.held = appendLine(l.held, e)
		l.write()
	}
}

func appendLine(b []byte, e trace.Event) []byte { return append(trace.AppendJSON(b, e), '\n') }

// Postpone keeps what happens from now on behind the notes that Resume gives: a program may have done something before the one who started
// it has said so.
func (l *Log) Postpone() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wait++
}

// Resume records first and then, unless somebody else postpones, what happened meanwhile.
func (l *Log) Resume(first ...trace.Event) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wait = max(l.wait-1, 0)
	defer l.release()
	if l.f == nil {
		return
	}
	for _, e := range first {
		l.held = appendLine(l.held, e)
	}
	l.catchUp()
}

func (l *Log) release() {
	if l.wait == 0 && l.resumed != nil {
		close(l.resumed)
		l.resumed = nil
	}
}

// Settle waits until nobody postpones. Whoever records an end calls it first: the one who caused the end may not have come to say so yet.
func (l *Log) Settle() {
	if l == nil {
		return
	}
	l.mu.Lock()
	if l.wait == 0 {
		l.mu.Unlock()
		return
	}
	if l.resumed == nil {
		l.resumed = make(chan struct{})
	}
	resumed := l.resumed
	l.mu.Unlock()
	<-resumed
}

// Hold keeps notes in memory until Flush: a start makes dozens of small ones.
func (l *Log) Hold() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = true
}

// Flush ends Hold and writes what is held.
func (l *Log) Flush() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = false
	l.catchUp()
}

// Close is Flush, and ends the log.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.Flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		_ = l.f.Close()
		l.f = nil
	}
}

func (l *Log) catchUp() {
	if l.wait == 0 {
		l.held, l.late = append(l.held, l.late...), nil
	}
	l.write()
}

func (l *Log) write() {
	if !l.hold && l.f != nil && len(l.held) > 0 {
		_, _ = l.f.Write(l.held)
		l.held = l.held[:0]
	}
}
