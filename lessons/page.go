package lessons

import "io"

// Page writes Markdown and single lines as a lesson does: filled to a width, linear, fit for a log or a screen reader.
type Page struct{ s screen }

// NewPage writes to out, in lines of width columns.
func NewPage(out io.Writer, width int, color bool) Page {
	return Page{newScreen(out, width, color, words{})}
}

// Prose writes Markdown below an empty line.
func (p Page) Prose(markdown string) { p.s.prose(markdown) }

// Line writes one paragraph.
func (p Page) Line(text string) { p.s.line(text) }

// Bullet writes one item of a list.
func (p Page) Bullet(text string) { p.s.bullet(text) }

// Verdict writes one paragraph below an empty line.
func (p Page) Verdict(text string) { p.s.verdict(text) }

// Raw writes one line as it is.
func (p Page) Raw(text string) { p.s.raw(text) }
