package trace

import "sync"

// Tee returns a sink that hands every event to each of sinks, in order. Nil sinks are left out.
func Tee(sinks ...Sink) Sink {
	var t tee
	for _, s := range sinks {
		if s != nil {
			t = append(t, s)
		}
	}
	if len(t) == 1 {
		return t[0]
	}
	return t
}

type tee []Sink

func (t tee) Emit(e Event) {
	for _, s := range t {
		s.Emit(e)
	}
}

// SinkFunc makes a sink of a function.
type SinkFunc func(Event)

// Emit calls f.
func (f SinkFunc) Emit(e Event) { f(e) }

// Collect is a sink that keeps every event in memory. The zero value is ready; it may be read while
// events arrive.
type Collect struct {
	mu     sync.Mutex
	events []Event
}

// Emit appends e.
func (c *Collect) Emit(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// Events returns what was collected so far. Later events don't change it.
func (c *Collect) Events() []Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events[:len(c.events):len(c.events)]
}

// Len is the number of events so far.
func (c *Collect) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events)
}
