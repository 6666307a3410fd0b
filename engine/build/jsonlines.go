package build

import (
	"encoding/json"
	"io"
	"math"
	"sync"
	"time"
)

// The events of a JSONLine.
const (
	EventBegin   = "begin"
	EventCached  = "cached"
	EventOutput  = "output"
	EventDone    = "done"
	EventFailed  = "failed"
	EventWarning = "warning"
)

// JSONLine is one line of --progress=json: something that happened to a step, in plain words.
type JSONLine struct {
	Step    int     `json:"step,omitempty"` // its id, in the order in which steps begin; none for a warning about the build
	Event   string  `json:"event"`          // begin, cached, output, done, failed or warning
	Text    string  `json:"text"`           // the step as plain progress names it; of output, a line of it; of a warning, its words
	Stage   string  `json:"stage,omitempty"`
	Stream  string  `json:"stream,omitempty"` // of output: stdout or stderr
	Error   string  `json:"error,omitempty"`  // why it failed
	Where   string  `json:"where,omitempty"`  // of a warning: the file
	Line    int     `json:"line,omitempty"`   // of a warning, from 1
	Seconds float64 `json:"seconds"`          // since the step began, in thousandths
}

// jsonLines writes what happens in our own words.
type jsonLines struct {
	mu    sync.Mutex
	enc   *json.Encoder
	now   func() time.Time
	steps map[int]*jsonStep
}

// jsonStep is a step under way.
type jsonStep struct {
	Step
	begun time.Time
	out   map[Stream]*lines
}

// NewJSON returns a Progress that writes to w one JSONLine for each thing that happens. It is a Warner, too.
func NewJSON(w io.Writer) Progress {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &jsonLines{enc: enc, now: time.Now, steps: map[int]*jsonStep{}}
}

// tell writes a line about a step. Who reads it may be gone; the build goes on.
func (j *jsonLines) tell(s *jsonStep, l JSONLine) {
	l.Step, l.Stage = s.ID, s.Stage
	l.Seconds = math.Round(j.now().Sub(s.begun).Seconds()*1000) / 1000
	_ = j.enc.Encode(l)
}

func (j *jsonLines) Step(s Step) {
	j.mu.Lock()
	defer j.mu.Unlock()
	step := &jsonStep{Step: s, begun: j.now(), out: map[Stream]*lines{Stdout: {}, Stderr: {}}}
	j.steps[s.ID] = step
	j.tell(step, JSONLine{Event: EventBegin, Text: s.String()})
}

func (j *jsonLines) Cached(id int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.steps[id]; s != nil {
		j.tell(s, JSONLine{Event: EventCached, Text: s.String()})
	}
}

func (j *jsonLines) Output(id int, stream Stream, p []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.steps[id]; s != nil && s.out[stream] != nil {
		s.out[stream].add(p, j.writes(s, stream))
	}
}

func (j *jsonLines) writes(s *jsonStep, stream Stream) func(line string) {
	name := map[Stream]string{Stdout: "stdout", Stderr: "stderr"}[stream]
	return func(line string) { j.tell(s, JSONLine{Event: EventOutput, Text: line, Stream: name}) }
}

func (j *jsonLines) Done(id int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.steps[id]
	if s == nil {
		return
	}
	for _, stream := range []Stream{Stdout, Stderr} {
		s.out[stream].end(j.writes(s, stream))
	}
	l := JSONLine{Event: EventDone, Text: s.String()}
	if err != nil {
		l.Event, l.Error = EventFailed, err.Error()
	}
	j.tell(s, l)
	delete(j.steps, id)
}

// Warn implements Warner.
func (j *jsonLines) Warn(w Warning) {
	j.mu.Lock()
	defer j.mu.Unlock()
	l := JSONLine{Event: EventWarning, Text: w.Short, Where: w.File, Line: w.Line}
	if s := j.steps[w.Step]; s != nil {
		j.tell(s, l)
		return
	}
	_ = j.enc.Encode(l)
}
