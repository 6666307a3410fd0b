package build

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// Warner is what a Progress may be besides: it is told what a build warns of. Calls come one at a time, with those of Progress.
type Warner interface {
	Warn(w Warning)
}

// Warning is something that the build does all the same.
type Warning struct {
	Step    int    // its id; 0 for the build as a whole
	Short   string // in one line; BuildKit's of Dockerfiles are "RULE: MESSAGE (line N)"
	Detail  []string
	URL     string // of a page about it, or empty
	File    string // where it stands, or empty
	Source  []byte // that file's content
	Line    int    // from 1; 0 for the whole file
	EndLine int    // last line; 0 for one line
}

// rawStatus is one line of BuildKit's --progress=rawjson: what changed since the last one (client.SolveStatus).
type rawStatus struct {
	Vertexes []rawVertex  `json:"vertexes,omitempty"`
	Statuses []rawMessage `json:"statuses,omitempty"`
	Logs     []rawLog     `json:"logs,omitempty"`
	Warnings []rawWarning `json:"warnings,omitempty"`
}

// rawVertex is a step (client.Vertex).
type rawVertex struct {
	Digest    digest.Digest `json:"digest,omitempty"`
	Name      string        `json:"name,omitempty"`
	Started   *time.Time    `json:"started,omitempty"`
	Completed *time.Time    `json:"completed,omitempty"`
	Cached    bool          `json:"cached,omitempty"`
	Error     string        `json:"error,omitempty"`
}

// rawMessage is a part of a step that the engine itself does (client.VertexStatus).
type rawMessage struct {
	ID        string        `json:"id"`
	Vertex    digest.Digest `json:"vertex,omitempty"`
	Current   int64         `json:"current"`
	Timestamp time.Time     `json:"timestamp"`
	Started   *time.Time    `json:"started,omitempty"`
	Completed *time.Time    `json:"completed,omitempty"`
}

// rawLog is what a step's command wrote (client.VertexLog); its bytes are base64 in JSON.
type rawLog struct {
	Vertex    digest.Digest `json:"vertex,omitempty"`
	Stream    Stream        `json:"stream,omitempty"`
	Data      []byte        `json:"data"`
	Timestamp time.Time     `json:"timestamp"`
}

// rawWarning is a warning (client.VertexWarning).
type rawWarning struct {
	Vertex     digest.Digest `json:"vertex,omitempty"`
	Level      int           `json:"level,omitempty"`
	Short      []byte        `json:"short,omitempty"`
	Detail     [][]byte      `json:"detail,omitempty"`
	URL        string        `json:"url,omitempty"`
	SourceInfo *rawSource    `json:"sourceInfo,omitempty"`
	Range      []rawRange    `json:"range,omitempty"`
}

type rawSource struct {
	Filename string `json:"filename,omitempty"`
	Data     []byte `json:"data,omitempty"`
	Language string `json:"language,omitempty"`
}

type rawRange struct {
	Start rawPosition `json:"start"`
	End   rawPosition `json:"end"`
}

type rawPosition struct {
	Line int `json:"line,omitempty"`
}

// rawJSON writes what happens in BuildKit's own form.
type rawJSON struct {
	mu    sync.Mutex
	enc   *json.Encoder
	now   func() time.Time
	steps map[int]*rawStep
}

// rawStep is a step under way.
type rawStep struct {
	rawVertex
	exports bool // it is the engine's own work, whose lines say what it has done
	lines   lines
}

// NewRawJSON returns a Progress that writes to w what docker build --progress=rawjson writes: one JSON object a line, of the form of
// BuildKit's client.SolveStatus. A step's digest names it in this stream only. It is a Warner, too.
func NewRawJSON(w io.Writer) Progress {
	return &rawJSON{enc: json.NewEncoder(w), now: time.Now, steps: map[int]*rawStep{}}
}

// tell writes a line. Who reads it may be gone; the build goes on.
func (r *rawJSON) tell(s rawStatus) { _ = r.enc.Encode(s) }

func (r *rawJSON) vertex(s *rawStep) { r.tell(rawStatus{Vertexes: []rawVertex{s.rawVertex}}) }

// moment is the time as a pointer, which JSON can leave out.
func (r *rawJSON) moment() *time.Time {
	t := r.now().UTC()
	return &t
}

func (r *rawJSON) Step(s Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := s.String()
	step := &rawStep{exports: isExport(s)}
	step.Digest, step.Name = oci.Sum(fmt.Appendf(nil, "step %d: %s", s.ID, name)), name
	r.steps[s.ID] = step
	r.vertex(step)
	step.Started = r.moment()
	r.vertex(step)
}

// isExport reports whether a step is the engine's own work of writing an image, whose output is no command's.
func isExport(s Step) bool { return s.Of == 0 && strings.HasPrefix(s.Text, "exporting") }

func (r *rawJSON) Cached(id int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.steps[id]; s != nil {
		s.rawVertex.Cached = true
	}
}

func (r *rawJSON) Output(id int, stream Stream, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.steps[id]
	switch {
	case s == nil || len(p) == 0:
	case s.exports:
		s.lines.add(p, func(line string) { r.status(s, line) })
	default:
		r.tell(rawStatus{Logs: []rawLog{{s.Digest, stream, p, *r.moment()}}})
	}
}

// status says that a part of the engine's own work is done.
func (r *rawJSON) status(s *rawStep, line string) {
	now := r.moment()
	r.tell(rawStatus{Statuses: []rawMessage{{ID: line, Vertex: s.Digest, Timestamp: *now, Started: now, Completed: now}}})
}

func (r *rawJSON) Done(id int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.steps[id]
	if s == nil {
		return
	}
	s.lines.end(func(line string) { r.status(s, line) })
	s.Completed = r.moment()
	if err != nil {
		s.Error = err.Error()
	}
	r.vertex(s)
	delete(r.steps, id)
}

// Warn implements Warner.
func (r *rawJSON) Warn(w Warning) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := rawWarning{Level: 1, Short: []byte(w.Short), URL: w.URL}
	if s := r.steps[w.Step]; s != nil {
		out.Vertex = s.Digest
	}
	for _, d := range w.Detail {
		out.Detail = append(out.Detail, []byte(d))
	}
	if w.File != "" {
		out.SourceInfo = &rawSource{Filename: w.File, Data: w.Source, Language: "Dockerfile"}
	}
	if w.Line > 0 {
		out.Range = []rawRange{{rawPosition{w.Line}, rawPosition{max(w.Line, w.EndLine)}}}
	}
	r.tell(rawStatus{Warnings: []rawWarning{out}})
}

// lines cuts output into lines.
type lines struct {
	rest []byte // of a line that isn't complete
}

const maxLine = 64 << 10 // bytes: a program that never ends a line must not fill the memory

func (l *lines) add(p []byte, each func(line string)) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			break
		}
		each(string(bytes.TrimSuffix(line, []byte("\r"))))
		l.rest = rest
	}
	if len(l.rest) > maxLine {
		l.end(each)
	}
}

// end gives the line that wasn't ended.
func (l *lines) end(each func(line string)) {
	if len(l.rest) > 0 {
		each(string(l.rest))
	}
	l.rest = nil
}
