package exercises

import (
	"errors"
	"fmt"
	"strings"

	"github.com/learn-containers/learn/lessons/expression"
)

// Task is an exercise for one seed: its templates are filled, its names and numbers are drawn.
type Task struct {
	Exercise
	Seed   uint64
	Values map[string]any
}

// Task fills the exercise's templates for a seed. The error is an *Error.
func (x Exercise) Task(seed uint64) (Task, error) {
	values, err := expression.Draw(x.ID, x.Vars, seed)
	var bad *expression.VarError
	if errors.As(err, &bad) {
		return Task{}, &Error{File: x.Path, Line: bad.Var.Line, Text: bad.Error()}
	}
	if err != nil {
		return Task{}, err
	}
	f := filler{file: x.Path, values: values}
	t := Task{Exercise: x, Seed: seed, Values: values}
	t.Text = make([]Text, len(x.Text))
	for i, part := range x.Text {
		t.Text[i] = Text{part.Line, f.text(part.Line, part.Markdown)}
	}
	t.Checks = f.checks(x.Checks)
	t.Hints = make([]Hint, len(x.Hints))
	for i, h := range x.Hints {
		h.Text = f.text(1, h.Text)
		t.Hints[i] = h
	}
	t.Setup, t.Solution = f.attempt(x.Setup), f.attempt(x.Solution)
	t.Wrong = make([]Attempt, len(x.Wrong))
	for i, w := range x.Wrong {
		t.Wrong[i] = f.attempt(w)
	}
	return t, f.err
}

// Markdown is the whole text of the task, with its title.
func (t Task) Markdown() string {
	parts := []string{"# " + t.Title}
	for _, p := range t.Text {
		parts = append(parts, p.Markdown)
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// filler keeps the first error, so that its callers read as a list of what has templates.
type filler struct {
	file   string
	values map[string]any
	err    error
}

func (f *filler) text(line int, s string) string {
	out, err := expression.Fill(s, f.values)
	if err != nil && f.err == nil {
		f.err = &Error{File: f.file, Line: line, Text: err.Error()}
	}
	return out
}

func (f *filler) checks(in []Check) []Check {
	out := make([]Check, len(in))
	for i, c := range in {
		c.Says, c.Run = f.text(c.Line, c.Says), f.text(c.Line, c.Run)
		c.Diagnose = append([]Diagnosis(nil), c.Diagnose...)
		for j := range c.Diagnose {
			c.Diagnose[j].Says = f.text(c.Diagnose[j].When.Line, c.Diagnose[j].Says)
		}
		c.Proof = append([]Proof(nil), c.Proof...)
		for j := range c.Proof {
			c.Proof[j].Label = f.text(c.Proof[j].Expr.Line, c.Proof[j].Label)
		}
		out[i] = c
	}
	return out
}

// attempt names the file in what it complains about: templates may stand in each.
func (f *filler) attempt(a Attempt) Attempt {
	out := Attempt{Name: a.Name, Do: f.in(a.Name+"/"+script, a.Do), Files: make([]File, len(a.Files))}
	for i, file := range a.Files {
		file.Path, file.Content = f.in(a.Name, file.Path), f.in(a.Name+"/"+file.Path, file.Content)
		out.Files[i] = file
	}
	return out
}

func (f *filler) in(name, s string) string {
	out, err := expression.Fill(s, f.values)
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("fill %s of %s: %w", name, f.file, err)
	}
	return out
}
