package relay

import "sync"

// spoolLimit is how much output waits in memory for a client that does not read, with what is on its way to it. Then the container waits too, as with docker: output is
// never lost while somebody is connected.
const spoolLimit = 1 << 20

// Carrier is a driver's way to a client, who may be slow, stopped or gone. Its methods are called by one goroutine.
type Carrier interface {
	// Carry delivers p, as far as left does not tell meanwhile that it need not. False means that the client takes nothing any more.
	Carry(p []byte, left func() bool) bool
	// Close is called when nothing more will come.
	Close()
}

// Sink carries output to a client. Its goroutine ends after Finish or Abandon.
type Sink struct {
	carrier Carrier
	mu      sync.Mutex
	changed *sync.Cond
	queue   []byte
	flying  int  // bytes that the carrier has been given and has not delivered
	closed  bool // nothing more will come
	gone    bool // the client does not take it any more
	done    chan struct{}
}

// NewSink begins to carry.
func NewSink(c Carrier) *Sink {
	s := &Sink{carrier: c, done: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	go s.run()
	return s
}

// Write queues p for the client. It waits while too much is queued.
func (s *Sink) Write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue)+s.flying >= spoolLimit && !s.gone {
		s.changed.Wait()
	}
	if s.gone || s.closed {
		return
	}
	s.queue = append(s.queue, p...)
	s.changed.Broadcast()
}

// Finish lets what is queued go out; done is closed afterwards.
func (s *Sink) Finish() { s.end(false) }

// Abandon ends the sink at once and drops what is queued.
func (s *Sink) Abandon() { s.end(true) }

func (s *Sink) end(now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.gone = s.gone || now
	s.changed.Broadcast()
}

func (s *Sink) run() {
	defer close(s.done)
	defer s.carrier.Close()
	for {
		p := s.take()
		if p == nil {
			return
		}
		if !s.carrier.Carry(p, s.left) {
			s.Abandon()
			return
		}
	}
}

// take waits for output; nil means that there will be none.
func (s *Sink) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying = 0
	s.changed.Broadcast()
	for len(s.queue) == 0 && !s.closed && !s.gone {
		s.changed.Wait()
	}
	if s.gone || len(s.queue) == 0 {
		return nil
	}
	p := s.queue
	s.queue, s.flying = nil, len(p)
	return p
}

func (s *Sink) left() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// pending reports whether the client is there and may still be given something.
func (s *Sink) pending() bool {
	select {
	case <-s.done:
		return false
	default:
		return !s.left()
	}
}
