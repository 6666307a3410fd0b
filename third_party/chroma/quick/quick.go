// Package quick writes source text with terminal colours, in one call.
//
// It knows shell sessions, Dockerfiles, JSON and Go; text in another language is written in the style's plain look.
// Colours are of the 256-colour palette. The text itself is never changed.
package quick

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/styles"
)

// Highlight writes source to w. formatter is a name such as terminal256; every name that does not begin with
// "terminal" means no colours. An unknown language or style is not an error.
func Highlight(w io.Writer, source, language, formatter, style string) error {
	if !strings.HasPrefix(formatter, "terminal") {
		_, err := io.WriteString(w, source)
		return err
	}
	looks := styles.Get(style)
	var b strings.Builder
	for _, t := range tokens(source, language) {
		paint(&b, looks.Get(t.kind), t.text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// paint writes text in look. No escape sequence spans a line break: what indents or wraps lines later needs that.
func paint(b *strings.Builder, look chroma.StyleEntry, text string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if codes := sequence(look); codes != "" && line != "" {
			fmt.Fprintf(b, "\x1b[%sm%s\x1b[0m", codes, line)
			continue
		}
		b.WriteString(line)
	}
}

// sequence is the inside of the "select graphic rendition" escape, empty when look changes nothing.
func sequence(look chroma.StyleEntry) string {
	var codes []string
	if look.Bold {
		codes = append(codes, "1")
	}
	if look.Italic {
		codes = append(codes, "3")
	}
	if look.Underline {
		codes = append(codes, "4")
	}
	if look.Colour != 0 {
		codes = append(codes, fmt.Sprintf("38;5;%d", palette(look.Colour)))
	}
	if look.Background != 0 {
		codes = append(codes, fmt.Sprintf("48;5;%d", palette(look.Background)))
	}
	return strings.Join(codes, ";")
}

// palette finds the nearest of the 6x6x6 colour cube (16 to 231) and the grey ramp (232 to 255).
func palette(c chroma.Colour) int {
	r, g, b := c.RGB()
	cube := 16 + 36*step(r) + 6*step(g) + step(b)
	cubeFar := far(r, level(step(r))) + far(g, level(step(g))) + far(b, level(step(b)))
	grey := (int(r)+int(g)+int(b))/3 - 3
	grey = min(max(grey/10, 0), 23)
	shade := 8 + 10*grey
	if far(r, shade)+far(g, shade)+far(b, shade) < cubeFar {
		return 232 + grey
	}
	return cube
}

// step is the index of the nearest cube level: 0, 95, 135, 175, 215, 255.
func step(v uint8) int {
	if v < 48 {
		return 0
	}
	return max((int(v)-35)/40, 1)
}

func level(step int) int {
	if step == 0 {
		return 0
	}
	return 55 + 40*step
}

func far(v uint8, to int) int {
	d := int(v) - to
	return d * d
}
