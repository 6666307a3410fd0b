package translate

import "fmt"

// State is what has become of one text or entry.
type State int

// A fault is Unknown or Broken: somebody's work is lost or can't be shown. Missing and Stale only show the original.
const (
	Missing State = iota // nobody has translated the text
	Stale                // the original has changed since
	Unknown              // there is no text of that id
	Broken               // the templates differ
)

// Finding is one thing that is not as it should be.
type Finding struct {
	State State
	Line  int    // of the translation's file
	Text  string // what is wrong, and how to mend it
}

// Compare holds a translation against the texts of the original, whose file is named for the messages. Findings come in the order of
// the texts, then those of entries without a text.
func (f File) Compare(original string, texts []Text) []Finding {
	var out []Finding
	known := map[string]bool{}
	for _, t := range texts {
		known[t.ID] = true
		e, ok := f.entry(t.ID)
		where := original
		if t.Line > 0 {
			where = fmt.Sprintf("%s:%d", original, t.Line)
		}
		if !ok || e.Text == "" {
			out = append(out, Finding{Missing, max(e.Line, 1), fmt.Sprintf("%s is not translated; the original is %s", t.ID, where)})
			continue
		}
		if hash := Hash(t.Source); e.Source != hash {
			out = append(out, Finding{Stale, e.Line, fmt.Sprintf("%s is stale: %s has changed; translate it again and write source: %s", t.ID, where, hash)})
		}
		if why := differ(t.Source, e.Text); why != "" {
			out = append(out, Finding{Broken, e.Line, fmt.Sprintf("%s: %s", t.ID, why)})
		}
	}
	for _, e := range f.Entries {
		if !known[e.ID] {
			out = append(out, Finding{Unknown, e.Line, fmt.Sprintf("%s is not in %s; learn dev translate finds the text's new id, or remove the entry", e.ID, original)})
		}
	}
	return out
}
