package jsonfile

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// Stream cuts the output of one stream into lines. It is used by one goroutine.
type Stream struct {
	log  *Log
	name string
	rest []byte // the begin of a line whose end has not come yet
	tail []byte // what stands behind the text of an object
}

// Write logs all lines that p completes. It implements io.Writer without errors.
func (s *Stream) Write(p []byte) (int, error) {
	if s.log == nil {
		return len(p), nil
	}
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	s.setTail(l.stamp())
	whole := len(p)
	for len(s.rest) > 0 && len(p) > 0 {
		n := s.lineEnd(p)
		s.rest = append(s.rest, p[:n]...)
		p = p[n:]
		s.cut()
	}
	if len(s.rest) == 0 {
		s.rest = append(s.rest, s.lines(p)...)
	}
	l.write()
	return whole, nil
}

// lineEnd is how much of p belongs to the line that was begun, as far as it fits into one object.
func (s *Stream) lineEnd(p []byte) int {
	room := p[:min(len(p), max(partialLine-len(s.rest), 1))]
	if n := bytes.IndexByte(room, '\n') + 1; n > 0 {
		return n
	}
	return len(room)
}

// cut logs what is kept as far as it makes whole objects.
func (s *Stream) cut() {
	left := s.lines(s.rest)
	s.rest = s.rest[:copy(s.rest, left)]
}

// lines logs the whole lines of p and gives what is left.
func (s *Stream) lines(p []byte) []byte {
	for {
		n := bytes.IndexByte(p, '\n') + 1
		if n == 0 || n > partialLine {
			if len(p) < partialLine {
				return p
			}
			n = wholeCharacters(p[:partialLine])
		}
		s.log.object(p[:n], s.tail)
		p = p[n:]
	}
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
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	s.setTail(l.stamp())
	l.object(s.rest, s.tail)
	l.write()
	s.rest = nil
}

// setTail makes the end of the objects that are complete at t.
func (s *Stream) setTail(t time.Time) {
	s.tail = append(s.tail[:0], `","stream":"`...)
	s.tail = append(s.tail, s.name...)
	s.tail = append(s.tail, '"')
	s.tail = append(s.tail, s.log.attrs...)
	s.tail = append(s.tail, `,"time":"`...)
	s.tail = t.AppendFormat(s.tail, time.RFC3339Nano)
	s.tail = append(s.tail, "\"}\n"...)
}
