package markdown

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Field is one key of a YAML mapping with its line in the file.
type Field struct {
	Key   string
	Value *yaml.Node
	Line  int
}

// Fields reads a block that is YAML throughout.
func (d Document) Fields(f Fence) ([]Field, error) { return d.FieldsBelow(f.Body, f.Line) }

// FieldsBelow reads YAML text whose first line follows line base of the file.
func (d Document) FieldsBelow(text string, base int) ([]Field, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		return nil, d.YAMLError(base, err)
	}
	return d.Mapping(&node, base)
}

// Mapping lists the fields of node in order. base is the line of the file just before the YAML text.
func (d Document) Mapping(node *yaml.Node, base int) ([]Field, error) {
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if node.Kind == 0 {
		return nil, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, d.Fail(base+max(node.Line, 1), "expected lines of the form key: value")
	}
	var out []Field
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			return nil, d.Fail(base+key.Line, "key %q is there twice; expected it once", key.Value)
		}
		seen[key.Value] = true
		out = append(out, Field{key.Value, value, base + key.Line})
	}
	return out, nil
}

// YAMLError turns yaml's "yaml: line 3: text" into an Error at the right line of the file.
func (d Document) YAMLError(base int, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n")
	text = strings.TrimSpace(text)
	line := base + 1
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		number, message, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, text = base+n, message
		}
	}
	return d.Fail(line, "%s; expected YAML of the form key: value (quote values that hold \": \" or \" #\", or write them below key: |)", text)
}

// Only complains about attributes of a block that are not among known.
func (d Document) Only(f Fence, known ...string) error {
	for key := range f.Attrs {
		ok := false
		for _, k := range known {
			ok = ok || k == key
		}
		if !ok {
			return d.Fail(f.Line, "unknown attribute %q of a %s block; expected %s", key, f.Word, strings.Join(known, ", "))
		}
	}
	return nil
}

// IsName tells whether s can be the id of something: lower-case letters, digits and dashes.
func IsName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
