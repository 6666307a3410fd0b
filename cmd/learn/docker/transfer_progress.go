package docker

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	"golang.org/x/term"
)

// transfer shows on w how a pull or a push goes on, as docker does: a line for each blob that is kept up to date on a terminal, and a line
// for each thing that happened anywhere else.
func (app *App) transfer(w io.Writer) image.Progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !app.Plain {
		return &transferScreen{w: w, width: func() int { return columns(f) }, now: time.Now, lines: map[digest.Digest]*transferLine{}}
	}
	return &transferLog{w: w, last: map[digest.Digest]image.Stage{}}
}

// transferLog writes lines. What changes from one number to the next is left out, as docker leaves it out.
type transferLog struct {
	mu   sync.Mutex
	w    io.Writer
	last map[digest.Digest]image.Stage
}

// Say implements image.Progress.
func (l *transferLog) Say(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, format.Clean(line))
}

// Blob implements image.Progress.
func (l *transferLog) Blob(b image.BlobState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.last[b.Blob]
	l.last[b.Blob] = b.Stage
	if b.Stage.Counts() || known && last == b.Stage && b.Stage != image.BlobRetrying {
		return
	}
	fmt.Fprintf(l.w, "%s: %s\n", oci.ShortID(b.Blob), format.Clean(b.String()))
}

const (
	transferTick = 100 * time.Millisecond // between two looks of a line whose numbers change
	barSteps     = 50
	barColumns   = 110 // a terminal must have more of them for a bar, as docker has it
)

// transferScreen keeps a block of lines at the bottom of a terminal: one for each blob, in the order in which they were first heard of.
// What is said ends the block.
type transferScreen struct {
	mu    sync.Mutex
	w     io.Writer
	width func() int
	now   func() time.Time
	lines map[digest.Digest]*transferLine
}

type transferLine struct {
	at    int // from the top of the block
	stage image.Stage
	drawn time.Time
	begun time.Time // the stage
	from  int64     // Done when it began
}

// Say implements image.Progress.
func (s *transferScreen) Say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.lines)
	fmt.Fprintln(s.w, format.Clean(line))
}

// Blob implements image.Progress.
func (s *transferScreen) Blob(b image.BlobState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	l, known := s.lines[b.Blob]
	if !known {
		l = &transferLine{at: len(s.lines)}
		s.lines[b.Blob] = l
		fmt.Fprintln(s.w)
	}
	if !known || l.stage != b.Stage {
		l.stage, l.begun, l.from = b.Stage, now, b.Done
	} else if b.Stage.Counts() && b.Done < b.Total && now.Sub(l.drawn) < transferTick {
		return
	}
	l.drawn = now
	up := len(s.lines) - l.at
	text := fmt.Sprintf("%s: %s", oci.ShortID(b.Blob), format.Clean(b.String()))
	if b.Stage.Counts() {
		text += " " + transferNumbers(b, l, now, s.width())
	}
	fmt.Fprintf(s.w, "\x1b[%dA\r\x1b[2K%s\r\x1b[%dB", up, clipped(text, s.width()-1), up)
}

// clipped keeps a line from wrapping, which would put all others in the wrong place.
func clipped(text string, width int) string {
	if r := []rune(text); len(r) > max(width, 1) {
		return string(r[:max(width, 1)])
	}
	return text
}

// transferNumbers is docker's bar: "[=====>      ]  1.2MB/3MB 4s".
func transferNumbers(b image.BlobState, l *transferLine, now time.Time, width int) string {
	if b.Total <= 0 {
		return fmt.Sprintf("%8v", units.HumanSize(float64(b.Done)))
	}
	done := min(int(float64(b.Done)/float64(b.Total)*100)/2, barSteps)
	text := ""
	if width > barColumns {
		text = fmt.Sprintf("[%s>%s] ", strings.Repeat("=", done), strings.Repeat(" ", barSteps-done))
	}
	text += fmt.Sprintf("%8v/%v", units.HumanSize(float64(b.Done)), units.HumanSize(float64(b.Total)))
	if came := b.Done - l.from; came > 0 && done < barSteps && width > barSteps {
		elapsed := now.Sub(l.begun)
		if left := time.Duration(float64(elapsed) / float64(came) * float64(b.Total-b.Done)).Round(time.Second); elapsed >= time.Second && left > 0 {
			text += " " + left.String()
		}
	}
	return text
}
