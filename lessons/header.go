package lessons

import (
	"strconv"
	"strings"

	"go.abhg.dev/goldmark/frontmatter"
	"gopkg.in/yaml.v3"
)

const headerKeys = "id, title, needs, targets, minutes, registry, limits and vars"

// header reads the front matter. Its first line is line 2 of the file.
func (p *lessonParser) header(data *frontmatter.Data) error {
	if data == nil {
		return p.fail(1, "the file has no front matter; expected it to begin with --- and the keys %s", headerKeys)
	}
	var doc yaml.Node
	if err := data.Decode(&doc); err != nil {
		return p.yamlError(1, err)
	}
	fields, err := p.mapping(&doc, 1)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if err := p.headerField(f); err != nil {
			return err
		}
	}
	if !isName(p.lesson.ID) {
		return p.fail(1, "the id is %q; expected lower-case letters, digits and -", p.lesson.ID)
	}
	if p.lesson.Title == "" {
		return p.fail(1, "the lesson has no title; expected title: in the front matter")
	}
	return nil
}

func (p *lessonParser) headerField(f field) error {
	var err error
	switch f.key {
	case "id":
		err = f.value.Decode(&p.lesson.ID)
	case "title":
		err = f.value.Decode(&p.lesson.Title)
	case "needs":
		err = f.value.Decode(&p.lesson.Needs)
	case "targets":
		err = f.value.Decode(&p.lesson.Targets)
	case "minutes":
		err = f.value.Decode(&p.lesson.Minutes)
	case "registry":
		err = f.value.Decode(&p.lesson.Registry)
	case "limits":
		err = f.value.Decode(&p.lesson.Limits)
	case "vars":
		return p.vars(f)
	default:
		return p.fail(f.line, "unknown key %q; expected %s", f.key, headerKeys)
	}
	if err != nil {
		return p.yamlError(1, err)
	}
	for _, id := range p.lesson.Targets {
		if !isMisconception(id) {
			return p.fail(f.line, "target %q is no misconception; expected an id such as M-LAYER-COPY", id)
		}
	}
	return nil
}

func (p *lessonParser) vars(f field) error {
	fields, err := p.mapping(f.value, 1)
	if err != nil {
		return err
	}
	for _, v := range fields {
		if v.value.Kind != yaml.ScalarNode {
			return p.fail(v.line, "variable %q is no plain value; expected rand(4, 9), word(), pick(\"a\", \"b\") or a value", v.key)
		}
		p.lesson.Vars = append(p.lesson.Vars, Var{Name: v.key, Source: v.value.Value, Line: v.line})
	}
	return nil
}

// field is one key of a YAML mapping with its line in the lesson's file.
type field struct {
	key   string
	value *yaml.Node
	line  int
}

// mapping lists the fields of node in order. base is the line of the file just before the YAML text.
func (p *lessonParser) mapping(node *yaml.Node, base int) ([]field, error) {
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	if node.Kind == 0 {
		return nil, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, p.fail(base+max(node.Line, 1), "expected lines of the form key: value")
	}
	var out []field
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			return nil, p.fail(base+key.Line, "key %q is there twice; expected it once", key.Value)
		}
		seen[key.Value] = true
		out = append(out, field{key.Value, value, base + key.Line})
	}
	return out, nil
}

// yamlError turns yaml's "yaml: line 3: text" into an Error at the right line of the file.
func (p *lessonParser) yamlError(base int, err error) error {
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
	return p.fail(line, "%s; expected YAML of the form key: value (quote values that hold \": \" or \" #\", or write them below key: |)", text)
}

func isName(s string) bool {
	if s == "" {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isMisconception(s string) bool {
	rest, ok := strings.CutPrefix(s, "M-")
	return ok && rest != "" && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}
