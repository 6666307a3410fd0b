package lessons

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/glamour/ansi"
	"github.com/charmbracelet/glamour/styles"
)

// glamourStyle is glamour's dark style without a colour and a margin for ordinary text, so that it can be read on a
// light terminal, too.
func glamourStyle() ansi.StyleConfig {
	style := styles.DarkStyleConfig
	none := uint(0)
	style.Document.Color, style.Document.Margin = nil, &none
	style.Document.BlockPrefix, style.Document.BlockSuffix = "", ""
	style.CodeBlock.Color = nil
	if style.CodeBlock.Chroma != nil {
		chroma := *style.CodeBlock.Chroma
		chroma.Text.Color, chroma.Name.Color = nil, nil
		chroma.Background.BackgroundColor = nil
		style.CodeBlock.Chroma = &chroma
	}
	return style
}

// wrapMarkdown lays out Markdown as plain text: paragraphs filled to width, list items with their own indent, code as
// it is. Marks such as `code` stay, they tell the reader something.
func wrapMarkdown(markdown string, width int) string {
	var out, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			text := strings.Join(paragraph, " ")
			out = append(out, wrap("", text, strings.Repeat(" ", itemIndent(text)), width))
			paragraph = nil
		}
	}
	code := false
	for _, line := range strings.Split(strings.Trim(markdown, "\n"), "\n") {
		trimmed := strings.TrimSpace(line)
		fence := strings.HasPrefix(trimmed, "```")
		switch {
		case fence:
			flush()
			code = !code
		case code:
			out = append(out, "    "+line)
		case trimmed == "" || strings.HasPrefix(line, "    ") || strings.HasPrefix(trimmed, "|"):
			flush()
			out = append(out, strings.TrimRight(line, " "))
		case itemIndent(trimmed) > 0 || strings.HasPrefix(trimmed, "#"):
			flush()
			paragraph = append(paragraph, trimmed)
		default:
			paragraph = append(paragraph, trimmed)
		}
		if strings.HasPrefix(trimmed, "#") && !code {
			flush()
		}
	}
	flush()
	return strings.Join(out, "\n") + "\n"
}

// itemIndent is the width of the mark of a list item at the front of s, 0 if there is none.
func itemIndent(s string) int {
	if strings.HasPrefix(s, "- ") || strings.HasPrefix(s, "* ") {
		return 2
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits > 0 && digits < 3 && strings.HasPrefix(s[digits:], ". ") {
		return digits + 2
	}
	return 0
}

// wrap fills lines of at most width characters after lead, which stands as it is; the second and later lines begin with
// indent. A longer word has a line of its own.
func wrap(lead, text, indent string, width int) string {
	var b strings.Builder
	b.WriteString(lead)
	column, start := utf8.RuneCountInString(lead), true
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case start:
		case column+1+n > width:
			b.WriteString("\n" + indent)
			column = utf8.RuneCountInString(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
		start = false
	}
	return b.String()
}
