package build

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	barWidth  = 20
	lineWidth = 78
	tailLines = 20 // of a failed step's output
)

// bar keeps one line of a terminal up to date. Only what a failed command wrote is kept and shown.
type bar struct {
	mu    sync.Mutex
	w     io.Writer
	begun time.Time
	step  Step
	tail  []byte
}

// NewBar returns a Progress that shows one changing line on the terminal w: how many steps of the stage are done, the time
// since the build began, and the step under way.
func NewBar(w io.Writer) Progress { return &bar{w: w, begun: time.Now()} }

func (b *bar) Step(s Step) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.step, b.tail = s, nil
	b.draw("")
}

func (b *bar) Cached(int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draw(" CACHED")
}

func (b *bar) Output(_ int, _ Stream, p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tail = append(b.tail, p...)
	if len(b.tail) > 32<<10 {
		b.tail = append([]byte(nil), b.tail[len(b.tail)-16<<10:]...)
	}
	lines := bytes.Split(bytes.TrimRight(b.tail, "\r\n"), []byte("\n"))
	b.draw(" " + printable(string(lines[len(lines)-1])))
}

func (b *bar) Done(_ int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.step.Of == 0 && strings.HasPrefix(b.step.Text, "exporting") {
		fmt.Fprintf(b.w, "\r\x1b[K%s built in %.1fs\n", filled(1, 1), time.Since(b.begun).Seconds())
		return
	}
	if err == nil {
		return
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s\n", firstLine(b.step.String()))
	for _, l := range lastLines(b.tail, tailLines) {
		fmt.Fprintf(b.w, "%s\n", l)
	}
}

func (b *bar) draw(note string) {
	line := fmt.Sprintf("%s %5.1fs %s%s", filled(b.step.N, b.step.Of), time.Since(b.begun).Seconds(), firstLine(b.step.String()), note)
	fmt.Fprintf(b.w, "\r\x1b[K%s", clip(line, lineWidth))
}

func filled(n, of int) string {
	done := 0
	if of > 0 {
		done = barWidth * n / of
	}
	return "[" + strings.Repeat("#", done) + strings.Repeat(".", barWidth-done) + "]"
}

func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-3]) + "..."
}

// printable keeps a command's output from moving the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

func lastLines(b []byte, n int) []string {
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-n):]
	for i := range lines {
		lines[i] = printable(strings.TrimSuffix(lines[i], "\r"))
	}
	return lines
}
