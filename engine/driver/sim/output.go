package sim

import (
	"io"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver/jsonfile"
)

// drainGrace bounds the wait for the end of a stream after the process behind it ended.
const drainGrace = 3 * time.Second

// output is one output stream of a process: the log and the clients that listen.
type output struct {
	kind  frameKind
	lines *jsonfile.Stream
	src   io.ReadCloser
	done  chan struct{}

	mu    sync.Mutex
	sinks []*sink
	ended bool
}

// pump is the stream's goroutine: it reads until every writer is gone.
func (o *output) pump() {
	defer close(o.done)
	buf := make([]byte, streamChunk)
	for {
		n, err := o.src.Read(buf)
		if n > 0 {
			o.deliver(buf[:n])
		}
		if err != nil {
			break
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
func (o *output) deliver(p []byte) {
	o.lines.Write(p)
	o.mu.Lock()
	sinks := o.sinks
	o.mu.Unlock()
	for _, s := range sinks {
		s.Write(p)
	}
}

func (o *output) add(s *sink) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		s.Finish()
	}
	// A new slice: deliver may be walking the old one.
	o.sinks = append(append([]*sink(nil), o.sinks...), s)
}

func (o *output) remove(gone *sink) {
	gone.Abandon()
	o.mu.Lock()
	defer o.mu.Unlock()
	var rest []*sink
	for _, s := range o.sinks {
		if s != gone {
			rest = append(rest, s)
		}
	}
	o.sinks = rest
}

func (o *output) endedWithin(d time.Duration) bool {
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-o.done:
		return true
	case <-late.C:
		return false
	}
}

// pending reports whether a client is still being written to.
func (o *output) pending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.sinks {
		if s.pending() {
			return true
		}
	}
	return false
}
