package lessons

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"go.abhg.dev/goldmark/frontmatter"
)

// maxSource bounds a lesson's file; the longest real ones have a fiftieth of it.
const maxSource = 1 << 20

// Parse reads one lesson. Prove tells whether its expressions, commands and templates are good, too. file is used in
// messages. The error is an *Error that names the line.
func Parse(file string, source []byte) (Lesson, error) {
	p := &lessonParser{file: file, source: source, ids: map[string]int{}}
	p.lesson.File = file
	if len(source) > maxSource {
		return Lesson{}, p.fail(1, "the file has %d bytes; expected at most %d", len(source), maxSource)
	}
	ctx := parser.NewContext()
	md := goldmark.New(goldmark.WithExtensions(&frontmatter.Extender{Formats: []frontmatter.Format{frontmatter.YAML}}))
	doc := md.Parser().Parse(text.NewReader(source), parser.WithContext(ctx))
	if err := p.header(frontmatter.Get(ctx)); err != nil {
		return Lesson{}, err
	}
	if err := p.body(doc); err != nil {
		return Lesson{}, err
	}
	if err := p.finish(); err != nil {
		return Lesson{}, err
	}
	return p.lesson, nil
}

type lessonParser struct {
	file    string
	source  []byte
	lesson  Lesson
	ids     map[string]int // id of a question or check -> line
	pending []Block        // since the last command
	at      int            // offset up to which the source has been used
}

func (p *lessonParser) fail(line int, format string, args ...any) error {
	return &Error{p.file, line, fmt.Sprintf(format, args...)}
}

// body walks the top level of the document. What lies between headings and known fences is prose.
func (p *lessonParser) body(doc ast.Node) error {
	p.at = p.endOfHeader()
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		var err error
		switch n := n.(type) {
		case *ast.Heading:
			err = p.heading(n)
		case *ast.FencedCodeBlock:
			err = p.fence(n)
		}
		if err != nil {
			return err
		}
	}
	p.prose(len(p.source))
	return nil
}

// endOfHeader is the offset behind the line that closes the front matter, which header has found to be there.
func (p *lessonParser) endOfHeader() int {
	at := 0
	for i, line := range bytes.SplitAfter(p.source, []byte("\n")) {
		at += len(line)
		if i > 0 && strings.HasPrefix(string(line), "---") {
			break
		}
	}
	return at
}

func (p *lessonParser) heading(n *ast.Heading) error {
	if n.Level != 2 {
		return nil
	}
	if n.Lines().Len() == 0 {
		return p.fail(len(p.lesson.Sections)+1, "a heading of level 2 is empty; expected the section's title")
	}
	seg := n.Lines().At(0)
	start := p.lineStart(seg.Start)
	if p.source[start] != '#' {
		return p.fail(p.lineOf(start), "an underlined heading; expected \"## Title\"")
	}
	p.prose(start)
	p.attach()
	p.at = p.lineEnd(seg.Stop)
	title, line := strings.TrimSpace(string(seg.Value(p.source))), p.lineOf(start)
	p.lesson.Sections = append(p.lesson.Sections, Section{Title: title, Line: line, First: len(p.lesson.Steps) + 1})
	p.pending = append(p.pending, Block{Line: line, Heading: title})
	return nil
}

// prose makes a block of the text from what has been used up to end.
func (p *lessonParser) prose(end int) {
	if end <= p.at {
		return
	}
	raw := p.source[p.at:end]
	body := strings.Trim(string(raw), "\n")
	if strings.TrimSpace(body) != "" {
		lead := len(raw) - len(bytes.TrimLeft(raw, "\n"))
		p.pending = append(p.pending, Block{Line: p.lineOf(p.at + lead), Prose: body})
	}
	p.at = end
}

// fence takes one fenced block if its language is one of ours, and leaves it to the prose otherwise.
func (p *lessonParser) fence(n *ast.FencedCodeBlock) error {
	if n.Info == nil {
		return nil
	}
	start := p.lineStart(n.Info.Segment.Start)
	f := fenced{line: p.lineOf(start)}
	var err error
	if f.word, f.attrs, err = parseInfo(string(n.Info.Segment.Value(p.source))); err != nil {
		return p.fail(f.line, "%v", err)
	}
	take := p.taker(f.word)
	if take == nil {
		return nil
	}
	p.prose(start)
	end := p.lineEnd(n.Info.Segment.Stop)
	var b strings.Builder
	for i := range n.Lines().Len() {
		seg := n.Lines().At(i)
		b.Write(seg.Value(p.source))
		end = seg.Stop
	}
	f.body = b.String()
	closing := strings.TrimSpace(string(p.source[min(end, len(p.source)):p.lineEnd(end)]))
	if !strings.HasPrefix(closing, "```") && !strings.HasPrefix(closing, "~~~") {
		return p.fail(f.line, "the block %q does not end; expected a line with ``` below it", f.word)
	}
	p.at = p.lineEnd(end)
	return take(f)
}

// fenced is one fenced block before its body is understood.
type fenced struct {
	word  string
	attrs map[string]string
	body  string
	line  int // of the opening fence; the body's first line is the next
}

func (p *lessonParser) taker(word string) func(fenced) error {
	switch word {
	case "console":
		return p.console
	case "file":
		return p.fileBlock
	case "predict":
		return p.predict
	case "evidence":
		return p.evidence
	case "check":
		return p.check
	}
	return nil
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

func (p *lessonParser) lineOf(offset int) int {
	return 1 + bytes.Count(p.source[:min(offset, len(p.source))], []byte("\n"))
}

func (p *lessonParser) lineStart(offset int) int {
	return bytes.LastIndexByte(p.source[:min(offset, len(p.source))], '\n') + 1
}

// lineEnd is the offset behind the line that holds offset.
func (p *lessonParser) lineEnd(offset int) int {
	if offset >= len(p.source) {
		return len(p.source)
	}
	i := bytes.IndexByte(p.source[offset:], '\n')
	if i < 0 {
		return len(p.source)
	}
	return offset + i + 1
}
