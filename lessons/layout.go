package lessons

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// isFence tells whether a line opens or closes a block of code.
func isFence(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "```") }

// unfold puts every paragraph and list item of a Markdown text on one line. Code and tables stay as they are.
func unfold(markdown string) []string {
	var out []string
	open := false // the last line of out is a paragraph that may go on
	code := false
	for _, line := range strings.Split(strings.Trim(markdown, "\n"), "\n") {
		text := strings.TrimSpace(line)
		fence := isFence(line)
		switch {
		case fence || code || text == "" || strings.HasPrefix(text, "|"):
			out = append(out, line)
			open = false
		case open && itemIndent(text) == 0 && !strings.HasPrefix(text, "#"):
			out[len(out)-1] = join(out[len(out)-1], text)
		default:
			out = append(out, text)
			open = !strings.HasPrefix(text, "#")
		}
		code = code != fence
	}
	return out
}

// layout writes Markdown as plain text: paragraphs filled to width, list items with their own indent, code indented.
// Marks such as `code` stay, they tell the reader something.
func layout(markdown string, width int) string {
	var b strings.Builder
	code := false
	for _, line := range unfold(markdown) {
		switch {
		case isFence(line):
			code = !code
			continue
		case code:
			b.WriteString("    " + line)
		default:
			b.WriteString(hang(line, width))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// hang fills one unfolded line; what follows the first line of a list item is indented as far as its text.
func hang(line string, width int) string {
	return wrap("", line, strings.Repeat(" ", itemIndent(uncolored(line))), width)
}

// itemIndent is the width of the mark of a list item at the front of s, 0 if there is none.
func itemIndent(s string) int {
	for _, mark := range []string{"- ", "* ", "\u2022 "} {
		if strings.HasPrefix(s, mark) {
			return utf8.RuneCountInString(mark)
		}
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits > 0 && digits < 3 && strings.HasPrefix(s[digits:], ". ") {
		return digits + 2
	}
	return 0
}

// wrap fills lines of at most width columns after lead, which stands as it is; the second and later lines begin with
// indent. A longer word has a line of its own. Text without spaces between its words, such as Chinese, is broken between characters.
func wrap(lead, text, indent string, width int) string {
	var b strings.Builder
	b.WriteString(lead)
	column, start := columns(lead), true
	for _, p := range pieces(text) {
		gap := 0
		if p.spaced {
			gap = 1
		}
		switch {
		case start:
		case column+gap+p.width > width:
			b.WriteString("\n" + indent)
			column = columns(indent)
		default:
			b.WriteString(strings.Repeat(" ", gap))
			column += gap
		}
		b.WriteString(p.text)
		column += p.width
		start = false
	}
	return b.String()
}

// columns counts the columns that s takes on a terminal: a Chinese character takes two, colours take none.
func columns(s string) int { return uniseg.StringWidth(uncolored(s)) }

// uncolored removes colour sequences (ESC [ ... m).
func uncolored(s string) string {
	before, rest, found := strings.Cut(s, "\x1b[")
	for found {
		var part string
		_, rest, _ = strings.Cut(rest, "m")
		part, rest, found = strings.Cut(rest, "\x1b[")
		before += part
	}
	return before
}
