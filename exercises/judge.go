package exercises

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/lessons/expression"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/learn-containers/learn/trace/world"
)

// Roots is what the expressions of an exercise may name: those of a lesson, where trace is what the check's own script caused, and these.
type Roots struct {
	expression.Roots
	History []map[string]any                    `expr:"history"`     // events of setup and learner, without those of checks
	Done    []map[string]any                    `expr:"done"`        // events of the learner
	Code    int                                 `expr:"code"`        // what the check's script returned
	Output  string                              `expr:"output"`      // what it printed, without the last line's end
	File    func(path string) string            `expr:"file"`        // a file of the learner's folder; empty if there is none
	Written func(path string) bool              `expr:"written"`     // it is there
	BlobOf  func(digest string) string          `expr:"blob_file"`   // path of a blob below the home
	FileOf  func(container, file string) string `expr:"record_file"` // path of a file of a container's record below the home
	Argv    func(event any) string              `expr:"argv"`        // the command line that an event belongs to
}

// Marker is an engine that can put what a check's script does into a step of the trace of its own (vocab.ExerciseCheck). Without it, an engine's
// trace must not be judged twice.
type Marker interface {
	Mark(ctx context.Context, exercise, check string) (inside context.Context, end func(error))
}

// Verdict is what a judged exercise came to.
type Verdict struct {
	Findings     []Finding
	Home, Folder string // the engine's and the learner's, in which the findings' files lie
}

// Solved tells whether every check holds.
func (v Verdict) Solved() bool { return v.First() == nil }

// First is the first check that does not hold, or nil.
func (v Verdict) First() *Finding {
	for i := range v.Findings {
		if !v.Findings[i].Holds {
			return &v.Findings[i]
		}
	}
	return nil
}

// Finding is what one check came to. All but the first two fields are empty when it holds.
type Finding struct {
	Check   Check
	Holds   bool
	Reasons []string     // conditions that are not true, with their values
	Proof   []string     // labelled values
	Belief  string       // id of the misconception that it fits, or empty
	Says    string       // the diagnosis
	Event   *trace.Event // what caused it
	Command *trace.Event // the command line in which that happened
	File    string       // where it can be seen: below the engine's home or, behind ./, in the learner's folder
}

// Judge looks at the engine's state and at the learner's folder. An error means that a check can't be evaluated.
func (t Task) Judge(ctx context.Context, b Bench) (Verdict, error) {
	j := judge{Bench: b, task: t}
	root, err := os.OpenRoot(b.Folder)
	if err != nil {
		return Verdict{}, fmt.Errorf("open the exercise's folder: %w; learn reset %s makes it anew", err, t.ID)
	}
	defer root.Close()
	j.root = root
	if j.events, err = b.Engine.Trace(ctx, 0); err != nil {
		return Verdict{}, fmt.Errorf("read the engine's trace: %w", err)
	}
	j.history = learners(j.events)
	v := Verdict{Home: b.Engine.Home(), Folder: b.Folder}
	for _, c := range t.Checks {
		f, err := j.check(ctx, c)
		if err != nil {
			return Verdict{}, fmt.Errorf("evaluate check %s of exercise %s: %w", c.ID, t.ID, err)
		}
		v.Findings = append(v.Findings, f)
	}
	return v, nil
}

// judge is one judgement under way.
type judge struct {
	Bench
	task    Task
	root    *os.Root
	events  []trace.Event
	history []trace.Event // without what checks did
}

func (j *judge) check(ctx context.Context, c Check) (Finding, error) {
	roots, err := j.probe(ctx, c)
	if err != nil {
		return Finding{}, err
	}
	f := Finding{Check: c, Holds: true}
	for _, x := range []expression.Expr{c.Now, c.Ever, forEach(c.Only)} {
		if x.Source == "" {
			continue
		}
		is, err := expression.Holds(x.Source, roots)
		if err == nil && !is && x == c.Ever {
			is, err = j.everHeld(x, roots)
		}
		if err != nil {
			return f, err
		}
		if !is {
			f.Holds = false
			f.Reasons = append(f.Reasons, expression.Reasons(x.Source, roots)...)
		}
	}
	if f.Holds {
		return f, nil
	}
	return f, j.explain(&f, roots)
}

func forEach(only expression.Expr) expression.Expr {
	if only.Source != "" {
		only.Source = "all(done, " + only.Source + ")"
	}
	return only
}

