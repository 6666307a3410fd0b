package events

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// poll is how often a follower looks for new lines.
const poll = 50 * time.Millisecond

// Follow hands every event that the log holds, oldest first, to each, and then those that are appended, until ctx ends, each returns an
// error, or idle does: that is asked whenever everything has been read. io.EOF of either is the end and no error.
func (l *Log) Follow(ctx context.Context, each func(Message) error, idle func() error) error {
	err := l.follow(ctx, each, idle)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (l *Log) follow(ctx context.Context, each func(Message) error, idle func() error) error {
	r := &reader{log: l, each: each}
	defer r.close()
	if err := r.older(); err != nil {
		return err
	}
	for {
		if err := r.read(); err != nil {
			return err
		}
		if err := idle(); err != nil {
			// What idle itself found out is told too.
			if rerr := r.read(); rerr != nil {
				return rerr
			}
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}

// reader reads the current file on, and goes over to the next one when that takes its place.
type reader struct {
	log  *Log
	each func(Message) error
	file *os.File
	rest []byte // the beginning of a line that is not whole yet
}

// older reads the file before the current one, and leaves the current one open. If they change places meanwhile it begins anew.
func (r *reader) older() error {
	for {
		if err := r.open(); err != nil {
			return err
		}
		f, err := os.Open(r.log.path(olderName))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read event log: %w", err)
		}
		if sameFile(f, r.file) { // it was renamed since
			_ = f.Close()
			continue
		}
		current := r.file
		r.file = f
		err = r.take()
		_ = f.Close()
		r.file, r.rest = current, nil
		return err
	}
}

func sameFile(a, b *os.File) bool {
	if a == nil || b == nil {
		return false
	}
	ai, aerr := a.Stat()
	bi, berr := b.Stat()
	return aerr == nil && berr == nil && os.SameFile(ai, bi)
}

// open opens the current file, if there is one.
func (r *reader) open() error {
	r.close()
	f, err := os.Open(r.log.path(currentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read event log: %w", err)
	}
	r.file, r.rest = f, nil
	return nil
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}

// read reads what is new. The file is left for the next one only after it has been read once more: nobody who opened it before the
// change writes much later.
func (r *reader) read() error {
	if r.file == nil {
		if err := r.open(); err != nil || r.file == nil {
			return err
		}
	}
	replaced := r.replaced()
	if err := r.take(); err != nil {
		return err
	}
	if !replaced {
		return nil
	}
	if err := r.open(); err != nil || r.file == nil {
		return err
	}
	return r.take()
}

func (r *reader) replaced() bool {
	now, err := os.Stat(r.log.path(currentName))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	mine, err := r.file.Stat()
	return err != nil || !os.SameFile(now, mine)
}

// take reads to the end of the open file. Lines that are no events, or too long, are skipped.
func (r *reader) take() error {
	in := bufio.NewReaderSize(r.file, maxLine)
	for {
		part, err := in.ReadSlice('\n')
		r.rest = append(r.rest, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			r.rest = r.rest[:min(len(r.rest), maxLine)] // it is too long already: what comes decides nothing
			continue
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read event log: %w", err)
		}
		line := r.rest
		r.rest = nil
		if m, ok := parse(line); ok {
			if err := r.each(m); err != nil {
				return err
			}
		}
	}
}

func parse(line []byte) (Message, bool) {
	var m Message
	line = bytes.TrimSpace(line)
	if len(line) == 0 || len(line) > maxLine || json.Unmarshal(line, &m) != nil || m.Type == "" || m.Action == "" || m.TimeNano <= 0 {
		return Message{}, false
	}
	return m, true
}
