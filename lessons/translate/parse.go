package translate

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxSource bounds a file; the longest real ones have a tenth of it.
const maxSource = 1 << 20

// Parse reads a translation. name is used in messages. The error is an *Error that names the line.
func Parse(name string, source []byte) (File, error) {
	f := File{Name: name}
	if len(source) > maxSource {
		return File{}, &Error{name, 1, fmt.Sprintf("the file has %d bytes; expected at most %d", len(source), maxSource)}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(source, &doc); err != nil {
		return File{}, yamlError(name, err)
	}
	if doc.Kind == 0 { // nothing but comments
		return f, nil
	}
	top := doc.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return f, nil
	}
	if top.Kind != yaml.MappingNode {
		return File{}, &Error{name, max(top.Line, 1), "expected the ids of texts, each with source: and text: below it"}
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		e, err := entry(name, top.Content[i], top.Content[i+1])
		if err != nil {
			return File{}, err
		}
		if before, twice := seen[e.ID]; twice {
			return File{}, &Error{name, e.Line, fmt.Sprintf("%s is there already, in line %d; expected it once", e.ID, before)}
		}
		seen[e.ID] = e.Line
		f.Entries = append(f.Entries, e)
	}
	return f, nil
}

// entry reads one text. Aliases are not followed: a translation is written by hand.
func entry(name string, key, value *yaml.Node) (Entry, error) {
	e := Entry{ID: key.Value, Line: key.Line}
	fail := func(line int, text string) (Entry, error) { return Entry{}, &Error{name, line, text} }
	if !isID(e.ID) {
		return fail(key.Line, fmt.Sprintf("%q is no id of a text; expected one such as first-section/2 or M-LAYER-COPY/claim", e.ID))
	}
	if value.Kind != yaml.MappingNode {
		return fail(key.Line, fmt.Sprintf("%s has no fields; expected source: and text: below it", e.ID))
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		k, v := value.Content[i], value.Content[i+1]
		if v.Kind != yaml.ScalarNode {
			return fail(k.Line, fmt.Sprintf("%s of %s is no text; expected one, below a | if it has several lines", k.Value, e.ID))
		}
		switch k.Value {
		case "source":
			e.Source = v.Value
		case "text":
			e.Text = strings.Trim(v.Value, "\n")
		default:
			return fail(k.Line, fmt.Sprintf("unknown key %q of %s; expected source or text", k.Value, e.ID))
		}
	}
	return e, nil
}

func isID(s string) bool {
	letters := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/")
	return s != "" && letters == "" && s[0] != '-' && s[0] != '/'
}

// yamlError turns yaml's "yaml: line 3: text" into an Error.
func yamlError(name string, err error) error {
	text := strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n"))
	line := 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, message, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, text = max(n, 1), message
		}
	}
	return &Error{name, line, text + "; expected YAML of the form id:, source: and text: |"}
}
