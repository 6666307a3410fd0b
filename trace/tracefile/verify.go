package tracefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/learn-containers/learn/trace"
)

// ChainError reports the line at which a trace stops being what was written.
type ChainError struct {
	Line      int
	What      string // "hash", "seq" or "seal"
	Want, Got string
}

// Error names the line, what was expected and what is there.
func (e *ChainError) Error() string {
	switch e.What {
	case "seal":
		return fmt.Sprintf("verify trace: line %d carries no hash: it was not written by the recorder", e.Line)
	case "seq":
		return fmt.Sprintf("verify trace: line %d holds event %s, expected event %s: lines were removed, added or moved",
			e.Line, e.Got, e.Want)
	}
	return fmt.Sprintf("verify trace: line %d: the line and all lines before it give hash %s, but it carries %s: this line was changed, or a line right before it removed",
		e.Line, e.Want, e.Got)
}

// Verify checks the numbers and the hash chain of a whole trace and returns how many events are good. The
// error is a *ChainError at the first line that does not fit, or wraps ErrTorn when only the last line is cut short.
func Verify(in io.Reader) (n int, err error) {
	r := NewReader(in)
	var c chain
	var buf []byte
	for {
		line, err := r.nextLine()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if buf, err = c.verify(r.line, line, buf); err != nil {
			return n, err
		}
		n++
	}
}

// VerifyFile is Verify on the file at path.
func VerifyFile(path string) (n int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("verify trace: %w", err)
	}
	defer f.Close()
	if n, err = Verify(f); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return n, err
}

func (c *chain) verify(n int, line, buf []byte) ([]byte, error) {
	body, got, ok := unseal(buf, line)
	if !ok {
		return buf, &ChainError{Line: n, What: "seal"}
	}
	if want := c.seal(body); !bytes.Equal(want, got) {
		return body, &ChainError{Line: n, What: "hash", Want: string(want), Got: string(got)}
	}
	e, err := trace.ParseJSON(line)
	if err != nil {
		return body, fmt.Errorf("verify trace: line %d: %w", n, err)
	}
	if e.Seq != uint64(n) {
		return body, &ChainError{Line: n, What: "seq", Want: strconv.Itoa(n), Got: strconv.FormatUint(e.Seq, 10)}
	}
	return body, nil
}

// Sound reports whether err leaves every event before the end of a trace usable: nil, or only a torn last line.
func Sound(err error) bool { return err == nil || errors.Is(err, ErrTorn) }
