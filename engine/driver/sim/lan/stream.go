package lan

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// bufferSize is how much a stream holds for a reader that is slow, in bytes.
const bufferSize = 64 << 10

// stream is one direction of a connection: what one end has written and the other has not read yet.
type stream struct {
	mu      sync.Mutex
	buf     []byte
	ended   bool          // the writer will write no more
	reset   bool          // the connection broke; what is in buf can still be read
	deaf    bool          // the reader will read no more
	changed chan struct{} // closed and made anew when any of it changes
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

// wake lets everybody who waits look again. The caller holds mu.
func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// waiter is how one end of a connection waits.
type waiter struct {
	block    func(func()) // called around the wait
	deadline *deadline
	closed   <-chan struct{} // this end was closed by its own program
}

// wait sleeps until the stream has changed. The caller holds s.mu, and holds it again afterwards.
func (s *stream) wait(w waiter) (err error) {
	changed := s.changed
	s.mu.Unlock()
	defer s.mu.Lock()
	expired := w.deadline.expired()
	w.block(func() {
		select {
		case <-changed:
		case <-expired:
			err = os.ErrDeadlineExceeded
		case <-w.closed:
			err = net.ErrClosed
		}
	})
	return err
}

// check tells why an end can't go on, before it does anything.
func (w waiter) check() error {
	select {
	case <-w.closed:
		return net.ErrClosed
	case <-w.deadline.expired():
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

// read takes what is there, waiting for the first byte.
func (s *stream) read(p []byte, w waiter) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := w.check(); err != nil {
			return 0, err
		}
		switch {
		case len(p) == 0:
			return 0, nil
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.take(n)
			return n, nil
		case s.reset:
			return 0, os.NewSyscallError("read", syscall.ECONNRESET)
		case s.ended:
			return 0, io.EOF
		}
		if err := s.wait(w); err != nil {
			return 0, err
		}
	}
}

// take drops the first n bytes and gives the memory of an emptied buffer back.
func (s *stream) take(n int) {
	s.buf = s.buf[n:]
	if len(s.buf) == 0 {
		s.buf = nil
	}
	s.wake()
}

// write puts all of p in, waiting for room as often as it must.
func (s *stream) write(p []byte, w waiter) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for {
		if err := w.check(); err != nil {
			return done, err
		}
		switch {
		case s.ended || s.deaf:
			return done, os.NewSyscallError("write", syscall.EPIPE)
		case s.reset:
			return done, os.NewSyscallError("write", syscall.ECONNRESET)
		}
		if n := min(len(p)-done, bufferSize-len(s.buf)); n > 0 {
			s.buf = append(s.buf, p[done:done+n]...)
			done += n
			s.wake()
		}
		if done == len(p) {
			return done, nil
		}
		if err := s.wait(w); err != nil {
			return done, err
		}
	}
}

// end is the writer's last word.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.wake()
}

// stop is the reader's last word. It reports whether bytes were left that nobody will read.
func (s *stream) stop() (unread bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unread = len(s.buf) > 0
	s.deaf, s.buf = true, nil
	s.wake()
	return unread
}

// breakOff ends the stream as a reset does.
func (s *stream) breakOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset = true
	s.wake()
}
