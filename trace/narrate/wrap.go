package narrate

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// minWidth is the narrowest column that text is wrapped to, however deep it is indented.
const minWidth = 24

// wrapper writes one paragraph in lines of limited width. The first line is indented, the following ones two
// columns more.
type wrapper struct {
	out    *bytes.Buffer
	width  int // 0: no limit
	indent int
	col    int
	any    bool // a word was written
}

// part adds words in a style, which is an escape sequence or empty.
func (w *wrapper) part(text, style string) {
	if text == "" {
		return
	}
	for i, word := range strings.Split(text, " ") {
		w.space(utf8.RuneCountInString(word))
		if i == 0 {
			w.out.WriteString(style)
		}
		w.out.WriteString(word)
		w.col += utf8.RuneCountInString(word)
	}
	if style != "" {
		w.out.WriteString(reset)
	}
}

// space puts what belongs before a word of n columns: an indent, a space or a new line.
func (w *wrapper) space(n int) {
	limit := max(w.width, w.indent+minWidth)
	switch {
	case !w.any:
		w.pad(w.indent)
		w.any = true
	case w.width > 0 && w.col+1+n > limit:
		w.out.WriteByte('\n')
		w.pad(w.indent + 2)
	default:
		w.out.WriteByte(' ')
		w.col++
	}
}

func (w *wrapper) pad(n int) {
	w.out.WriteString(strings.Repeat(" ", n))
	w.col = n
}

func (w *wrapper) end() {
	if w.any {
		w.out.WriteByte('\n')
	}
}
