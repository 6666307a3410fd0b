package sim

import "sync"

// spoolLimit is how much output waits in memory for a client that does not read. Then the container waits too, as with docker:
// output is never lost while somebody is connected.
const spoolLimit = 1 << 20

// sink carries output to one stream of a client, which may be slow, stopped or gone. Its goroutine ends with Finish or Abandon; a send that
// waits ends when the client's connection is closed.
type sink struct {
	send    func(p []byte) error
	mu      sync.Mutex
	changed *sync.Cond
	queue   []byte
	closed  bool // nothing more will come
	gone    bool // the client does not take it any more
	done    chan struct{}
}

func newSink(send func(p []byte) error) *sink {
	s := &sink{send: send, done: make(chan struct{})}
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

func (s *sink) run() {
	defer close(s.done)
	for {
		p := s.take()
		if p == nil {
			return
		}
		for len(p) > 0 && !s.left() {
			n := min(len(p), streamChunk)
			if s.send(p[:n]) != nil {
				s.Abandon()
				return
			}
			p = p[n:]
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
