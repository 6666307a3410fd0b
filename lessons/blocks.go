package lessons

import (
	"path"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/lessons/markdown"
)

// console makes a step of each command. Lines of output have no place in a lesson.
func (p *lessonParser) console(f markdown.Fence) error {
	if err := p.doc.Only(f, "exit"); err != nil {
		return err
	}
	exit, err := strconv.Atoi(orElse(f.Attrs["exit"], "0"))
	if err != nil || exit < 0 || exit > 255 {
		return p.fail(f.Line, "exit=%s; expected a number from 0 to 255", f.Attrs["exit"])
	}
	first := len(p.lesson.Steps)
	open := false // the command above goes on in this line
	for i, line := range strings.Split(strings.TrimRight(f.Body, "\n"), "\n") {
		at := f.Line + 1 + i
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

func (p *lessonParser) fileBlock(f markdown.Fence) error {
	if err := p.doc.Only(f, "path", "mode", "lang"); err != nil {
		return err
	}
	name := f.Attrs["path"]
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../") {
		return p.fail(f.Line, "path=%q; expected a clean path inside the workspace", name)
	}
	mode, err := strconv.ParseUint(orElse(f.Attrs["mode"], "644"), 8, 12)
	if err != nil {
		return p.fail(f.Line, "mode=%s; expected octal digits such as 755", f.Attrs["mode"])
	}
	lang := f.Attrs["lang"]
	if base := path.Base(name); lang == "" && strings.HasPrefix(base, "Dockerfile") {
		lang = "dockerfile"
	} else if lang == "" {
		lang = strings.TrimPrefix(path.Ext(base), ".")
	}
	p.pending = append(p.pending, Block{Line: f.Line, File: &File{Path: name, Content: f.Body, Mode: uint32(mode), Lang: lang}})
	return nil
}

// takeID checks that the id of a question or check is there and new.
func (p *lessonParser) takeID(f markdown.Fence) (string, error) {
	id := f.Attrs["id"]
	if !markdown.IsName(id) {
		return "", p.fail(f.Line, "id=%q of a %s block; expected lower-case letters, digits and -", id, f.Word)
	}
	if before, taken := p.ids[id]; taken {
		return "", p.fail(f.Line, "id=%s is taken by line %d; expected an id of its own", id, before)
	}
	p.ids[id] = f.Line
	return id, nil
}

// check parses a block that is YAML throughout.
func (p *lessonParser) check(f markdown.Fence) error {
	if err := p.doc.Only(f, "id"); err != nil {
		return err
	}
	id, err := p.takeID(f)
	if err != nil {
		return err
	}
	c := &Check{ID: id}
	fields, err := p.doc.Fields(f)
	if err != nil {
		return err
	}
	for _, field := range fields {
		switch field.Key {
		case "says":
			c.Says = field.Value.Value
		case "now":
			c.Now = exprOf(field)
		case "ever":
			c.Ever = exprOf(field)
		case "only":
			c.Only = exprOf(field)
		default:
			return p.fail(field.Line, "unknown key %q of a check; expected says, now, ever or only", field.Key)
		}
	}
	if c.Says == "" || c.Now.Source+c.Ever.Source+c.Only.Source == "" {
		return p.fail(f.Line, "the check is incomplete; expected says: and at least one of now:, ever: and only:")
	}
	if len(p.lesson.Steps) == 0 {
		return p.fail(f.Line, "a check before the first command; expected it below a console block")
	}
	p.pending = append(p.pending, Block{Line: f.Line, Check: c})
	return nil
}

func exprOf(f markdown.Field) Expr {
	return Expr{Source: strings.TrimSpace(f.Value.Value), Line: f.Line}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
