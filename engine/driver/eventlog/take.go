package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/trace"
)

// start is where the events begin in their file. Before them, in a line of its own, stands how far they have been handed out, as a decimal
// number of bytes from the file's start.
const start = 21

func mark(offset int64) []byte { return fmt.Appendf(nil, "%0*d\n", start-1, offset) }

// Lock is a driver's way to be the only one who hands out of the open events file f.
type Lock func(f *os.File) (unlock func(), err error)

// Take returns what has not been handed out yet of the events in the file path, up to the first event of kind (empty: all), and marks it
// as handed out. A file that is not there has no events.
func Take(path, kind string, lock Lock) ([]trace.Event, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unlock, err := lock(f)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	defer unlock()
	offset := readMark(f)
	data, err := io.ReadAll(io.NewSectionReader(f, offset, 1<<40))
	if err != nil {
		return nil, err
	}
	events, length := parse(data, kind)
	if length == 0 {
		return nil, nil
	}
	_, err = f.WriteAt(mark(offset+int64(length)), 0)
	return events, err
}

// readMark reads a mark that anybody may have written; one that can't be is as if nothing had been handed out.
func readMark(f io.ReaderAt) int64 {
	buf := make([]byte, start)
	n, _ := f.ReadAt(buf, 0)
	v, err := strconv.ParseInt(strings.TrimSuffix(string(buf[:n]), "\n"), 10, 64)
	if err != nil || v < start {
		return start
	}
	return v
}

// parse reads whole lines up to the first event of kind and tells how many bytes that were. It passes over lines that are no events: a
// process may have died while it wrote one.
func parse(data []byte, kind string) (events []trace.Event, length int) {
	for line := range bytes.Lines(data[:bytes.LastIndexByte(data, '\n')+1]) {
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
