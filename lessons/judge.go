package lessons

import (
	"fmt"

	"github.com/learn-containers/learn/lessons/expression"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/learn-containers/learn/trace/world"
)

// check judges a check and says so. With Auto a check that fails ends the lesson.
func (p *player) check(c *Check) error {
	why, err := p.judge(c)
	if err != nil {
		return err
	}
	if len(why) == 0 {
		p.verdict(p.say(sayChecked, "says", c.Says))
		return nil
	}
	p.result.ChecksFailed++
	p.verdict(p.say(sayNotSo, "says", c.Says))
	for _, w := range why {
		p.bullet(w)
	}
	if p.Auto {
		return &FailedError{p.lesson.ID, p.done, fmt.Sprintf("check %s: expected that %s; %s", c.ID, c.Says, why[0])}
	}
	return nil
}

// judge returns why the check fails: expressions with their values. Nothing means that it holds.
func (p *player) judge(c *Check) ([]string, error) {
	env := p.environment()
	var why []string
	for _, x := range c.exprs() {
		is, err := expression.Holds(x.Source, env)
		if err == nil && !is && x == c.Ever {
			is, err = p.everHeld(x, env)
		}
		if err != nil {
			return nil, p.broken(x, err)
		}
		if !is {
			why = append(why, p.reasonsFor(c, x, env)...)
		}
	}
	return why, nil
}

// everHeld looks for a state since the lesson began in which x held.
func (p *player) everHeld(x Expr, env expression.Roots) (bool, error) {
	r := world.NewReplay(p.events)
	for r.Next() {
		if is, err := expression.Holds(x.Source, env.At(r.World())); err != nil || is {
			return is, err
		}
	}
	return false, nil
}

func (p *player) reasonsFor(c *Check, x Expr, env expression.Roots) []string {
	if c.Only.Source == "" || x != forEach(c.Only) {
		return expression.Reasons(x.Source, env)
	}
	found, err := expression.Evaluate("find(trace, not ("+c.Only.Source+"))", env)
	if err != nil {
		return []string{x.Source + " is not true"}
	}
	return []string{"not every event is such that " + c.Only.Source + "; " + p.describe(found)}
}

// declared complains about events that are not as the vocabulary says.
func (p *player) declared(events []trace.Event) error {
	for _, e := range events {
		if fault := undeclared(e); fault != "" {
			return p.fault(fmt.Sprintf("event %d, %s: %s", e.Seq, e.Kind, fault))
		}
	}
	return nil
}

func undeclared(e trace.Event) string {
	for _, k := range vocab.Kinds {
		if k.Name != e.Kind {
			continue
		}
		if k.Step == (e.Phase == trace.Note) {
			return fmt.Sprintf("phase %s; expected the phases of a step: %t", e.Phase, k.Step)
		}
		want := k.Attrs
		if e.Phase == trace.End {
			want = k.Ends
		}
		if e.Err != "" {
			want = nil
		}
		return wrongAttrs(e.Attrs, want)
	}
	return "the kind is not in the vocabulary"
}

func wrongAttrs(got []trace.Attr, want []vocab.Attr) string {
	if len(got) != len(want) {
		return fmt.Sprintf("it has %d attributes; expected %d", len(got), len(want))
	}
	for i, a := range got {
		if a.Key != want[i].Key || a.Value.Type() != want[i].Type {
			return fmt.Sprintf("attribute %d is %s (%s); expected %s (%s)", i+1, a.Key, a.Value.Type(), want[i].Key, want[i].Type)
		}
	}
	return ""
}
