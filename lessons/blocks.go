package lessons

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// parseInfo reads the words behind the opening fence: a language, then key=value, key="two words" or a bare flag.
func parseInfo(info string) (word string, attrs map[string]string, err error) {
	attrs = map[string]string{}
	word, rest, _ := strings.Cut(strings.TrimSpace(info), " ")
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		var key, value string
		end := strings.IndexAny(rest, " =")
		if end < 0 || rest[end] == ' ' {
			key, rest, _ = strings.Cut(rest, " ")
			attrs[key] = ""
			continue
		}
		key, rest = rest[:end], rest[end+1:]
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			var closed bool
			if value, rest, closed = strings.Cut(quoted, `"`); !closed {
				return "", nil, fmt.Errorf("the value of %s= has no closing quote", key)
			}
		} else {
			value, rest, _ = strings.Cut(rest, " ")
		}
		attrs[key] = value
	}
	return word, attrs, nil
}

// only complains about attributes that are not among known.
func (p *lessonParser) only(f fenced, known ...string) error {
	for key := range f.attrs {
		ok := false
		for _, k := range known {
			ok = ok || k == key
		}
		if !ok {
			return p.fail(f.line, "unknown attribute %q of a %s block; expected %s", key, f.word, strings.Join(known, ", "))
		}
	}
	return nil
}

// console makes a step of each command. Lines of output have no place in a lesson.
func (p *lessonParser) console(f fenced) error {
	if err := p.only(f, "exit"); err != nil {
		return err
	}
	exit, err := strconv.Atoi(orElse(f.attrs["exit"], "0"))
	if err != nil || exit < 0 || exit > 255 {
		return p.fail(f.line, "exit=%s; expected a number from 0 to 255", f.attrs["exit"])
	}
	first := len(p.lesson.Steps)
	open := false // the command above goes on in this line
	for i, line := range strings.Split(strings.TrimRight(f.body, "\n"), "\n") {
		at := f.line + 1 + i
		command, isNew := strings.CutPrefix(line, "$ ")
		more, isMore := strings.CutPrefix(line, "> ")
		last := len(p.lesson.Steps) - 1
		switch {
		case isNew:
			p.step(Step{Command: command, Exit: exit, Line: at})
		case isMore && last >= first:
			p.lesson.Steps[last].Command += "\n" + more
		case open:
			p.lesson.Steps[last].Command += "\n" + line
		default:
			return p.fail(at, "line %q of a console block; expected \"$ \" and a command (output is never written in a lesson)", line)
		}
		open = strings.HasSuffix(line, `\`)
	}
	return nil
}

func (p *lessonParser) step(s Step) {
	p.attach()
	if len(p.lesson.Sections) == 0 {
		p.lesson.Sections = []Section{{Title: p.lesson.Title, Line: 1, First: 1}}
	}
	s.Number = len(p.lesson.Steps) + 1
	s.Section = len(p.lesson.Sections) - 1
	s.Before, p.pending = p.pending, nil
	p.lesson.Steps = append(p.lesson.Steps, s)
}

func (p *lessonParser) fileBlock(f fenced) error {
	if err := p.only(f, "path", "mode", "lang"); err != nil {
		return err
	}
	name := f.attrs["path"]
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../") {
		return p.fail(f.line, "path=%q; expected a clean path inside the workspace", name)
	}
	mode, err := strconv.ParseUint(orElse(f.attrs["mode"], "644"), 8, 12)
	if err != nil {
		return p.fail(f.line, "mode=%s; expected octal digits such as 755", f.attrs["mode"])
	}
	lang := f.attrs["lang"]
	if base := path.Base(name); lang == "" && strings.HasPrefix(base, "Dockerfile") {
		lang = "dockerfile"
	} else if lang == "" {
		lang = strings.TrimPrefix(path.Ext(base), ".")
	}
	p.pending = append(p.pending, Block{Line: f.line, File: &File{Path: name, Content: f.body, Mode: uint32(mode), Lang: lang}})
	return nil
}

// takeID checks that the id of a question or check is there and new.
func (p *lessonParser) takeID(f fenced) (string, error) {
	id := f.attrs["id"]
	if !isName(id) {
		return "", p.fail(f.line, "id=%q of a %s block; expected lower-case letters, digits and -", id, f.word)
	}
	if before, taken := p.ids[id]; taken {
		return "", p.fail(f.line, "id=%s is taken by line %d; expected an id of its own", id, before)
	}
	p.ids[id] = f.line
	return id, nil
}

// check parses a block that is YAML throughout.
func (p *lessonParser) check(f fenced) error {
	if err := p.only(f, "id"); err != nil {
		return err
	}
	id, err := p.takeID(f)
	if err != nil {
		return err
	}
	c := &Check{ID: id}
	fields, err := p.yamlFields(f.body, f.line)
	if err != nil {
		return err
	}
	for _, field := range fields {
		switch field.key {
		case "says":
			c.Says = field.value.Value
		case "now":
			c.Now = exprOf(field)
		case "ever":
			c.Ever = exprOf(field)
		case "only":
			c.Only = exprOf(field)
		default:
			return p.fail(field.line, "unknown key %q of a check; expected says, now, ever or only", field.key)
		}
	}
	if c.Says == "" || c.Now.Source+c.Ever.Source+c.Only.Source == "" {
		return p.fail(f.line, "the check is incomplete; expected says: and at least one of now:, ever: and only:")
	}
	if len(p.lesson.Steps) == 0 {
		return p.fail(f.line, "a check before the first command; expected it below a console block")
	}
	p.pending = append(p.pending, Block{Line: f.line, Check: c})
	return nil
}

// yamlFields reads YAML text whose first line follows line base of the file.
func (p *lessonParser) yamlFields(text string, base int) ([]field, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, p.yamlError(base, err)
	}
	return p.mapping(&doc, base)
}

func exprOf(f field) Expr { return Expr{Source: strings.TrimSpace(f.value.Value), Line: f.line} }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
