package narrate

import (
	"bytes"
	"io"

	"github.com/learn-containers/learn/trace"
)

// Narrator writes the narration of each event as it comes, one paragraph an event, indented by how deep it lies in the steps
// that are shown. It remembers the names that events give to containers and images and uses them, and gives the same
// reason once only. It is a trace.Sink; an error of the writer ends the narration and nothing else.
type Narrator struct {
	w     io.Writer
	level Level
	width int
	color bool
	names map[string]string
	depth map[uint64]int  // of each step: how deep its parts are, or after its end, it itself
	said  map[string]bool // reasons given
	buf   bytes.Buffer
	err   error
}

// NewNarrator returns a Narrator that writes to w in lines of at most width columns (0: no limit), with color
// if color is set.
func NewNarrator(w io.Writer, level Level, width int, color bool) *Narrator {
	return &Narrator{w: w, level: level, width: width, color: color,
		names: map[string]string{}, depth: map[uint64]int{}, said: map[string]bool{}}
}

// NewSink is NewNarrator for those who need a sink only.
func NewSink(w io.Writer, level Level, width int, color bool) trace.Sink {
	return NewNarrator(w, level, width, color)
}

// Emit writes the narration of e, if the level shows it.
func (n *Narrator) Emit(e trace.Event) {
	learn(n.names, e)
	f := facts{e: e, level: n.level, names: n.names}
	t := n.fresh(f.text())
	shown := t.join(n.level) != ""
	depth := n.enter(e, shown)
	if !shown || n.err != nil {
		return
	}
	n.buf.Reset()
	n.write(t, depth, e)
	_, n.err = n.w.Write(n.buf.Bytes())
}

// maxSaid bounds how many reasons are remembered.
const maxSaid = 1000

// fresh takes away a reason that was given before.
func (n *Narrator) fresh(t text) text {
	if n.level < Full || t.why == "" {
		return t
	}
	if n.said[t.why] {
		t.why = ""
	} else if len(n.said) < maxSaid {
		n.said[t.why] = true
	}
	return t
}

// Err is the writer's first error.
func (n *Narrator) Err() error { return n.err }

// enter follows the nesting of steps and returns how deep e is shown. A step that isn't shown adds no depth.
func (n *Narrator) enter(e trace.Event, shown bool) int {
	switch e.Phase {
	case trace.Begin:
		depth := n.depth[e.Parent]
		n.depth[e.Span] = depth
		if shown {
			n.depth[e.Span]++
		}
		return depth
	case trace.End:
		depth := n.depth[e.Span]
		n.depth[e.Span] = n.depth[e.Parent] // for what is told of the step when it is over
		return depth
	}
	return n.depth[e.Span]
}

// Colors: what a beginner must see is in the terminal's own color, the rest is dimmed, a failure is red.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	reset = "\x1b[0m"
)

func (n *Narrator) write(t text, depth int, e trace.Event) {
	wr := wrapper{out: &n.buf, width: n.width, indent: 2 * min(depth, 12)}
	style := ""
	switch {
	case e.Err != "":
		style = red
	case e.Phase == trace.Begin && depth == 0:
		style = bold
	}
	wr.part(t.say, n.style(style))
	if n.level >= Full {
		wr.part(t.why, n.style(dim))
	}
	if n.level >= Kernel {
		wr.part(t.how, n.style(dim))
	}
	wr.end()
}

func (n *Narrator) style(s string) string {
	if n.color {
		return s
	}
	return ""
}
