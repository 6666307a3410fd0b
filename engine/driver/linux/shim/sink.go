//go:build linux

package shim

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// spoolLimit is how much output waits in memory for a client that does not read. Then the container waits too, as with docker:
// output is never lost while somebody is connected.
const spoolLimit = 1 << 20

// sink carries output to one descriptor of a client, which may be slow, stopped or gone. Its descriptor is shared with the
// client's terminal or file, so it must not be made non-blocking; poll(2) tells when a small write will not block.
type sink struct {
	fd      int
	mu      sync.Mutex
	changed *sync.Cond
	queue   []byte
	closed  bool // nothing more will come
	gone    bool // the client does not take it any more
	done    chan struct{}
}

func newSink(fd int) *sink {
	s := &sink{fd: fd, done: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	go s.run()
	return s
}

// Write queues p for the client.
func (s *sink) Write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) >= spoolLimit && !s.gone {
		s.changed.Wait()
	}
	if s.gone || s.closed {
		return
	}
	s.queue = append(s.queue, p...)
	s.changed.Broadcast()
}

// Finish lets what is queued go out; done is closed afterwards. Abandon drops it.
func (s *sink) Finish() { s.end(false) }

// Abandon ends the sink at once.
func (s *sink) Abandon() { s.end(true) }

func (s *sink) end(now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.gone = s.gone || now
	s.changed.Broadcast()
}

// run is the sink's goroutine.
func (s *sink) run() {
	defer close(s.done)
	defer unix.Close(s.fd)
	for {
		p := s.take()
		if p == nil {
			return
		}
		if !s.deliver(p) {
			s.Abandon()
			return
		}
	}
}

// take waits for output; nil means that there will be none.
func (s *sink) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closed && !s.gone {
		s.changed.Wait()
	}
	if s.gone || len(s.queue) == 0 {
		return nil
	}
	p := s.queue
	s.queue = nil
	s.changed.Broadcast()
	return p
}

// deliver writes p as far as the client takes it, looking up now and then whether it left.
func (s *sink) deliver(p []byte) bool {
	for len(p) > 0 {
		fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, 200)
		if s.left() {
			return false
		}
		if n == 0 || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || fds[0].Revents&(unix.POLLERR|unix.POLLNVAL) != 0 {
			return false
		}
		w, err := unix.Write(s.fd, p[:min(len(p), 4096)])
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return false
		}
		p = p[max(w, 0):]
	}
	return true
}

func (s *sink) left() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// pending reports whether the client has not taken everything yet.
func (s *sink) pending() bool {
	select {
	case <-s.done:
		return false
	default:
		return !s.left()
	}
}
