// Package tracetest helps tests that look at traces: a sink that fails a test on any event that the vocabulary does not declare
// just so, and a comparison of two traces.
package tracetest

import (
	"testing"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Checker is a sink that collects events and fails a test on one that is not declared, has other attributes than
// declared, or belongs to a step that is not open. When the test ends, every step must have ended.
type Checker struct {
	trace.Collect
	t    testing.TB
	seq  uint64
	open map[uint64]string // steps by span
}

// NewChecker returns a Checker for t.
func NewChecker(t testing.TB) *Checker {
	c := &Checker{t: t, open: map[uint64]string{}}
	t.Cleanup(func() {
		for span, kind := range c.open {
			t.Errorf("step %d (%s) has no end", span, kind)
		}
	})
	return c
}

// Emit checks e and keeps it.
func (c *Checker) Emit(e trace.Event) {
	c.t.Helper()
	c.Collect.Emit(e)
	c.seq++
	if e.Seq != c.seq {
		c.t.Errorf("event %d (%s): its number should be %d", e.Seq, e.Kind, c.seq)
	}
	if err := Check(e); err != nil {
		c.t.Errorf("event %d: %v", e.Seq, err)
	}
	c.nest(e)
}

func (c *Checker) nest(e trace.Event) {
	c.t.Helper()
	if e.Parent != 0 && c.open[e.Parent] == "" {
		c.t.Errorf("event %d (%s): the step %d around it is not open", e.Seq, e.Kind, e.Parent)
	}
	switch e.Phase {
	case trace.Begin:
		if e.Span == 0 || c.open[e.Span] != "" {
			c.t.Errorf("event %d (%s): begins step %d, which is no new one", e.Seq, e.Kind, e.Span)
		}
		c.open[e.Span] = e.Kind
	case trace.End:
		if c.open[e.Span] != e.Kind {
			c.t.Errorf("event %d: ends step %d as %s, but it is %q", e.Seq, e.Span, e.Kind, c.open[e.Span])
		}
		delete(c.open, e.Span)
	case trace.Note:
		if e.Span != 0 && c.open[e.Span] == "" {
			c.t.Errorf("event %d (%s): notes something in step %d, which is not open", e.Seq, e.Kind, e.Span)
		}
	}
}

// Check compares e with its declaration in the vocabulary.
func Check(e trace.Event) error {
	var keys, types []string
	for _, a := range e.Attrs {
		keys, types = append(keys, a.Key), append(types, a.Value.Type())
	}
	phase := string(e.Phase)
	if e.Phase == trace.End && e.Err != "" {
		phase = vocab.Failed
	}
	return vocab.Check(e.Kind, phase, keys, types)
}
