package tracefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/learn-containers/learn/trace"
)

// ErrTorn is returned for a last line without a line end: its writer was killed, or is writing now.
var ErrTorn = errors.New("the last line is cut short")

// Reader reads a trace event by event.
type Reader struct {
	in   *bufio.Reader
	line int
	long []byte
}

// NewReader returns a Reader on in, which may hold a part of a trace, with or without hashes.
func NewReader(in io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(in, 64<<10)} }

// Line is the number, from 1, of the line that Next read last.
func (r *Reader) Line() int { return r.line }

// Next returns the next event; io.EOF at the end; an error that wraps ErrTorn at a last line without a line
// end; otherwise errors name the line.
func (r *Reader) Next() (trace.Event, error) {
	line, err := r.nextLine()
	if err != nil {
		return trace.Event{}, err
	}
	e, err := trace.ParseJSON(line)
	if err != nil {
		return trace.Event{}, fmt.Errorf("read trace: line %d: %w", r.line, err)
	}
	return e, nil
}

// nextLine returns the next line without its line end, valid until the next call.
func (r *Reader) nextLine() ([]byte, error) {
	r.line++
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.long)+len(part) > MaxLine {
			return nil, fmt.Errorf("read trace: line %d is longer than %d bytes", r.line, MaxLine)
		}
		switch {
		case err == nil && len(r.long) == 0:
			return part[:len(part)-1], nil
		case err == nil:
			r.long = append(r.long, part...)
			return r.long[:len(r.long)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			r.long = append(r.long, part...)
		case errors.Is(err, io.EOF):
			if len(r.long)+len(part) > 0 {
				return nil, fmt.Errorf("read trace: line %d: %w", r.line, ErrTorn)
			}
			r.line--
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("read trace: line %d: %w", r.line, err)
		}
	}
}

// ReadFile returns the events of the trace in path. A torn last line is passed over.
func ReadFile(path string) ([]trace.Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	defer f.Close()
	events, err := ReadAll(f)
	if err != nil && !errors.Is(err, ErrTorn) {
		return events, fmt.Errorf("%s: %w", path, err)
	}
	return events, nil
}

// ReadAll returns the events of in. At an error it returns the events before it as well.
func ReadAll(in io.Reader) ([]trace.Event, error) {
	r := NewReader(in)
	var events []trace.Event
	for {
		e, err := r.Next()
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
}
