// Package jsonfile is a container's output in files as docker's json-file log driver writes them: a JSON object per line of output, with the
// line ("log"), the stream that it came on ("stream"), what else is to be known about it ("attrs") and the time when it was complete ("time").
// A line of more than 16 KiB becomes several objects, of which only the last one's text ends with a newline.
//
// A log may rotate: the file NAME is then renamed to NAME.1, that to NAME.2 and so on, each maybe with .gz behind it. Writing is Log's affair,
// in the supervisor of the container; Reader reads in any process, also while the files rotate.
//
// It knows no options of docker's and chooses no lines: both are the engine's affair.
//
// Invariants: objects are appended whole, so many streams may share a log; the texts of a stream, put together, are what was written to it,
// but for bytes that are no UTF-8, each of which is replaced by U+FFFD; times do not go back. A file never gets another line after it was
// renamed.
package jsonfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// partialLine is how many bytes of a line an object holds at most.
const partialLine = 16 << 10

// batchBytes is how much is written to the file at a time, about.
const batchBytes = 256 << 10

// Options say where a log is and how it is kept. The zero value is a log that drops what is written.
type Options struct {
	Path     string            // of the file; empty: nothing is kept
	Now      func() time.Time  // the clock that stamps lines
	MaxBytes int64             // the file is replaced once it has as many bytes; 0: never
	MaxFiles int               // how many files are kept then, with the current one; below 2: that one alone
	Compress bool              // replaced files are compressed with gzip
	Attrs    map[string]string // written with each line
}

// Log is a container's log that is written. A nil log drops what is written. Its streams may be written at the same time.
type Log struct {
	o     Options
	attrs []byte // encoded, with a comma before them; nil: none

	mu     sync.Mutex
	f      *os.File
	size   int64 // of f
	torn   bool  // the file does not end with a whole line
	out    []byte
	last   time.Time   // the newest time in the log
	zipper *compressor // nil: nothing was compressed
}

// Open opens the log for appending, or makes it; an empty path gives a nil log. The caller closes the log when its streams are flushed.
func Open(o Options) (*Log, error) {
	if o.Path == "" {
		return nil, nil
	}
	l := &Log{o: o, attrs: appendAttrs(nil, o.Attrs)}
	if err := l.open(os.O_CREATE | os.O_APPEND | os.O_RDWR); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l.compressOld()
	return l, nil
}

// open opens the current file and looks at its end: whoever wrote to it may have died in the middle of a line.
func (l *Log) open(flag int) error {
	f, err := os.OpenFile(l.o.Path, flag, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.f, l.size, l.torn = f, st.Size(), false
	if l.size > 0 {
		var end [1]byte
		_, err := f.ReadAt(end[:], l.size-1)
		l.torn = err != nil || end[0] != '\n'
	}
	return nil
}

// Stream is the part of l that is of the stream name: stdout or stderr.
func (l *Log) Stream(name string) *Stream { return &Stream{log: l, name: name} }

// stamp is the time for lines that come now. Nobody sees time go back, whatever happens to the clock.
func (l *Log) stamp() time.Time {
	if t := l.o.Now().UTC(); t.After(l.last) {
		l.last = t
	}
	return l.last
}

// object adds one to what is to be written, after text was appended by add and before tail.
func (l *Log) object(line, tail []byte) {
	if l.o.MaxBytes > 0 && l.size+int64(len(l.out)) >= l.o.MaxBytes {
		l.write()
		l.rotate()
	}
	l.out = append(l.out, `{"log":"`...)
	l.out = appendText(l.out, line)
	l.out = append(l.out, tail...)
	if len(l.out) >= batchBytes {
		l.write()
	}
}

// write appends the whole objects that have been gathered. A full disk costs the log its lines, not the container its life.
func (l *Log) write() {
	if len(l.out) == 0 {
		return
	}
	if l.torn {
		_, _ = l.f.Write([]byte("\n"))
	}
	n, err := l.f.Write(l.out)
	l.size += int64(n)
	l.torn = err != nil && (n > 0 && l.out[n-1] != '\n' || n == 0 && l.torn)
	l.out = l.out[:0]
}

// Close closes the file. What is being compressed is left as it was.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.zipper.abandon()
	_ = l.f.Close()
}

var _ io.Writer = (*Stream)(nil)
