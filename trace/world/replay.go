package world

import "github.com/learn-containers/learn/trace"

// stride is how many events lie between two kept worlds of a Replay.
const stride = 512

// Replay is a cursor over a trace that goes forward and back. It stands after an event; in the beginning, before the
// first. It is not safe for concurrent use.
type Replay struct {
	events []trace.Event
	at     int
	kept   []World // kept[i] is the world after i*stride events
	near   folder  // works on the world after nearAt events
	nearAt int
}

// NewReplay returns a cursor that stands before the first event. The events must not be changed.
func NewReplay(events []trace.Event) *Replay {
	return &Replay{events: events, kept: []World{{}}}
}

// Len is the number of events.
func (r *Replay) Len() int { return len(r.events) }

// Pos is the number of events before the cursor.
func (r *Replay) Pos() int { return r.at }

// Event is the event that the cursor stands after; false before the first.
func (r *Replay) Event() (trace.Event, bool) {
	if r.at == 0 {
		return trace.Event{}, false
	}
	return r.events[r.at-1], true
}

// Goto moves the cursor after event n, or as near to it as there are events, and returns the world there.
func (r *Replay) Goto(n int) World {
	r.at = min(max(n, 0), len(r.events))
	return r.At(r.at)
}

// Next moves the cursor one event on; false at the end.
func (r *Replay) Next() bool {
	if r.at == len(r.events) {
		return false
	}
	r.at++
	return true
}

// Back moves the cursor one event back; false at the beginning.
func (r *Replay) Back() bool {
	if r.at == 0 {
		return false
	}
	r.at--
	return true
}

// World is the world at the cursor.
func (r *Replay) World() World { return r.At(r.at) }

// At is the world after n events, wherever the cursor stands.
func (r *Replay) At(n int) World {
	n = min(max(n, 0), len(r.events))
	if n < r.nearAt || n-r.nearAt > stride {
		k := min(n/stride, len(r.kept)-1)
		if n < r.nearAt || k*stride > r.nearAt {
			r.near, r.nearAt = folder{w: r.kept[k]}, k*stride
		}
	}
	for ; r.nearAt < n; r.nearAt++ {
		if r.nearAt == len(r.kept)*stride {
			r.kept = append(r.kept, r.near.snapshot())
		}
		r.near.apply(r.events[r.nearAt])
	}
	return r.near.snapshot()
}
