// Package random generates events. It is apart from tracetest, which many a test binary holds that starts processes of itself: they would
// pay for the initialisation of the generators.
package random

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/learn-containers/learn/trace"
)

// Event generates any event that a file can hold: strings are UTF-8, attribute keys differ.
func Event() *rapid.Generator[trace.Event] {
	return rapid.Custom(func(t *rapid.T) trace.Event {
		e := trace.Event{
			Seq:    rapid.Uint64().Draw(t, "seq"),
			At:     time.Duration(rapid.Int64().Draw(t, "at")),
			Span:   rapid.Uint64().Draw(t, "span"),
			Parent: rapid.Uint64().Draw(t, "parent"),
			Kind:   rapid.StringMatching(`[a-z]{1,8}\.[a-z]{1,8}`).Draw(t, "kind"),
			Phase:  rapid.SampledFrom([]trace.Phase{trace.Begin, trace.End, trace.Note}).Draw(t, "phase"),
			Err:    rapid.String().Draw(t, "err"),
		}
		for i := range rapid.IntRange(0, 6).Draw(t, "attrs") {
			key := fmt.Sprintf("%s_%d", rapid.String().Draw(t, "key"), i)
			e.Attrs = append(e.Attrs, attr(t, key))
		}
		return e
	})
}

func attr(t *rapid.T, key string) trace.Attr {
	switch rapid.IntRange(0, 3).Draw(t, "type") {
	case 0:
		return trace.String(key, rapid.String().Draw(t, "string"))
	case 1:
		return trace.Int(key, rapid.Int64().Draw(t, "int"))
	case 2:
		return trace.Bool(key, rapid.Bool().Draw(t, "bool"))
	}
	return trace.Strings(key, rapid.SliceOf(rapid.String()).Draw(t, "list"))
}
