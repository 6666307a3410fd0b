// Package markdown reads the outer form that lessons and exercises share: front matter in YAML, then text with headings of level 2 and fenced
// blocks whose first word says what they are.
//
// It is not a renderer, and it knows none of the words: what a block means is its reader's affair.
//
// Invariants: every part names its line of the file; the parts lie in the file's order and leave out nothing that is not blank.
package markdown

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"go.abhg.dev/goldmark/frontmatter"
	"gopkg.in/yaml.v3"
)

// maxSource bounds a file; the longest real ones have a fiftieth of it.
const maxSource = 1 << 20

// Error is a fault in a file.
type Error struct {
	File string
	Line int
	Text string // what was found, and what was expected
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Document is one parsed file.
type Document struct {
	File   string
	Header []Field
	Parts  []Part
}

// Part is a heading, a text or a block: exactly one field besides Line is set.
type Part struct {
	Line    int
	Heading string
	Prose   string // Markdown, without blank lines around it
	Fence   *Fence
}

// Fence is one fenced block before its body is understood.
type Fence struct {
	Word  string
	Attrs map[string]string
	Body  string
	Line  int // of the opening fence; the body's first line is the next
}

// Parse reads a file. Fenced blocks whose word is not among takes are left to the text around them. headerKeys names the keys of the front
// matter for the complaint that there is none. The error is an *Error.
func Parse(file string, source []byte, headerKeys string, takes ...string) (Document, error) {
	p := &reader{doc: Document{File: file}, source: source, takes: takes}
	root, err := p.parse(headerKeys)
	if err != nil {
		return Document{}, err
	}
	err = p.body(root)
	return p.doc, err
}

// ParseHeader reads a file's front matter as Parse does, and nothing below: the document has no parts.
func ParseHeader(file string, source []byte, headerKeys string) (Document, error) {
	p := &reader{doc: Document{File: file}, source: source}
	p.source = source[:p.endOfHeader()]
	inside, opened := bytes.CutPrefix(p.source, []byte("---\n"))
	inside, closed := bytes.CutSuffix(inside, []byte("---\n"))
	if !opened || !closed || !bytes.HasSuffix(inside, []byte("\n")) { // it is written in another way, or faulty: then it is looked at closely
		_, err := p.parse(headerKeys)
		return p.doc, err
	}
	err := p.headerOf(func(node *yaml.Node) error { return yaml.Unmarshal(inside, node) })
	return p.doc, err
}

// parse reads the header, and the rest as far as it is Markdown.
func (p *reader) parse(headerKeys string) (ast.Node, error) {
	if len(p.source) > maxSource {
		return nil, p.fail(1, "the file has %d bytes; expected at most %d", len(p.source), maxSource)
	}
	ctx := parser.NewContext()
	md := goldmark.New(goldmark.WithExtensions(&frontmatter.Extender{Formats: []frontmatter.Format{frontmatter.YAML}}))
	root := md.Parser().Parse(text.NewReader(p.source), parser.WithContext(ctx))
	return root, p.header(frontmatter.Get(ctx), headerKeys)
}

// Fail is a fault at a line of the document.
func (d Document) Fail(line int, format string, args ...any) error {
	return &Error{d.File, line, fmt.Sprintf(format, args...)}
}

type reader struct {
	doc    Document
	source []byte
	takes  []string
	at     int // offset up to which the source has been used
}

func (p *reader) fail(line int, format string, args ...any) error {
	return p.doc.Fail(line, format, args...)
}

// header reads the front matter. Its first line is line 2 of the file.
func (p *reader) header(data *frontmatter.Data, keys string) error {
	if data == nil {
		return p.fail(1, "the file has no front matter; expected it to begin with --- and the keys %s", keys)
	}
	return p.headerOf(func(node *yaml.Node) error { return data.Decode(node) })
}

func (p *reader) headerOf(decode func(*yaml.Node) error) error {
	var node yaml.Node
	if err := decode(&node); err != nil {
		return p.doc.YAMLError(1, err)
	}
	var err error
	p.doc.Header, err = p.doc.Mapping(&node, 1)
	return err
}

// body walks the top level of the document. What lies between headings and known fences is prose.
func (p *reader) body(doc ast.Node) error {
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

// endOfHeader is the offset behind the line that closes the front matter, or the source's end if there is none.
func (p *reader) endOfHeader() int {
	at := 0
	for line := range bytes.Lines(p.source) {
		first := at == 0
		at += len(line)
		if !first && bytes.HasPrefix(line, []byte("---")) {
			break
		}
	}
	return at
}

func (p *reader) heading(n *ast.Heading) error {
	if n.Level != 2 {
		return nil
	}
	if n.Lines().Len() == 0 {
		return p.fail(p.lineOf(p.at), "a heading of level 2 is empty below this line; expected the section's title")
	}
	seg := n.Lines().At(0)
	start := p.lineStart(seg.Start)
	if p.source[start] != '#' {
		return p.fail(p.lineOf(start), "an underlined heading; expected \"## Title\"")
	}
	p.prose(start)
	p.at = p.lineEnd(seg.Stop)
	p.doc.Parts = append(p.doc.Parts, Part{Line: p.lineOf(start), Heading: strings.TrimSpace(string(seg.Value(p.source)))})
	return nil
}

// prose makes a part of the text from what has been used up to end.
func (p *reader) prose(end int) {
	if end <= p.at {
		return
	}
	raw := p.source[p.at:end]
	body := strings.Trim(string(raw), "\n")
	if strings.TrimSpace(body) != "" {
		lead := len(raw) - len(bytes.TrimLeft(raw, "\n"))
		p.doc.Parts = append(p.doc.Parts, Part{Line: p.lineOf(p.at + lead), Prose: body})
	}
	p.at = end
}

// fence takes one fenced block if its language is one of ours, and leaves it to the prose otherwise.
func (p *reader) fence(n *ast.FencedCodeBlock) error {
	if n.Info == nil {
		return nil
	}
	start := p.lineStart(n.Info.Segment.Start)
	f := Fence{Line: p.lineOf(start)}
	var err error
	if f.Word, f.Attrs, err = parseInfo(string(n.Info.Segment.Value(p.source))); err != nil {
		return p.fail(f.Line, "%v", err)
	}
	if !p.known(f.Word) {
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
	f.Body = b.String()
	closing := strings.TrimSpace(string(p.source[min(end, len(p.source)):p.lineEnd(end)]))
	if !strings.HasPrefix(closing, "```") && !strings.HasPrefix(closing, "~~~") {
		return p.fail(f.Line, "the block %q does not end; expected a line with ``` below it", f.Word)
	}
	p.at = p.lineEnd(end)
	p.doc.Parts = append(p.doc.Parts, Part{Line: f.Line, Fence: &f})
	return nil
}

func (p *reader) known(word string) bool {
	for _, w := range p.takes {
		if w == word {
			return true
		}
	}
	return false
}

func (p *reader) lineOf(offset int) int {
	return 1 + bytes.Count(p.source[:min(offset, len(p.source))], []byte("\n"))
}

func (p *reader) lineStart(offset int) int {
	return bytes.LastIndexByte(p.source[:min(offset, len(p.source))], '\n') + 1
}

// lineEnd is the offset behind the line that holds offset.
func (p *reader) lineEnd(offset int) int {
	if offset >= len(p.source) {
		return len(p.source)
	}
	i := bytes.IndexByte(p.source[offset:], '\n')
	if i < 0 {
		return len(p.source)
	}
	return offset + i + 1
}

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
