package tracefile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/learn-containers/learn/trace"
)

// tail is what a writer must know of a trace to continue it.
type tail struct {
	size  int64  // up to and with the last line end
	seq   uint64 // of the last event
	begun time.Time
	chain chain
}

var errForeign = errors.New("it is not a trace; give another file, or remove it")

// readTail reads the end of a trace of size bytes. What follows the last line end is torn and not counted.
func readTail(f io.ReaderAt, size int64) (tail, error) {
	end, err := lastNewline(f, size)
	if err != nil {
		return tail{}, err
	}
	if end < 0 {
		return tail{}, checkTornFirst(f, size)
	}
	start, err := lastNewline(f, end)
	if err != nil {
		return tail{}, err
	}
	line := make([]byte, end-start-1)
	if _, err := f.ReadAt(line, start+1); err != nil {
		return tail{}, err
	}
	t := tail{size: end + 1}
	e, err := trace.ParseJSON(line)
	_, hash, ok := unseal(nil, line)
	if err != nil || !ok {
		return tail{}, fmt.Errorf("its last line is no event with a hash: %w", errForeign)
	}
	t.seq = e.Seq
	t.chain.resume(hash)
	t.begun, err = readBegun(f, size)
	return t, err
}

// checkTornFirst lets a file without any line pass if it is empty or the beginning of a trace.
func checkTornFirst(f io.ReaderAt, size int64) error {
	const opening = `{"seq":1,"at_ns":`
	head := make([]byte, min(size, int64(len(opening))))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	if !bytes.HasPrefix([]byte(opening), head) {
		return errForeign
	}
	return nil
}

// lastNewline finds the last line end before end; -1 if there is none. It gives up beyond MaxLine.
func lastNewline(f io.ReaderAt, end int64) (int64, error) {
	const step = 16 << 10
	buf := make([]byte, step)
	for at := end; at > 0; {
		n := min(at, step)
		at -= n
		if _, err := f.ReadAt(buf[:n], at); err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return at + int64(i), nil
		}
		if end-at > MaxLine {
			return 0, fmt.Errorf("a line is longer than %d bytes: %w", MaxLine, errForeign)
		}
	}
	return -1, nil
}

// readBegun reads the wall-clock time of the first line.
func readBegun(f io.ReaderAt, size int64) (time.Time, error) {
	in := bufio.NewReader(io.LimitReader(io.NewSectionReader(f, 0, size), MaxLine))
	line, err := in.ReadBytes('\n')
	if err != nil {
		return time.Time{}, fmt.Errorf("read first line: %w", err)
	}
	var first struct {
		Begun time.Time `json:"begun"`
	}
	if err := json.Unmarshal(line, &first); err != nil || first.Begun.IsZero() {
		return time.Time{}, fmt.Errorf("its first line does not say when it was begun: %w", errForeign)
	}
	return first.Begun, nil
}

// Begun returns the wall-clock time at which the trace in f, of size bytes, begins.
func Begun(f io.ReaderAt, size int64) (time.Time, error) { return readBegun(f, size) }
