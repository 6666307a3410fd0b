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
	mu     sync.Mutex
	w      io.Writer
	begun  time.Time
	cached bool
	rest   []byte // of a line that isn't complete
}

// NewPlain returns a Progress that writes lines to w, in BuildKit's plain form.
func NewPlain(w io.Writer) Progress { return &plain{w: w} }

func (p *plain) Step(s Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.ID > 1 {
		fmt.Fprintln(p.w)
	}
	p.begun, p.cached = time.Now(), false
	fmt.Fprintf(p.w, "#%d %s\n", s.ID, firstLine(s.String()))
}

func (p *plain) Cached(id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cached = true
	fmt.Fprintf(p.w, "#%d CACHED\n", id)
}

func (p *plain) Output(id int, _ Stream, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, b...)
	for {
		line, rest, ok := bytes.Cut(p.rest, []byte("\n"))
		if !ok {
			break
		}
		p.line(id, line)
		p.rest = rest
	}
	if len(p.rest) > 64<<10 { // a program that never ends a line must not fill the memory
		p.flush(id)
	}
}

func (p *plain) line(id int, line []byte) {
	fmt.Fprintf(p.w, "#%d %.3f %s\n", id, time.Since(p.begun).Seconds(), bytes.TrimSuffix(line, []byte("\r")))
}

func (p *plain) flush(id int) {
	if len(p.rest) > 0 {
		p.line(id, p.rest)
	}
	p.rest = p.rest[:0]
}

func (p *plain) Done(id int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flush(id)
	switch {
	case err != nil:
		fmt.Fprintf(p.w, "#%d ERROR: %s\n", id, firstLine(err.Error()))
	case !p.cached:
		fmt.Fprintf(p.w, "#%d DONE %.1fs\n", id, time.Since(p.begun).Seconds())
	}
}

func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		return line + " ..."
	}
	return s
}
