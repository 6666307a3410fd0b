package tracetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Difference compares two traces of the same commands, event by event, and describes the first difference; it is empty if there is none.
//
// Left out are times and what vocab.Masks lists. Spans and digests are numbered by their first appearance, since a digest holds the times
// that are in its content. Copy-on-write events between two others are compared by path, each path by what became of it: a watcher may
// merge reports, and reports on different files wait for each other only as long as they must.
func Difference(want, got []trace.Event) string {
	a, b := plain(want), plain(got)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("event %d is one too many:\n  %s", i+1, b[i])
		case i >= len(b):
			return fmt.Sprintf("event %d is missing:\n  %s", i+1, a[i])
		case a[i] != b[i]:
			return fmt.Sprintf("event %d differs:\n  want %s\n  got  %s\nafter\n%s", i+1, a[i], b[i], before(a, i))
		}
	}
	return ""
}

func before(lines []string, i int) string {
	return "  " + strings.Join(lines[max(0, i-5):i], "\n  ")
}

// plain is a trace as comparable lines.
func plain(events []trace.Event) []string {
	n := numbering{spans: map[uint64]int{0: 0}, digests: map[string]int{}}
	var lines []string
	for _, e := range settled(events) {
		if !vocab.Masked(e.Kind, "", func(key string) string { return e.Attr(key).String() }) {
			lines = append(lines, n.line(e))
		}
	}
	return lines
}

// numbering gives spans and digests numbers by first appearance.
type numbering struct {
	spans   map[uint64]int
	digests map[string]int
}

func number[K comparable](m map[K]int, k K) int {
	if _, ok := m[k]; !ok {
		m[k] = len(m)
	}
	return m[k]
}

func (n *numbering) line(e trace.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s in %d of %d", e.Kind, e.Phase, number(n.spans, e.Span), number(n.spans, e.Parent))
	for _, a := range e.Attrs {
		text := n.text(a.Value.String())
		if vocab.Masked(e.Kind, a.Key, func(key string) string { return e.Attr(key).String() }) {
			text = "*"
		}
		fmt.Fprintf(&b, " %s=%q", a.Key, text)
	}
	if e.Err != "" {
		fmt.Fprintf(&b, " error=%q", n.text(e.Err))
	}
	return b.String()
}

// text replaces every digest in s by its number.
func (n *numbering) text(s string) string {
	const algorithm, hex = "sha256:", 64
	var b strings.Builder
	for {
		head, rest, found := strings.Cut(s, algorithm)
		b.WriteString(head)
		if !found {
			return b.String()
		}
		if len(rest) < hex || strings.Trim(rest[:hex], "0123456789abcdef") != "" {
			b.WriteString(algorithm)
			s = rest
			continue
		}
		fmt.Fprintf(&b, "digest-%d", number(n.digests, rest[:hex]))
		s = rest[hex:]
	}
}

// settled puts runs of copy-on-write events in order.
func settled(events []trace.Event) []trace.Event {
	var out []trace.Event
	for len(events) > 0 {
		n := slices.IndexFunc(events, func(e trace.Event) bool { return !copyOnWrite(e) })
		if n < 0 {
			n = len(events)
		}
		out = append(out, outcomes(events[:n])...)
		if n < len(events) {
			out = append(out, events[n])
			n++
		}
		events = events[n:]
	}
	return out
}

func copyOnWrite(e trace.Event) bool { return strings.HasPrefix(e.Kind, "cow.") }

// outcomes leaves of several reports on a path only what became of it, and sorts by writable layer and path.
func outcomes(run []trace.Event) []trace.Event {
	var out []trace.Event
	for _, e := range run {
		i := slices.IndexFunc(out, func(o trace.Event) bool { return samePath(o, e) })
		if i < 0 {
			out = append(out, e)
			continue
		}
		merged, ok := merge(out[i], e)
		switch {
		case !ok:
			out = append(out, e)
		case merged.Kind == "":
			out = slices.Delete(out, i, i+1)
		default:
			out[i] = merged
		}
	}
	slices.SortStableFunc(out, func(a, b trace.Event) int {
		return cmp.Or(cmp.Compare(a.Attr("key").Str(), b.Attr("key").Str()), cmp.Compare(a.Attr("path").Str(), b.Attr("path").Str()))
	})
	return out
}

func samePath(a, b trace.Event) bool {
	return a.Attr("key").Str() == b.Attr("key").Str() && a.Attr("path").Str() == b.Attr("path").Str()
}

// merge is one report for two on the same path, the zero event if they cancel out.
func merge(first, then trace.Event) (trace.Event, bool) {
	switch {
	case first.Kind == vocab.CowCreate && then.Kind == vocab.CowRemove:
		return trace.Event{}, true
	case first.Kind == vocab.CowCreate && then.Kind == vocab.CowWrite:
		first.Attrs = slices.Clone(first.Attrs)
		for i, a := range first.Attrs {
			if a.Key == "size_bytes" {
				first.Attrs[i] = trace.Int(a.Key, then.Attr(a.Key).Int())
			}
		}
		return first, true
	case then.Kind == vocab.CowWrite && first.Kind == vocab.CowWrite:
		return then, true
	}
	return trace.Event{}, false
}
