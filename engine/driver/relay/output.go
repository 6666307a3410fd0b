// Package relay brings the output of a process to its log and to the clients that listen, in a supervisor of either driver.
//
// It does not know what the process writes to nor how a client is reached: those are a reader and a Carrier of the driver's. Input is not
// its affair.
//
// Invariants: output is logged before it is sent, so no client loses the log a line; a client gets what was written from the moment when it
// was added, in order and whole, until it leaves; one that is slow slows the process down, and loses nothing.
package relay

import (
	"io"
	"slices"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver/jsonfile"
)

// chunkBytes is how much is read from a stream at a time.
const chunkBytes = 32 << 10

// drainGrace bounds the wait for the end of a stream after the process behind it ended.
const drainGrace = 3 * time.Second

// Output is one output stream of a process.
type Output struct {
	src   io.ReadCloser
	lines *jsonfile.Stream
	done  chan struct{}

	mu    sync.Mutex
	sinks []*Sink
	ended bool
}

// NewOutput is the stream that is read from src and logged in lines. The caller runs it, or closes it if it comes to nothing.
func NewOutput(src io.ReadCloser, lines *jsonfile.Stream) *Output {
	return &Output{src: src, lines: lines, done: make(chan struct{})}
}

// Run is the stream's goroutine: it reads until every writer is gone, and waits until the clients have what there was.
func (o *Output) Run() {
	defer close(o.done)
	buf := make([]byte, chunkBytes)
	for {
		n, err := o.src.Read(buf)
		if n > 0 {
			o.deliver(buf[:n])
		}
		if err != nil {
			break // io.EOF, or EIO from a terminal whose other end is closed
		}
	}
	o.lines.Flush()
	o.mu.Lock()
	sinks := o.sinks
	o.ended = true
	o.mu.Unlock()
	for _, s := range sinks {
		s.Finish()
	}
	for _, s := range sinks {
		<-s.done
	}
}

// deliver logs before it sends, so that a client can't lose the log a line.
func (o *Output) deliver(p []byte) {
	_, _ = o.lines.Write(p)
	o.mu.Lock()
	sinks := o.sinks
	o.mu.Unlock()
	for _, s := range sinks {
		s.Write(p)
	}
}

// Add gives s what is written from now on. If the stream has ended, that is nothing.
func (o *Output) Add(s *Sink) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		s.Finish()
	}
	o.sinks = append(slices.Clip(o.sinks), s) // a new slice: deliver may be walking the old one
}

// Remove lets s go at once.
func (o *Output) Remove(s *Sink) {
	s.Abandon()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sinks = slices.DeleteFunc(slices.Clone(o.sinks), func(other *Sink) bool { return other == s })
}

// Drain waits, when the process behind the stream is gone, until the stream has ended and its clients have taken everything. Somebody else
// may hold the stream open; that is waited for only a while, or as long as a client listens.
func (o *Output) Drain() {
	for !o.endedWithin(drainGrace) {
		if !o.pending() {
			o.Close()
		}
	}
}

// Close closes what the stream is read from.
func (o *Output) Close() { _ = o.src.Close() }

func (o *Output) endedWithin(d time.Duration) bool {
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-o.done:
		return true
	case <-late.C:
		return false
	}
}

// pending reports whether a client listens.
func (o *Output) pending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.sinks, (*Sink).pending)
}
