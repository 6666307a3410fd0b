package userland

import (
	"io"
	"os"
	"reflect"
	"time"
)

// earlyByte is a byte that is read ahead from a stream that can't tell whether there is one. The shell's next read of the stream
// gets it.
type earlyByte struct {
	from io.Reader
	got  chan struct{} // closed when it has come
	n    int
	b    [1]byte
	err  error
}

// readByte reads one byte into b. When end is a time and comes first the error is errTimeout.
func (sh *shell) readByte(t *task, in io.Reader, b []byte, end time.Time) (int, error) {
	e := sh.early(in)
	switch {
	case e == nil && end.IsZero():
		return in.Read(b)
	case e == nil:
		if ready, known := t.readable(in, max(0, end.Sub(t.now()))); known && !ready {
			return 0, errTimeout
		} else if known {
			return in.Read(b)
		}
		e = sh.readEarly(in)
	}
	if end.IsZero() {
		sh.block(func() { <-e.got })
	} else if _, came := first(t, e.got, max(0, end.Sub(t.now()))); !came {
		sh.mu.Lock()
		sh.ahead = e
		sh.mu.Unlock()
		return 0, errTimeout
	}
	return copy(b, e.b[:e.n]), e.err
}

// readable waits until there is something to read, or the end, and no longer than d. known tells whether the stream can say so.
func (t *task) readable(in io.Reader, d time.Duration) (ready, known bool) {
	switch in := in.(type) {
	case *os.File:
		return d > 0 && readable(in, d), true
	case Poller:
		return in.Readable(t.ctx, d), true
	case *document:
		return true, true
	}
	return false, false
}

// early takes the byte that was read ahead from a stream.
func (sh *shell) early(in io.Reader) *earlyByte {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.ahead
	if e == nil || !reflect.TypeOf(in).Comparable() || e.from != in {
		return nil
	}
	sh.ahead = nil
	return e
}

// readEarly begins to read a byte ahead.
func (sh *shell) readEarly(in io.Reader) *earlyByte {
	e := &earlyByte{from: in, got: make(chan struct{})}
	sh.spawn(func() {
		e.n, e.err = in.Read(e.b[:])
		close(e.got)
	})
	return e
}
