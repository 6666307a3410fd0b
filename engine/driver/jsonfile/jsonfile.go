// Package jsonfile writes a container's output to a file as docker's json-file log driver does: a JSON object per line of output, with the
// line ("log"), the stream that it came on ("stream") and the time when it was complete ("time"). A line of more than 16 KiB becomes several
// objects, of which only the last one's text ends with a newline.
//
// It is no log driver in docker's sense: nothing rotates, and reading is the engine's affair.
//
// Invariants: objects are appended whole, so many streams may share a log; the texts of a stream, put together, are what was written to it,
// but for bytes that are no UTF-8, each of which is replaced by U+FFFD.
package jsonfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
	"unicode/utf8"
)

// partialLine is how many bytes of a line an object holds at most.
const partialLine = 16 << 10

// Log is a container's log. A nil log drops what is written. Its streams may be written at the same time.
type Log struct {
	mu  sync.Mutex
	f   *os.File
	now func() time.Time
}

// Open opens the log in the file path for appending, or makes it; an empty path gives a nil log. now is the clock that stamps lines.
// The caller closes the log when its streams are flushed.
func Open(path string, now func() time.Time) (*Log, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &Log{f: f, now: now}, nil
}

// Stream is the part of l that is of the stream name: stdout or stderr.
func (l *Log) Stream(name string) *Stream { return &Stream{log: l, name: name} }

// write appends whole objects. A full disk costs the log its lines, not the container its life.
func (l *Log) write(p []byte) {
	if len(p) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.f.Write(p)
}

// Close closes the file.
func (l *Log) Close() {
	if l != nil {
		_ = l.f.Close()
	}
}

// Stream cuts the output of one stream into lines. It is used by one goroutine.
type Stream struct {
	log  *Log
	name string
	rest []byte // the begin of a line whose end has not come yet
}

// Write logs all lines that p completes.
func (s *Stream) Write(p []byte) {
	if s.log == nil {
		return
	}
	var out []byte
	s.rest = append(s.rest, p...)
	for {
		n := bytes.IndexByte(s.rest, '\n') + 1
		if n == 0 || n > partialLine {
			if len(s.rest) < partialLine {
				break
			}
			n = wholeCharacters(s.rest[:partialLine])
		}
		out = s.object(out, s.rest[:n])
		s.rest = s.rest[n:]
	}
	s.rest = bytes.Clone(s.rest)
	s.log.write(out)
}

// wholeCharacters is the length of p without a character at its end whose other bytes are still to come.
func wholeCharacters(p []byte) int {
	for i := len(p) - 1; i > len(p)-utf8.UTFMax; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				return i
			}
			break
		}
	}
	return len(p)
}

// Flush logs an unfinished last line.
func (s *Stream) Flush() {
	if s.log == nil || len(s.rest) == 0 {
		return
	}
	s.log.write(s.object(nil, s.rest))
	s.rest = nil
}

func (s *Stream) object(out, line []byte) []byte {
	text, _ := json.Marshal(string(line)) // a string can always be encoded
	out = append(out, `{"log":`...)
	out = append(out, text...)
	out = append(out, `,"stream":"`...)
	out = append(out, s.name...)
	out = append(out, `","time":"`...)
	out = s.log.now().UTC().AppendFormat(out, time.RFC3339Nano)
	return append(out, "\"}\n"...)
}
