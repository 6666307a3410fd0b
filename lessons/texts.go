package lessons

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/learn-containers/learn/lessons/translate"
)

// withTexts returns the lesson with each of its texts replaced. Questions and checks have ids; headings and prose are named by the title of
// their section and their place in it, so that other sections may change without them.
func (l Lesson) withTexts(replace func(translate.Text) string) Lesson {
	t := texter{replace: replace, section: "start", taken: map[string]bool{"start": true}}
	l.Title = t.text("title", 1, l.Title)
	l.Sections = slices.Clone(l.Sections)
	l.Steps = slices.Clone(l.Steps)
	t.sections = l.Sections
	for i := range l.Steps {
		s := &l.Steps[i]
		s.Before, s.After = t.blocks(s.Before), t.blocks(s.After)
	}
	l.Closing = t.blocks(l.Closing)
	return l
}

// texter walks over a lesson's texts.
type texter struct {
	replace  func(translate.Text) string
	sections []Section
	section  string          // name of the section at hand
	taken    map[string]bool // names of sections so far: two of the same title have two
	prose    int             // blocks of prose of the section so far
}

func (t *texter) text(id string, line int, source string) string {
	source = strings.Trim(source, "\n")
	if source == "" {
		return ""
	}
	return t.replace(translate.Text{ID: id, Source: source, Line: line})
}

func (t *texter) blocks(in []Block) []Block {
	out := slices.Clone(in)
	for i := range out {
		t.block(&out[i])
	}
	return out
}

func (t *texter) block(b *Block) {
	switch {
	case b.Heading != "":
		t.heading(b)
	case b.Prose != "":
		t.prose++
		b.Prose = t.text(fmt.Sprintf("%s/%d", t.section, t.prose), b.Line, b.Prose)
	case b.Predict != nil:
		b.Predict = t.predict(b.Line, *b.Predict)
	case b.Evidence != nil:
		q := *b.Evidence
		q.Question = t.text(q.ID+"/question", b.Line, q.Question)
		q.Why = t.text(q.ID+"/why", b.Line, q.Why)
		b.Evidence = &q
	case b.Check != nil:
		c := *b.Check
		c.Says = t.text(c.ID+"/says", b.Line, c.Says)
		b.Check = &c
	}
}

func (t *texter) heading(b *Block) {
	name := slug(b.Heading)
	t.section, t.prose = name, 0
	for n := 2; t.taken[t.section]; n++ {
		t.section = fmt.Sprintf("%s-%d", name, n)
	}
	t.taken[t.section] = true
	title := t.text(t.section+"/heading", b.Line, b.Heading)
	for i := range t.sections {
		if t.sections[i].Line == b.Line {
			t.sections[i].Title = title
		}
	}
	b.Heading = title
}

func (t *texter) predict(line int, q Predict) *Predict {
	q.Question = t.text(q.ID+"/question", line, q.Question)
	q.Choices = slices.Clone(q.Choices)
	for i := range q.Choices {
		q.Choices[i].Text = t.text(fmt.Sprintf("%s/choice-%d", q.ID, i+1), line, q.Choices[i].Text)
	}
	q.Proof = slices.Clone(q.Proof)
	for i := range q.Proof {
		q.Proof[i].Label = t.text(fmt.Sprintf("%s/proof-%d", q.ID, i+1), line, q.Proof[i].Label)
	}
	q.Why = t.text(q.ID+"/why", line, q.Why)
	return &q
}

// slug makes a name of a title: its letters and digits, with - for what is between them.
func slug(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		return "section"
	}
	return strings.Join(words, "-")
}
