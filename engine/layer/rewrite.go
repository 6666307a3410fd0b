package layer

import (
	"fmt"
	"io"
)

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
