package exercises

import (
	"fmt"
	"strings"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/expression"
	"github.com/learn-containers/learn/trace"
)

// explain fills in why a check does not hold: its proof and the first diagnosis that fits. The check's own event and file stand in for those that
// the diagnosis does not name.
func (j *judge) explain(f *Finding, roots Roots) error {
	for _, p := range f.Check.Proof {
		value, err := expression.Evaluate(p.Expr.Source, roots)
		if err != nil {
			return err
		}
		f.Proof = append(f.Proof, p.Label+": "+j.show(value))
	}
	event, file := f.Check.Event, f.Check.File
	for _, d := range f.Check.Diagnose {
		is, err := expression.Holds(d.When.Source, roots)
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		if f.Says, err = j.compute(d.Says, roots); err != nil {
			return err
		}
		f.Belief = d.Tag
		event, file = orElse(d.Event, event), orElse(d.File, file)
		break
	}
	if err := j.locate(f, event, file, roots); err != nil {
		return err
	}
	return nil
}

func orElse(x, otherwise expression.Expr) expression.Expr {
	if x.Source == "" {
		return otherwise
	}
	return x
}

func (j *judge) locate(f *Finding, event, file expression.Expr, roots Roots) error {
	if event.Source != "" {
		value, err := expression.Evaluate(event.Source, roots)
		if err != nil {
			return err
		}
		seq, ok := seqOf(value)
		if !ok {
			return fmt.Errorf("evaluate %q: the value is %s; expected an event, such as find(history, ...)", event.Source, expression.Show(value))
		}
		f.Event, f.Command = j.event(seq), j.commandOf(value)
	}
	if file.Source == "" {
		return nil
	}
	value, err := expression.Evaluate(file.Source, roots)
	if err != nil {
		return err
	}
	text, ok := value.(string)
	if !ok && value != nil {
		return fmt.Errorf("evaluate %q: the value is %s; expected a path", file.Source, expression.Show(value))
	}
	f.File = text
	return nil
}

func (j *judge) event(seq uint64) *trace.Event {
	for i := range j.events {
		if j.events[i].Seq == seq && seq != 0 {
			return &j.events[i]
		}
	}
	return nil
}

// show is a value for people: an event as its sentence. It may have several lines, and whatever a program printed.
func (j *judge) show(value any) string {
	if seq, ok := seqOf(value); ok {
		if e := j.event(seq); e != nil {
			return lessons.EventLine(*e)
		}
	}
	return expression.Show(value)
}

// compute replaces each ((expression)) by its value on the learner's state.
func (j *judge) compute(text string, roots Roots) (string, error) {
	var b strings.Builder
	for {
		before, inner, after, found := cutComputed(text)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		value, err := expression.Evaluate(inner, roots)
		if err != nil {
			return "", err
		}
		b.WriteString(j.show(value))
		text = after
	}
}

// computed lists the expressions of a text that compute would evaluate.
func computed(text string) []string {
	var out []string
	for {
		_, inner, after, found := cutComputed(text)
		if !found {
			return out
		}
		out = append(out, inner)
		text = after
	}
}

// cutComputed cuts a text around its first ((expression)), which may have brackets of its own. Without one, before is the whole text.
func cutComputed(text string) (before, inner, after string, found bool) {
	before, rest, _ := strings.Cut(text, "((")
	depth := 0
	for i, c := range rest {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ')' && strings.HasPrefix(rest[i:], "))"):
			return before, rest[:i], rest[i+2:], true
		}
	}
	return text, "", "", false
}
