package lessons

import (
	"github.com/learn-containers/learn/lessons/markdown"
)

// Error is a fault in a lesson's file.
type Error = markdown.Error

// Parse reads one lesson. Prove tells whether its expressions, commands and templates are good, too. file is used in
// messages. The error is an *Error that names the line.
func Parse(file string, source []byte) (Lesson, error) {
	p := newLessonParser(file)
	var err error
	if p.doc, err = markdown.Parse(file, source, headerKeys, "console", "file", "predict", "evidence", "check"); err != nil {
		return Lesson{}, err
	}
	if err := p.header(); err != nil {
		return Lesson{}, err
	}
	if err := p.body(); err != nil {
		return Lesson{}, err
	}
	if err := p.finish(); err != nil {
		return Lesson{}, err
	}
	return p.lesson, nil
}

type lessonParser struct {
	doc     markdown.Document
	lesson  Lesson
	ids     map[string]int // id of a question or check -> line
	pending []Block        // since the last command
}

func newLessonParser(file string) *lessonParser {
	return &lessonParser{ids: map[string]int{}, lesson: Lesson{Header: Header{File: file}}}
}

func (p *lessonParser) fail(line int, format string, args ...any) error {
	return p.doc.Fail(line, format, args...)
}

func (p *lessonParser) body() error {
	for _, part := range p.doc.Parts {
		switch {
		case part.Heading != "":
			p.heading(part)
		case part.Fence != nil:
			if err := p.fence(*part.Fence); err != nil {
				return err
			}
		default:
			p.pending = append(p.pending, Block{Line: part.Line, Prose: part.Prose})
		}
	}
	return nil
}

func (p *lessonParser) heading(part markdown.Part) {
	p.attach()
	p.lesson.Sections = append(p.lesson.Sections, Section{Title: part.Heading, Line: part.Line, First: len(p.lesson.Steps) + 1})
	p.pending = append(p.pending, Block{Line: part.Line, Heading: part.Heading})
}

func (p *lessonParser) fence(f markdown.Fence) error {
	switch f.Word {
	case "console":
		return p.console(f)
	case "file":
		return p.fileBlock(f)
	case "predict":
		return p.predict(f)
	case "evidence":
		return p.evidence(f)
	}
	return p.check(f)
}

// attach gives what has gathered since the last command to its After, up to the last question or check; the rest
// waits for the next command.
func (p *lessonParser) attach() {
	keep := 0
	for i, b := range p.pending {
		if b.Evidence != nil || b.Check != nil {
			keep = i + 1
		}
	}
	if keep == 0 || len(p.lesson.Steps) == 0 {
		return
	}
	step := &p.lesson.Steps[len(p.lesson.Steps)-1]
	step.After = append(step.After, p.pending[:keep]...)
	p.pending = append([]Block(nil), p.pending[keep:]...)
}

// finish settles what follows the last command and what a lesson must have.
func (p *lessonParser) finish() error {
	p.attach()
	for _, b := range p.pending {
		if b.Prose == "" && b.Heading == "" {
			return p.fail(b.Line, "no command follows this block; expected a console block below it")
		}
	}
	p.lesson.Closing = p.pending
	if len(p.lesson.Steps) == 0 {
		return p.fail(1, "the lesson has no command; expected a console block with a line that starts with \"$ \"")
	}
	return nil
}
