// Package narrate tells in sentences what an event means: to a beginner in one plain line, to an engineer down
// to the system call.
//
// The phrase book has an entry for every kind in package vocab. A phrase says what happened; from level Full on also
// why it matters or where to look; at level Kernel also how it was done. It speaks only of what the event says.
//
// Strings in events come from outside (paths, names, command lines, messages). What they hold is shown with control
// characters escaped, so that a file name can't paint over the narration.
package narrate

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// text is what a phrase says about one event. Any part may be empty.
type text struct {
	say string // what happened
	why string // from Full on: why it matters, what to look at
	how string // at Kernel: system calls, files, numbers
	min Level  // hides this one below a level, beyond what its phrase does
}

// phrase is an entry of the phrase book.
type phrase struct {
	kind  string
	from  Level             // the lowest level that shows it
	doing string            // what a step does, for when it fails: "building the image"
	tell  func(*facts) text // the begin of a step, or a note
	done  func(*facts) text // the successful end of a step
}

// Narrate tells e in sentences, on one line; empty when the level does not show it.
func Narrate(e trace.Event, level Level) string {
	f := facts{e: e, level: level}
	return f.text().join(level)
}

// text looks the event up in the phrase book. What the level hides comes out empty.
func (f *facts) text() text {
	p, ok := find(f.e.Kind)
	if !ok {
		return f.unknown()
	}
	var t text
	switch {
	case f.level < p.from:
		return text{}
	case f.e.Phase == trace.End && f.e.Err != "":
		t = text{say: upper(cmp.Or(p.doing, p.kind)) + " did not work: " + strings.TrimSuffix(f.err(), ".") + "."}
	case f.e.Phase == trace.End && p.done != nil:
		t = p.done(f)
	case f.e.Phase != trace.End && p.tell != nil:
		t = p.tell(f)
	}
	if f.level < t.min {
		return text{}
	}
	return t
}

// err is the error in one line: each line of its own is a part of the sentence.
func (f *facts) err() string {
	lines := strings.FieldsFunc(f.e.Err, func(r rune) bool { return r == '\n' || r == '\r' })
	return shorten(Clean(strings.Join(lines, "; ")), 1000)
}

// unknown tells of an event that the phrase book doesn't know, such as one of a later version.
func (f *facts) unknown() text {
	if f.level < Kernel {
		return text{}
	}
	words := []string{Clean(f.e.Kind), Clean(string(f.e.Phase))}
	for _, a := range f.e.Attrs {
		words = append(words, Clean(a.Key)+"="+shorten(Clean(a.Value.String()), 200))
	}
	if f.e.Err != "" {
		words = append(words, "error: "+f.err())
	}
	return text{say: strings.Join(words, " ")}
}

// join puts together what the level shows.
func (t text) join(level Level) string {
	parts := []string{t.say}
	if level >= Full {
		parts = append(parts, t.why)
	}
	if level >= Kernel {
		parts = append(parts, t.how)
	}
	var b strings.Builder
	for _, p := range parts {
		if p == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p)
	}
	return b.String()
}

func find(kind string) (phrase, bool) {
	for _, chapter := range [...][]phrase{engineBook, imageBook, layerBook, containerBook, volumeBook, networkBook, kernelBook, buildBook, transportBook, supplyBook, registryBook} {
		for _, p := range chapter {
			if p.kind == kind {
				return p, true
			}
		}
	}
	return phrase{}, false
}

// upper makes the first letter a capital.
func upper(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// learn keeps the names that an event gives to ids, for later sentences.
func learn(names map[string]string, e trace.Event) {
	switch e.Kind {
	case vocab.ImageTag:
		names[e.Attr("image").Str()] = familiar(e.Attr("ref").Str())
	case vocab.ContainerCreate:
		names[e.Attr("container").Str()] = e.Attr("name").Str()
	case vocab.NetworkCreate, vocab.NetworkLease:
		names[e.Attr("network").Str()] = e.Attr("name").Str()
	}
}
