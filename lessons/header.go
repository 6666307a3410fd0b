package lessons

import (
	"strings"

	"github.com/learn-containers/learn/lessons/markdown"
	"gopkg.in/yaml.v3"
)

const headerKeys = "id, title, needs, targets, minutes, registry, limits and vars"

// header reads the front matter.
func (p *lessonParser) header() error {
	for _, f := range p.doc.Header {
		if err := p.headerField(f); err != nil {
			return err
		}
	}
	if !markdown.IsName(p.lesson.ID) {
		return p.fail(1, "the id is %q; expected lower-case letters, digits and -", p.lesson.ID)
	}
	if p.lesson.Title == "" {
		return p.fail(1, "the lesson has no title; expected title: in the front matter")
	}
	return nil
}

func (p *lessonParser) headerField(f markdown.Field) error {
	var err error
	switch f.Key {
	case "id":
		err = f.Value.Decode(&p.lesson.ID)
	case "title":
		err = f.Value.Decode(&p.lesson.Title)
	case "needs":
		err = f.Value.Decode(&p.lesson.Needs)
	case "targets":
		err = f.Value.Decode(&p.lesson.Targets)
	case "minutes":
		err = f.Value.Decode(&p.lesson.Minutes)
	case "registry":
		err = f.Value.Decode(&p.lesson.Registry)
	case "limits":
		err = f.Value.Decode(&p.lesson.Limits)
	case "vars":
		return p.vars(f)
	default:
		return p.fail(f.Line, "unknown key %q; expected %s", f.Key, headerKeys)
	}
	if err != nil {
		return p.doc.YAMLError(1, err)
	}
	for _, id := range p.lesson.Targets {
		if !isMisconception(id) {
			return p.fail(f.Line, "target %q is no misconception; expected an id such as M-LAYER-COPY", id)
		}
	}
	return nil
}

func (p *lessonParser) vars(f markdown.Field) error {
	fields, err := p.doc.Mapping(f.Value, 1)
	if err != nil {
		return err
	}
	for _, v := range fields {
		if v.Value.Kind != yaml.ScalarNode {
			return p.fail(v.Line, "variable %q is no plain value; expected rand(4, 9), word(), pick(\"a\", \"b\") or a value", v.Key)
		}
		p.lesson.Vars = append(p.lesson.Vars, Var{Name: v.Key, Source: v.Value.Value, Line: v.Line})
	}
	return nil
}

func isMisconception(s string) bool {
	rest, ok := strings.CutPrefix(s, "M-")
	return ok && rest != "" && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}
