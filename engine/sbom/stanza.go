package sbom

import (
	"bytes"
	"strings"
)

// stanza is a paragraph of fields, as dpkg, apk and Python's metadata have it. Of a field that comes several times the values are
// joined by line breaks; of one that goes over several lines only the first is kept.
type stanza struct {
	line   int // of its first field, from 1
	fields map[string]string
}

// stanzas splits data, in which wanted fields are kept, and hands each stanza to visit. bad is told of lines that are none of a
// field; such a line is passed over.
func stanzas(data []byte, wanted map[string]bool, visit func(stanza), bad func(line int, text string)) {
	s := stanza{fields: map[string]string{}}
	flush := func() {
		if len(s.fields) > 0 {
			visit(s)
		}
		s = stanza{fields: map[string]string{}}
	}
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			flush()
		case line[0] == ' ' || line[0] == '\t' || line[0] == '#':
		case len(line) > maxLine:
			bad(n, "the line is too long")
		default:
			key, value, ok := bytes.Cut(line, []byte(":"))
			if !ok || len(key) == 0 {
				bad(n, "expected FIELD: VALUE")
				continue
			}
			s.put(n, string(key), value, wanted)
		}
	}
	flush()
}

func (s *stanza) put(line int, key string, value []byte, wanted map[string]bool) {
	if !wanted[key] {
		return
	}
	if len(s.fields) == 0 {
		s.line = line
	}
	text := strings.ToValidUTF8(string(bytes.TrimSpace(value)), "\uFFFD")
	if old, again := s.fields[key]; again && len(old) < maxLine {
		text = old + "\n" + text
	}
	s.fields[key] = text
}

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}
