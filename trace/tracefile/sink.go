package tracefile

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/learn-containers/learn/trace"
)

// Events are appended at the latest when so many wait, or when the oldest waits so long.
const (
	maxWaiting = 4096
	maxDelay   = 250 * time.Millisecond
)

// Room for the events of a short command, so that it need not grow step by step.
const (
	usualEvents = 64
	usualLine   = 320 // bytes
)

// FileSink appends events to a trace file that other processes may append to as well. It is safe for
// concurrent use. The first error stops it: later events are dropped, the engine's work goes on, and Flush and Close
// return that error.
type FileSink struct {
	mu      sync.Mutex
	path    string
	lock    *flock.Flock
	file    *os.File
	origin  time.Time         // when this process's At was 0
	waiting []trace.Event     // not yet appended
	late    *time.Timer       // flushes after maxDelay; nil until the first event
	spans   map[uint64]uint64 // number in this process -> number in the file
	tail    tail              // the file's end as this process last saw it
	batch   []byte            // room for encoding
	err     error
	closed  bool
}

// OpenFile opens the trace at path for appending, or makes it. It refuses a file that is not a trace. Close
// must be called.
func OpenFile(path string) (*FileSink, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open trace: %w", err)
	}
	s := &FileSink{path: path, file: f, spans: map[uint64]uint64{0: 0}, lock: flock.New(lockPath(path))}
	if err := s.check(); err != nil {
		f.Close()
		return nil, fmt.Errorf("open trace %s: %w", path, err)
	}
	return s, nil
}

// lockPath is the file that carries the lock: the trace itself, but beside it on Windows, where a lock also
// keeps the holder's other handles from writing.
func lockPath(path string) string {
	if runtime.GOOS == "windows" {
		return path + ".lock"
	}
	return path
}

func (s *FileSink) check() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file; give the name of a file to write to")
	}
	if s.tail, err = readTail(s.file, info.Size()); err == nil && s.tail.size < info.Size() {
		s.tail = tail{} // torn; the first append looks again, under the lock
	}
	return err
}

// Emit keeps e until the next batch. It does no input or output unless many events wait: a command that works for less
// than maxDelay appends once, at its end, and one that waits for a container shows meanwhile what came before.
func (s *FileSink) Emit(e trace.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.closed {
		return
	}
	if s.origin.IsZero() {
		s.origin = time.Now().Add(-e.At)
		s.waiting = make([]trace.Event, 0, usualEvents)
	}
	s.waiting = append(s.waiting, e)
	switch {
	case len(s.waiting) >= maxWaiting || e.At-s.waiting[0].At > maxDelay:
		s.flush()
	case len(s.waiting) > 1:
	case s.late == nil:
		s.late = time.AfterFunc(maxDelay, func() { _ = s.Flush() }) // Close returns the error
	default:
		s.late.Reset(maxDelay)
	}
}

// Flush appends what waits. Call it before another process is let on, so that the order between processes is
// that of cause and effect.
func (s *FileSink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

// Close appends what waits and closes the file. Further events are dropped.
func (s *FileSink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.err
	}
	s.flush()
	s.closed = true
	if s.late != nil {
		s.late.Stop() // if it runs already it waits for mu and finds nothing to do
	}
	if err := s.file.Close(); err != nil && s.err == nil {
		s.err = fmt.Errorf("close trace: %w", err)
	}
	return s.err
}

func (s *FileSink) flush() {
	if s.err != nil || s.closed || len(s.waiting) == 0 {
		return
	}
	if err := s.append(); err != nil {
		s.err = fmt.Errorf("write trace %s: %w", s.path, err)
	}
	clear(s.waiting) // let go of their strings
	s.waiting = s.waiting[:0]
}

func (s *FileSink) append() error {
	if err := s.lock.Lock(); err != nil && !errors.Is(err, errors.ErrUnsupported) { // a system without locks on files has no other process either
		return fmt.Errorf("lock: %w", err)
	}
	defer s.lock.Unlock()
	if err := s.catchUp(); err != nil {
		return err
	}
	next := s.tail
	batch := s.encode(&next)
	s.batch = batch
	if _, err := s.file.Write(batch); err != nil {
		return err
	}
	next.size += int64(len(batch))
	s.tail = next
	return nil
}

// catchUp learns what other processes appended, and cuts off what a killed one left torn.
func (s *FileSink) catchUp() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == s.tail.size && s.tail.seq > 0 {
		return nil
	}
	t, err := readTail(s.file, info.Size())
	if err != nil {
		return err
	}
	if t.size < info.Size() {
		if err := s.file.Truncate(t.size); err != nil {
			return fmt.Errorf("cut off torn line: %w", err)
		}
	}
	s.tail = t
	return nil
}

// encode numbers the waiting events as they follow t, and returns their lines.
func (s *FileSink) encode(t *tail) []byte {
	batch := slices.Grow(s.batch[:0], usualLine*len(s.waiting))
	for _, e := range s.waiting {
		var begun time.Time
		if t.seq == 0 {
			t.begun = s.origin.Add(e.At)
			begun = t.begun
		}
		t.seq++
		e.Seq = t.seq
		e.At = max(0, s.origin.Add(e.At).Sub(t.begun))
		if e.Phase == trace.Begin {
			s.spans[e.Span] = e.Seq
		}
		e.Span, e.Parent = s.spans[e.Span], s.spans[e.Parent]
		batch = t.chain.appendLine(batch, e, begun)
	}
	return batch
}
