package userland

import (
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/syntax"
)

// The interpreter writes a here-document into a pipe of the operating system's from a thread of its own. Where the machine is not
// the operating system's, a rewritten script reads it instead from a file whose name is the text.

const (
	wordDocument = "\x02doc" // + a text
	wordString   = "\x02str" // + a text that lacks its newline
)

// documentText is the text that a name of inlineDocument stands for.
func documentText(name string) (string, bool) {
	if text, ok := strings.CutPrefix(name, wordDocument); ok {
		return text, true
	}
	text, ok := strings.CutPrefix(name, wordString)
	return text + "\n", ok
}

// document is an open here-document. Like a pipe it can't be sought in.
type document struct{ r *strings.Reader }

func (d *document) Read(p []byte) (int, error)  { return d.r.Read(p) }
func (d *document) Write(p []byte) (int, error) { return 0, syscall.EBADF }
func (d *document) Close() error                { return nil }

// inlineDocument turns a here-document or a here-string into reading such a file.
func inlineDocument(r *syntax.Redirect) bool {
	switch r.Op {
	case syntax.WordHdoc:
		r.Word = &syntax.Word{Parts: append([]syntax.WordPart{&syntax.SglQuoted{Value: wordString}}, r.Word.Parts...)}
	case syntax.Hdoc, syntax.DashHdoc:
		body := &syntax.DblQuoted{Parts: []syntax.WordPart{&syntax.Lit{Value: wordDocument}}}
		if r.Hdoc != nil {
			body.Parts = append(body.Parts, documentParts(r)...)
		}
		r.Word, r.Hdoc = &syntax.Word{Parts: []syntax.WordPart{body}}, nil
	default:
		return false
	}
	r.Op = syntax.RdrIn
	return true
}

// documentParts are the parts of a here-document as they have to be within double quotes.
func documentParts(r *syntax.Redirect) []syntax.WordPart {
	literally, start := quotedDelimiter(r.Word), true
	var parts []syntax.WordPart
	for _, part := range r.Hdoc.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			parts, start = append(parts, part), false
			continue
		}
		text := lit.Value
		if r.Op == syntax.DashHdoc {
			text = withoutTabs(text, start)
		}
		start = strings.HasSuffix(text, "\n")
		parts = append(parts, &syntax.Lit{Value: escapeDocument(text, literally)})
	}
	return parts
}

// quotedDelimiter tells whether a here-document is to be taken as it is.
func quotedDelimiter(w *syntax.Word) bool {
	for _, part := range w.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok || strings.Contains(lit.Value, `\`) {
			return true
		}
	}
	return false
}

// withoutTabs takes the tabs at the beginning of lines away.
func withoutTabs(text string, start bool) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		if i > 0 || start {
			lines[i] = strings.TrimLeft(lines[i], "\t")
		}
	}
	return strings.Join(lines, "\n")
}

// escapeDocument writes the text of a here-document for double quotes, in which a quotation mark is special.
func escapeDocument(text string, literally bool) string {
	if literally {
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(text)
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			b.WriteString(`\"`)
		case c == '\\' && i+1 < len(text) && strings.IndexByte("\\$`\n", text[i+1]) >= 0:
			b.WriteString(text[i : i+2])
			i++
		case c == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
