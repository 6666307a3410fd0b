package vocab

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	kindName = regexp.MustCompile(`^[a-z]+([._][a-z]+)*$`)
	keyName  = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	constant = regexp.MustCompile(`(?m)^\t[A-Z]\w+ +(?:Kind )?= "([^"]+)"$`)
)

func TestKindsAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds {
		if seen[k.Name] {
			t.Errorf("%s is declared twice", k.Name)
		}
		seen[k.Name] = true
		if !kindName.MatchString(k.Name) {
			t.Errorf("%q: a kind is lower-case words with dots", k.Name)
		}
		if k.Meaning == "" {
			t.Errorf("%s has no meaning", k.Name)
		}
		if !k.Step && k.Ends != nil {
			t.Errorf("%s is a note and can have no attributes at its end", k.Name)
		}
		checkAttrs(t, k.Name, k.Attrs)
		checkAttrs(t, k.Name, k.Ends)
	}
}

func checkAttrs(t *testing.T, kind string, attrs []Attr) {
	t.Helper()
	seen := map[string]bool{}
	for _, a := range attrs {
		if seen[a.Key] || !keyName.MatchString(a.Key) || a.Meaning == "" {
			t.Errorf("%s: attribute %q: keys are lower-case, come once, and have a meaning", kind, a.Key)
		}
		seen[a.Key] = true
		if !slices.Contains([]string{"string", "int", "bool", "list"}, a.Type) {
			t.Errorf("%s: attribute %s has type %q", kind, a.Key, a.Type)
		}
	}
}

// A number is a count of things that the key names, an identity or code, or a measure; a measure's key ends in its unit.
func TestMeasuresCarryTheirUnit(t *testing.T) {
	units := []string{"_bytes", "_ns", "_ms", "_seconds", "_percent"}
	measures := regexp.MustCompile(`(?i)\b(bytes?|length|size|nanoseconds|seconds|duration|milliseconds)\b`)
	counts := map[string]bool{"instructions": true}
	for _, k := range Kinds {
		for _, a := range slices.Concat(k.Attrs, k.Ends) {
			hasUnit := slices.ContainsFunc(units, func(u string) bool { return strings.HasSuffix(a.Key, u) })
			if a.Type != "int" {
				if hasUnit {
					t.Errorf("%s: %s has a unit and is no number", k.Name, a.Key)
				}
				continue
			}
			if measures.MatchString(a.Meaning) && !hasUnit && !counts[a.Key] {
				t.Errorf("%s: %s (%s) measures something, so its last word must be the unit", k.Name, a.Key, a.Meaning)
			}
		}
	}
}

func TestEveryConstantIsDeclared(t *testing.T) {
	src, err := os.ReadFile("vocab.go")
	if err != nil {
		t.Fatal(err)
	}
	names := constant.FindAllSubmatch(src, -1)
	if len(names) != len(Kinds) {
		t.Errorf("%d constants, %d kinds", len(names), len(Kinds))
	}
	for _, m := range names {
		if _, ok := Lookup(string(m[1])); !ok {
			t.Errorf("%s has a constant and no declaration", m[1])
		}
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name, kind, phase string
		keys, types       []string
		want              string // part of the error; empty for none
	}{
		{"a note", ImageRemove, "note", []string{"image"}, []string{"string"}, ""},
		{"a begin", ImageLoad, "begin", []string{"source"}, []string{"string"}, ""},
		{"an end", ImageLoad, "end", []string{"images"}, []string{"int"}, ""},
		{"a failed end", ImageLoad, Failed, nil, nil, ""},
		{"an unknown kind", "image.paint", "note", nil, nil, `kind "image.paint" is not in the vocabulary`},
		{"a note that ends", ImageRemove, "end", nil, nil, "it is a note"},
		{"a step as a note", ImageLoad, "note", []string{"source"}, []string{"string"}, "it is a step"},
		{"a missing attribute", ImageUntag, "note", []string{"ref"}, []string{"string"}, "declared are (ref string, image string)"},
		{"another type", ImageRemove, "note", []string{"image"}, []string{"int"}, "attributes are (image int)"},
		{"another order", ImageUntag, "note", []string{"image", "ref"}, []string{"string", "string"}, "attributes are (image string, ref string)"},
		{"attributes at a failed end", ImageLoad, Failed, []string{"images"}, []string{"int"}, "declared are ()"},
		{"keys without types", ImageRemove, "note", []string{"image"}, nil, "1 keys and 0 types"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Check(tt.kind, tt.phase, tt.keys, tt.types)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A mask that names nothing would hide nothing, and nobody would notice.
func TestMasksNameDeclaredAttributes(t *testing.T) {
	for _, m := range Masks {
		k, ok := Lookup(m.Kind)
		if !ok {
			t.Errorf("mask of %s.%s: no such kind", m.Kind, m.Key)
			continue
		}
		declared := slices.Concat(k.Attrs, k.Ends)
		has := func(key string) bool {
			return slices.ContainsFunc(declared, func(a Attr) bool { return a.Key == key })
		}
		with, _, _ := strings.Cut(m.With, "=")
		if m.Key != "" && !has(m.Key) || m.With != "" && !has(with) || m.Why == "" {
			t.Errorf("mask of %s.%s with %q: attributes must be declared, and there must be a reason", m.Kind, m.Key, m.With)
		}
	}
}
