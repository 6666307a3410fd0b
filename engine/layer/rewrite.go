package layer

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Dated passes the archive that write makes on to w, with no file in it later than latest. A zero latest passes it on as it is.
func Dated(w io.Writer, latest time.Time, write func(io.Writer) error) error {
	if latest.IsZero() {
		return write(w)
	}
	r, raw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := Rewrite(w, r, func(e *Entry) {
			if e.ModTime.After(latest) {
				e.ModTime = latest
			}
		})
		_, drained := io.Copy(io.Discard, r) // padding after the archive's end
		done <- errors.Join(err, drained, r.CloseWithError(err))
	}()
	err := write(raw)
	raw.CloseWithError(err)
	return errors.Join(err, <-done)
}

// Rewrite copies the archive r to w, with change made to every entry that has metadata. What change leaves alone is written as Writer
// writes it.
func Rewrite(w io.Writer, r io.Reader, change func(*Entry)) error {
	in, out := NewReader(r, Limits{}), NewWriter(w)
	for {
		e, err := in.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = copyEntry(out, e, in, change)
		}
		if err != nil {
			return fmt.Errorf("rewrite layer: %w", err)
		}
	}
	return out.Close()
}

func copyEntry(out *Writer, e *Entry, content io.Reader, change func(*Entry)) error {
	switch e.Kind {
	case Whiteout:
		return out.Whiteout(e.Path)
	case Opaque:
		return out.Opaque(e.Path)
	}
	change(e)
	return out.WriteEntry(*e, content)
}
