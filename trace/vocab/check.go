package vocab

import (
	"fmt"
	"strings"
)

// Failed is the phase that Check takes for the end of a step that did not work.
const Failed = "failed"

// Lookup finds a kind by name.
func Lookup(name string) (Kind, bool) {
	for _, k := range Kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// Check reports how an event differs from its declaration: kind is not declared, phase (begin, end, note or Failed) does
// not suit it, or the attributes with these keys and types are not exactly those declared, in order.
func Check(kind, phase string, keys, types []string) error {
	k, ok := Lookup(kind)
	if !ok {
		return fmt.Errorf("check event: kind %q is not in the vocabulary", kind)
	}
	want, err := k.phaseAttrs(phase)
	if err != nil {
		return err
	}
	if len(keys) != len(types) {
		return fmt.Errorf("check event %s: %d keys and %d types", kind, len(keys), len(types))
	}
	got := make([]Attr, len(keys))
	for i := range keys {
		got[i] = Attr{Key: keys[i], Type: types[i]}
	}
	if g, w := describe(got), describe(want); g != w {
		return fmt.Errorf("check event %s, %s: attributes are (%s), declared are (%s)", kind, phase, g, w)
	}
	return nil
}

func (k Kind) phaseAttrs(phase string) ([]Attr, error) {
	switch {
	case !k.Step && phase == "note", k.Step && phase == "begin":
		return k.Attrs, nil
	case k.Step && phase == "end":
		return k.Ends, nil
	case k.Step && phase == Failed:
		return nil, nil
	case k.Step:
		return nil, fmt.Errorf("check event %s: it is a step, so its phase is begin or end, not %q", k.Name, phase)
	}
	return nil, fmt.Errorf("check event %s: it is a note, not %q", k.Name, phase)
}

func describe(attrs []Attr) string {
	words := make([]string, len(attrs))
	for i, a := range attrs {
		words[i] = a.Key + " " + a.Type
	}
	return strings.Join(words, ", ")
}
