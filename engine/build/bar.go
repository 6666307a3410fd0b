package build

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	barWidth  = 20 // of the bar itself, in columns
	minWidth  = 20 // of a line: on a narrower terminal lines wrap
	tailLines = 20 // of a failed step's output
	barTick   = 100 * time.Millisecond
)

// bar shows steps on a terminal: a line for each that is over, and below them one line that is kept up to date. Only what a
// failed command wrote is kept and shown.
type bar struct {
	mu    sync.Mutex
	w     io.Writer
	width func() int
	begun time.Time
	going []*barStep // in the order in which they began; the line shows the first
	held  bool       // somebody else writes to the terminal
	stop  chan struct{}
	ended chan struct{}
}

// Hold implements Holder.
func (b *bar) Hold(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held = on; on {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// barStep is a step under way.
type barStep struct {
	Step
	since time.Time
	state string // what its line says before the step: "CACHED "
	tail  []byte // of its output
}

// NewBar returns a Progress for the terminal w, which is width() columns wide at that moment: how many steps of the stage are
// done, the time since the build began, the step under way, how many others are, and the last line it wrote. While steps run the line is
// drawn anew by a goroutine that ends with the last of them.
func NewBar(w io.Writer, width func() int) Progress {
	return &bar{w: w, width: width, begun: time.Now()}
}

func (b *bar) Step(s Step) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.going = append(b.going, &barStep{Step: s, since: time.Now()})
	b.draw()
	if len(b.going) == 1 {
		b.stop, b.ended = make(chan struct{}), make(chan struct{})
		go b.tick(b.stop, b.ended)
	}
}

// tick lets the clock run while a command says nothing.
func (b *bar) tick(stop <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	t := time.NewTicker(barTick)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			b.mu.Lock()
			b.draw()
			b.mu.Unlock()
		}
	}
}

func (b *bar) find(id int) *barStep {
	i := slices.IndexFunc(b.going, func(s *barStep) bool { return s.ID == id })
	return b.going[i]
}

func (b *bar) Cached(id int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.find(id).state = "CACHED "
}

func (b *bar) Output(id int, _ Stream, p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.find(id)
	s.tail = append(s.tail, p...)
	if len(s.tail) > 32<<10 {
		s.tail = append([]byte(nil), s.tail[len(s.tail)-16<<10:]...)
	}
}

func (b *bar) Done(id int, err error) {
	b.mu.Lock()
	s := b.find(id)
	b.going = slices.DeleteFunc(b.going, func(s *barStep) bool { return s.ID == id })
	last, stop, ended := len(b.going) == 0, b.stop, b.ended
	b.mu.Unlock()
	if last {
		close(stop)
		<-ended
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		s.state = "ERROR "
	}
	b.settle(s)
	switch {
	case err != nil:
		for _, l := range LastLines(s.tail, tailLines) {
			fmt.Fprintf(b.w, " > %s\n", l)
		}
	case s.Of == 0 && strings.HasPrefix(s.Text, "exporting"):
		for _, l := range LastLines(s.tail, tailLines) {
			fmt.Fprintf(b.w, "%s\n", clip(" => => "+l, b.columns()))
		}
		fmt.Fprintf(b.w, "%s\n", clip(fmt.Sprintf("%s %5.1fs built", b.filled(1, 1), time.Since(b.begun).Seconds()), b.columns()))
	}
}

// settle replaces the changing line by one that stays: the step, and the time it took at the right edge.
func (b *bar) settle(s *barStep) {
	took := fmt.Sprintf(" %.1fs", time.Since(s.since).Seconds())
	width := b.columns() - len(took)
	text := clip(" => "+s.state+printable(firstLine(s.String())), width)
	fmt.Fprintf(b.w, "\r\x1b[K%s%s%s\n", text, strings.Repeat(" ", max(0, width-columns(text))), took)
}

func (b *bar) draw() {
	if len(b.going) == 0 || b.held {
		return
	}
	s := b.going[0]
	line := fmt.Sprintf("%s %5.1fs ", b.filled(s.N-1, s.Of), time.Since(b.begun).Seconds())
	if more := len(b.going) - 1; more > 0 {
		line += fmt.Sprintf("(+%d) ", more)
	}
	line += printable(firstLine(s.String()))
	if last := LastLines(s.tail[max(0, len(s.tail)-1<<10):], 1); len(last) > 0 {
		line = clip(line, max(minWidth, b.columns()/2)) + " | " + last[0] // half the line is the step's, half its output's
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", clip(line, b.columns()))
}

// columns is how much of a line is written: never into the last column, where terminals wrap.
func (b *bar) columns() int { return max(minWidth, min(b.width(), 120)) - 1 }

// filled is the bar with n of its of steps done; it takes a quarter of a narrow line.
func (b *bar) filled(n, of int) string {
	width, done := min(barWidth, b.columns()/4), 0
	if of > 0 {
		done = width * max(n, 0) / of
	}
	return "[" + strings.Repeat("#", done) + strings.Repeat(".", width-done) + "]"
}

// columns counts what s takes on a terminal, rather too much than too little: letters from Hangul on are taken for wide.
func columns(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r >= 0x1100 {
		return 2
	}
	return 1
}

func clip(s string, width int) string {
	if columns(s) <= width {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > width-3 {
			return s[:i] + "..."
		}
	}
	return s
}

// printable keeps a command's output from moving the cursor. Whole escape sequences are left out, not only their first byte.
func printable(s string) string {
	var b strings.Builder
	for rest := s; rest != ""; {
		i := strings.IndexByte(rest, 0x1b)
		if i < 0 {
			i = len(rest)
		}
		b.WriteString(strings.Map(visible, rest[:i]))
		rest = rest[i+escapeLength(rest[i:]):]
	}
	return b.String()
}

func visible(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r < ' ', r >= 0x7f && r < 0xa0, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return -1 // control characters, and those that turn the direction of text
	}
	return r
}

// escapeLength is how long the escape sequence is that s begins with (ECMA-48, 5.4): ESC [ parameters final, or ESC and a byte.
func escapeLength(s string) int {
	if len(s) < 2 {
		return len(s)
	}
	if s[1] != '[' {
		return 2
	}
	for i := 2; i < len(s); i++ {
		if s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
	}
	return len(s)
}

// LastLines are the last n lines of what a program wrote, with nothing in them that moves a cursor.
func LastLines(b []byte, n int) []string {
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, l := range lines {
		// What a program overwrote in its line is not shown.
		l = strings.TrimSuffix(l, "\r")
		lines[i] = printable(l[strings.LastIndexByte(l, '\r')+1:])
	}
	return lines
}
