package lessons

import "github.com/learn-containers/learn/lessons/expression"

// filled returns the lesson with all templates replaced. The receiver is not changed.
func (l Lesson) filled(values map[string]any) (Lesson, error) {
	f := filler{file: l.File, values: values}
	steps := make([]Step, len(l.Steps))
	for i, s := range l.Steps {
		f.line = s.Line
		s.Command = f.text(s.Command)
		s.Before = f.blocks(s.Before)
		s.After = f.blocks(s.After)
		steps[i] = s
	}
	l.Steps = steps
	l.Closing = f.blocks(l.Closing)
	return l, f.err
}

// filler keeps the first error, so that its callers read as a list of what has templates.
type filler struct {
	file   string
	values map[string]any
	line   int
	err    error
}

func (f *filler) text(s string) string {
	out, err := expression.Fill(s, f.values)
	if err != nil && f.err == nil {
		f.err = &Error{File: f.file, Line: f.line, Text: err.Error()}
	}
	return out
}

func (f *filler) blocks(in []Block) []Block {
	out := make([]Block, len(in))
	for i, b := range in {
		f.line = b.Line
		out[i] = f.block(b)
	}
	return out
}

func (f *filler) block(b Block) Block {
	b.Heading, b.Prose = f.text(b.Heading), f.text(b.Prose)
	switch {
	case b.File != nil:
		file := *b.File
		file.Path, file.Content = f.text(file.Path), f.text(file.Content)
		b.File = &file
	case b.Predict != nil:
		q := *b.Predict
		q.Question, q.Why = f.text(q.Question), f.text(q.Why)
		q.Choices = append([]Choice(nil), q.Choices...)
		for i := range q.Choices {
			q.Choices[i].Text = f.text(q.Choices[i].Text)
		}
		q.Proof = append([]Proof(nil), q.Proof...)
		for i := range q.Proof {
			q.Proof[i].Label = f.text(q.Proof[i].Label)
		}
		b.Predict = &q
	case b.Evidence != nil:
		q := *b.Evidence
		q.Question, q.Why = f.text(q.Question), f.text(q.Why)
		b.Evidence = &q
	case b.Check != nil:
		c := *b.Check
		c.Says = f.text(c.Says)
		b.Check = &c
	}
	return b
}

// play fills the lesson's templates for one seed.
func (l Lesson) play(seed uint64) (Lesson, map[string]any, error) {
	values, err := l.Values(seed)
	if err != nil {
		return Lesson{}, nil, err
	}
	full, err := l.filled(values)
	if err != nil {
		return Lesson{}, nil, err
	}
	return full, values, nil
}
