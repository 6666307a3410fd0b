package build

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Progress is told how a build goes on. Calls come one at a time.
type Progress interface {
	// Step says that a step begins.
	Step(s Step)
	// Cached says that the step's result was in the cache.
	Cached(id int)
	// Output hands out what the step's command wrote, in pieces of any length.
	Output(id int, stream Stream, p []byte)
	// Done says that the step is over, and why it failed if it did.
	Done(id int, err error)
}

// Holder is an ability that a Progress may have besides: to leave the terminal to somebody else for a while.
type Holder interface{ Hold(on bool) }

// Step is one line of progress.
type Step struct {
	ID    int    // from 1, in the order in which steps begin
	N, Of int    // which of the stage's steps that make a tree; 0 for work that is no instruction
	Stage string // name of the stage, or empty
	Text  string // the instruction, or what is done
}

// String is the step as BuildKit shows it: "[build 2/3] RUN make".
func (s Step) String() string {
	if s.Of == 0 {
		return s.Text
	}
	stage := s.Stage
	if stage != "" {
		stage += " "
	}
	return fmt.Sprintf("[%s%*d/%d] %s", stage, len(fmt.Sprint(s.Of)), s.N, s.Of, s.Text)
}

// Stream tells the two outputs of a command apart.
type Stream int

// The streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

type silent struct{}

func (silent) Step(Step)                  {}
func (silent) Cached(int)                 {}
func (silent) Output(int, Stream, []byte) {}
func (silent) Done(int, error)            {}

// plain writes lines, as docker build --progress=plain does.
type plain struct {
	mu    sync.Mutex
	w     io.Writer
	steps map[int]*plainStep
	last  int // the step that the last line belongs to
}

// plainStep is a step under way.
type plainStep struct {
	Step
	begun  time.Time
	cached bool
	rest   []byte // of a line that isn't complete
}

// NewPlain returns a Progress that writes lines to w, in BuildKit's plain form. Where the lines of a step follow those of another one
// that goes on, they are set apart and named again.
func NewPlain(w io.Writer) Progress { return &plain{w: w, steps: map[int]*plainStep{}} }

func (p *plain) Step(s Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave()
	p.steps[s.ID] = &plainStep{Step: s, begun: time.Now()}
	p.last = s.ID
	fmt.Fprintf(p.w, "#%d %s\n", s.ID, firstLine(s.String()))
}

// leave sets what comes apart from the lines before it.
func (p *plain) leave() {
	if p.last == 0 {
		return
	}
	if _, goesOn := p.steps[p.last]; goesOn {
		fmt.Fprintf(p.w, "#%d ...\n", p.last)
	}
	fmt.Fprintln(p.w)
}

// at makes the step the one whose lines come now.
func (p *plain) at(id int) *plainStep {
	s := p.steps[id]
	if s != nil && p.last != id {
		p.leave()
		p.last = id
		fmt.Fprintf(p.w, "#%d %s\n", id, firstLine(s.String()))
	}
	return s
}

func (p *plain) Cached(id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at(id).cached = true
	fmt.Fprintf(p.w, "#%d CACHED\n", id)
}

func (p *plain) Output(id int, _ Stream, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.steps[id]
	s.rest = append(s.rest, b...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			break
		}
		p.line(id, line)
		s.rest = rest
	}
	if len(s.rest) > 64<<10 { // a program that never ends a line must not fill the memory
		p.flush(id)
	}
}

func (p *plain) line(id int, line []byte) {
	s := p.at(id)
	fmt.Fprintf(p.w, "#%d %.3f %s\n", id, time.Since(s.begun).Seconds(), bytes.TrimSuffix(line, []byte("\r")))
}

func (p *plain) flush(id int) {
	s := p.steps[id]
	if len(s.rest) > 0 {
		p.line(id, s.rest)
	}
	s.rest = s.rest[:0]
}

func (p *plain) Done(id int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flush(id)
	s := p.at(id)
	switch {
	case err != nil:
		fmt.Fprintf(p.w, "#%d ERROR: %s\n", id, firstLine(err.Error()))
	case !s.cached:
		fmt.Fprintf(p.w, "#%d DONE %.1fs\n", id, time.Since(s.begun).Seconds())
	}
	delete(p.steps, id)
}

func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		return line + " ..."
	}
	return s
}
