package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Log is a journal that was read.
type Log struct {
	Lines []Line
	Head  string // hash that the last line carries
	Fault error  // where the chain breaks; the lines can be read all the same. Nil: it is as it was written
	size  int64  // bytes up to the end of the last whole line
}

// Read reads a journal. The error names the line that can't be read or is beyond the bounds; a last line without its end, whose writer was killed, is
// passed over.
func Read(in io.Reader) (Log, error) {
	var log Log
	r := bufio.NewReaderSize(io.LimitReader(in, MaxJournal+1), 64<<10)
	for {
		raw, err := nextLine(r)
		if errors.Is(err, io.EOF) {
			return log, nil
		}
		if err == nil {
			err = log.add(raw)
		}
		if err != nil {
			return log, fmt.Errorf("read journal: line %d: %w", len(log.Lines)+1, err)
		}
	}
}

// nextLine returns a line without its end; io.EOF at the end and at a torn line.
func nextLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > MaxLine {
			return nil, fmt.Errorf("it is longer than %d bytes", MaxLine)
		}
		line = append(line, part...)
		if err == nil {
			return line[:len(line)-1], nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

func (log *Log) add(raw []byte) error {
	if len(log.Lines) == MaxLines {
		return fmt.Errorf("a journal has at most %d lines", MaxLines)
	}
	if log.size += int64(len(raw)) + 1; log.size > MaxJournal {
		return fmt.Errorf("a journal has at most %d bytes", MaxJournal)
	}
	n := len(log.Lines) + 1
	body, hash, ok := unseal(raw)
	if !ok {
		body = raw
		log.fault("line %d carries no hash: it was not written by learn", n)
	}
	var l Line
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&l); err != nil {
		return err
	}
	if err := l.valid(); err != nil {
		return err
	}
	if ok && chained(log.Head, body) != hash {
		log.fault("line %d does not fit its hash: it was changed, or a line before it was changed or removed", n)
	}
	if l.N != n {
		log.fault("line %d has the number %d: lines were added, removed or moved", n, l.N)
	}
	log.Lines, log.Head = append(log.Lines, l), hash
	return nil
}

func (log *Log) fault(format string, args ...any) {
	if log.Fault == nil {
		log.Fault = fmt.Errorf("verify journal: "+format, args...)
	}
}

// Step is a line that tells of a deed, with how it ended.
type Step struct {
	Line
	Ended bool // there is an end line, whose Code, Input, Truncated and Made the step has
}

// Steps are the lines but those of ends, in their order.
func (log Log) Steps() []Step {
	var steps []Step
	at := map[int]int{}
	for _, l := range log.Lines {
		if l.Kind != End {
			at[l.N] = len(steps)
			steps = append(steps, Step{Line: l})
			continue
		}
		if i, ok := at[l.Of]; ok {
			s := &steps[i]
			s.Ended, s.Code, s.Input, s.Truncated, s.Made = true, l.Code, l.Input, l.Truncated, l.Made
		}
	}
	return steps
}

// State is the folder as the last line leaves it.
func (log Log) State() State {
	s := State{}
	for _, l := range log.Lines {
		s.Apply(l.Changes)
	}
	return s
}

// Hashes are the contents that the journal speaks of, each once, in their order.
func (log Log) Hashes() []string {
	var out []string
	seen := map[string]bool{"": true}
	add := func(hash string) {
		if !seen[hash] {
			seen[hash] = true
			out = append(out, hash)
		}
	}
	for _, l := range log.Lines {
		add(l.Input)
		for _, c := range l.Changes {
			add(c.SHA256)
		}
	}
	return out
}