// probe runs a check's script on a copy of the folder and prepares what its expressions may name.
func (j *judge) probe(ctx context.Context, c Check) (Roots, error) {
	code, output, first := 0, "", len(j.events)
	if c.Run != "" {
		dir := filepath.Join(j.Scratch, c.ID)
		if err := os.RemoveAll(dir); err != nil {
			return Roots{}, fmt.Errorf("empty scratch folder: %w", err)
		}
		if err := copyFolder(j.root, dir, maxCopyFiles, maxCopyBytes); err != nil {
			return Roots{}, fmt.Errorf("copy the exercise's folder: %w", err)
		}
		n, out, err := j.runCheck(ctx, dir, c)
		if err != nil {
			return Roots{}, fmt.Errorf("run its script: %w", err)
		}
		code, output = n, strings.TrimRight(string(out), "\n")
		events, err := j.Engine.Trace(ctx, lastSeq(j.events))
		if err != nil {
			return Roots{}, fmt.Errorf("read the engine's trace: %w", err)
		}
		j.events = append(j.events, events...)
	}
	r := j.roots(first)
	r.Code, r.Output = code, output
	return r, nil
}

// runCheck runs a check's script in a step of its own, so that a later judgement can tell what it did from what the learner did.
func (j *judge) runCheck(ctx context.Context, dir string, c Check) (int, []byte, error) {
	if m, ok := j.Engine.(Marker); ok {
		var end func(error)
		ctx, end = m.Mark(ctx, j.task.ID, c.ID)
		defer end(nil)
	}
	return j.run(ctx, dir, c.Run)
}

func (j *judge) roots(first int) Roots {
	r := Roots{Roots: expression.NewRoots(j.events, first, j.task.Values)}
	all := make(map[uint64]bool, len(j.history))
	for _, e := range j.history {
		all[e.Seq] = true
	}
	for _, m := range r.Lesson {
		seq := uint64(m["seq"].(int))
		if !all[seq] {
			continue
		}
		r.History = append(r.History, m)
		if seq > j.Began {
			r.Done = append(r.Done, m)
		}
	}
	r.File = func(name string) string { return readFile(j.root, name) }
	r.Written = func(name string) bool {
		_, err := j.root.Stat(filepath.FromSlash(name))
		return name != "" && err == nil
	}
	r.BlobOf, r.FileOf = blobFile, recordFile(r)
	r.Argv = func(e any) string { return commandLine(j.commandOf(e)) }
	return r
}

// everHeld looks for a state since the exercise began in which x held.
func (j *judge) everHeld(x expression.Expr, roots Roots) (bool, error) {
	r := world.NewReplay(j.history)
	for r.Next() {
		if r.World().Seq <= j.Began {
			continue
		}
		at := roots
		at.Roots = roots.At(r.World())
		if is, err := expression.Holds(x.Source, at); err != nil || is {
			return is, err
		}
	}
	return false, nil
}

func blobFile(digest string) string {
	algorithm, hex, ok := strings.Cut(digest, ":")
	if !ok {
		return ""
	}
	return "images/blobs/" + algorithm + "/" + hex
}

func recordFile(r Roots) func(container, file string) string {
	return func(container, file string) string {
		if c := r.Container(container); c.Exists {
			return "containers/" + c.ID + "/" + file
		}
		return ""
	}
}

// commandOf finds the command in which an event happened, nil if there is none.
func (j *judge) commandOf(event any) *trace.Event {
	seq, _ := seqOf(event)
	spans := map[uint64]*trace.Event{}
	var at *trace.Event
	for i := range j.events {
		e := &j.events[i]
		if e.Phase == trace.Begin {
			spans[e.Span] = e
		}
		if e.Seq == seq {
			at = spans[e.Span]
		}
	}
	for at != nil && at.Kind != vocab.Command {
		at = spans[at.Parent]
	}
	return at
}

func commandLine(e *trace.Event) string {
	if e == nil {
		return ""
	}
	return strings.Join(e.Attr("argv").List(), " ")
}

// seqOf is the number of an event that an expression gave, 0 for none; ok is false when it is no event.
func seqOf(value any) (seq uint64, ok bool) {
	m, isEvent := value.(map[string]any)
	if value == nil || isEvent && m == nil {
		return 0, true
	}
	n, isNumber := expression.Number(m["seq"])
	return uint64(n), isEvent && isNumber
}

// learners is the events without those of checks, which stand in steps of their own.
func learners(events []trace.Event) []trace.Event {
	checks := map[uint64]bool{} // steps that are a check's or lie in one
	var out []trace.Event
	for _, e := range events {
		if e.Phase == trace.Begin && (e.Kind == vocab.ExerciseCheck || checks[e.Parent]) {
			checks[e.Span] = true
		}
		if !checks[e.Span] {
			out = append(out, e)
		}
	}
	return out
}
