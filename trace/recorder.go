package trace

import (
	"context"
	"sync"
	"time"
)

// Sink receives events one at a time, in order of Seq. A sink that blocks stops the engine at that
// event: this is how a learner steps. A sink must not call the engine.
type Sink interface{ Emit(Event) }

// Recorder numbers events and hands them to its sink. A nil Recorder records nothing. It is safe for
// concurrent use.
type Recorder struct {
	mu    sync.Mutex
	sink  Sink
	begun time.Time
	clock func() time.Duration
	seq   uint64
	spans uint64
}

// New returns a Recorder that writes to sink, with time counted from now.
func New(sink Sink) *Recorder {
	r := &Recorder{sink: sink, begun: time.Now()}
	r.clock = func() time.Duration { return time.Since(r.begun) }
	return r
}

// SetClock makes the recorder take times from clock, for a driver whose time is virtual. It must be
// called before the first event.
func (r *Recorder) SetClock(clock func() time.Duration) { r.clock = clock }

type contextKey struct{}

type position struct {
	rec  *Recorder
	span uint64
}

// With returns a context in which Step and Fact record to r, at the top level.
func With(ctx context.Context, r *Recorder) context.Context {
	return context.WithValue(ctx, contextKey{}, position{rec: r})
}

// From returns the recorder that ctx carries, or nil. Engine code asks only to know whether work that
// serves nothing but the trace can be left out.
func From(ctx context.Context) *Recorder {
	p, _ := ctx.Value(contextKey{}).(position)
	return p.rec
}

// EndFunc ends a step. A nil error means success; attrs are the results that vocab declares for the end. A step
// that failed has no results: with an error they are left out.
type EndFunc func(err error, attrs ...Attr)

// Step records the begin of a step and returns the context in which its parts are recorded, and the
// function that records its end. The end must be called exactly once.
func Step(ctx context.Context, kind string, attrs ...Attr) (context.Context, EndFunc) {
	p, _ := ctx.Value(contextKey{}).(position)
	if p.rec == nil {
		return ctx, func(error, ...Attr) {}
	}
	span := p.rec.begin(p.span, kind, attrs)
	end := func(err error, attrs ...Attr) {
		e := Event{Span: span, Parent: p.span, Kind: kind, Phase: End, Attrs: attrs}
		if err != nil {
			e.Err, e.Attrs = err.Error(), nil
		}
		p.rec.emit(e)
	}
	return context.WithValue(ctx, contextKey{}, position{p.rec, span}), end
}

// Fact records one note inside the step that ctx carries.
func Fact(ctx context.Context, kind string, attrs ...Attr) {
	p, _ := ctx.Value(contextKey{}).(position)
	if p.rec == nil {
		return
	}
	p.rec.emit(Event{Span: p.span, Kind: kind, Phase: Note, Attrs: attrs})
}

// Import records events that another process wrote (a supervisor, an init process), below the step that
// ctx carries. Seq, At and the span numbers are assigned anew; nesting inside events is kept.
func Import(ctx context.Context, events []Event) {
	p, _ := ctx.Value(contextKey{}).(position)
	if p.rec == nil {
		return
	}
	p.rec.importAll(p.span, events)
}

func (r *Recorder) begin(parent uint64, kind string, attrs []Attr) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans++
	span := r.spans
	r.emitLocked(Event{Span: span, Parent: parent, Kind: kind, Phase: Begin, Attrs: attrs})
	return span
}

func (r *Recorder) importAll(under uint64, events []Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	renamed := map[uint64]uint64{0: under}
	for _, e := range events {
		if e.Phase == Begin {
			r.spans++
			renamed[e.Span] = r.spans
		}
		span, ok := renamed[e.Span]
		if !ok {
			span = under
		}
		e.Span, e.Parent = span, renamed[e.Parent]
		if e.Phase == Note {
			e.Parent = 0
		}
		r.emitLocked(e)
	}
}

func (r *Recorder) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emitLocked(e)
}

func (r *Recorder) emitLocked(e Event) {
	r.seq++
	e.Seq, e.At = r.seq, r.clock()
	r.sink.Emit(e)
}
