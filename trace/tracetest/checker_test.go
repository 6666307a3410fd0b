package tracetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// recorded is a testing.TB that keeps what it is told.
type recorded struct {
	testing.TB
	errors  []string
	cleanup []func()
}

func (r *recorded) Helper()                   {}
func (r *recorded) Cleanup(f func())          { r.cleanup = append(r.cleanup, f) }
func (r *recorded) Errorf(f string, a ...any) { r.errors = append(r.errors, fmt.Sprintf(f, a...)) }

func TestCheckerFindsWhatIsWrong(t *testing.T) {
	image := trace.String("image", "sha256:1")
	source := trace.String("source", "-")
	note := func(kind string, attrs ...trace.Attr) trace.Event {
		return trace.Event{Seq: 1, Kind: kind, Phase: trace.Note, Attrs: attrs}
	}
	for _, tt := range []struct {
		name   string
		events []trace.Event
		want   string // part of the first complaint; empty for none
	}{
		{"a good note", []trace.Event{note(vocab.ImageRemove, image)}, ""},
		{"a good step", []trace.Event{
			{Seq: 1, Span: 1, Kind: vocab.ImageLoad, Phase: trace.Begin, Attrs: []trace.Attr{source}},
			{Seq: 2, Span: 1, Kind: vocab.ImageLoad, Phase: trace.End, Err: "no such file"}}, ""},
		{"an undeclared kind", []trace.Event{note("image.paint")}, "not in the vocabulary"},
		{"another attribute", []trace.Event{note(vocab.ImageRemove, source)}, "declared are (image string)"},
		{"a gap in the numbers", []trace.Event{{Seq: 3, Kind: vocab.ImageRemove, Phase: trace.Note, Attrs: []trace.Attr{image}}}, "should be 1"},
		{"a note in a step that is over", []trace.Event{{Seq: 1, Span: 4, Kind: vocab.ImageRemove, Phase: trace.Note, Attrs: []trace.Attr{image}}}, "not open"},
		{"a step without end", []trace.Event{{Seq: 1, Span: 1, Kind: vocab.ImageLoad, Phase: trace.Begin, Attrs: []trace.Attr{source}}}, "has no end"},
		{"an end without begin", []trace.Event{{Seq: 1, Span: 1, Kind: vocab.ImageLoad, Phase: trace.End, Err: "x"}}, "ends step 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorded{}
			c := NewChecker(r)
			for _, e := range tt.events {
				c.Emit(e)
			}
			for _, f := range r.cleanup {
				f()
			}
			got := strings.Join(r.errors, "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckerAcceptsWhatTheRecorderWrites(t *testing.T) {
	c := NewChecker(t)
	ctx, end := trace.Step(trace.With(t.Context(), trace.New(c)), vocab.ImageLoad, trace.String("source", "-"))
	trace.Fact(ctx, vocab.ImageRemove, trace.String("image", "sha256:1"))
	end(errors.New("cut short"), trace.Int("images", 0))
	if c.Len() != 3 {
		t.Errorf("%d events", c.Len())
	}
}
