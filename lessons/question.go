package lessons

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/learn-containers/learn/lessons/expression"
	"github.com/learn-containers/learn/trace/narrate"
)

// guess is a prediction that waits for its step.
type guess struct {
	question   *Predict
	choice     int // 0 with Auto
	confidence int
}

// ask shows a prediction and takes the learner's choice.
func (p *player) ask(q *Predict) (guess, error) {
	g := guess{question: q}
	p.question(q)
	if p.Auto {
		return g, nil
	}
	var err error
	if g.choice, err = p.readNumber(p.say(sayYourPrediction), len(q.Choices)); err != nil || !q.Confidence {
		return g, err
	}
	g.confidence, err = p.readNumber(p.say(sayHowSure), 3)
	return g, err
}

func (p *player) readNumber(prompt string, most int) (int, error) {
	prompt = p.say(sayRange, "prompt", prompt, "most", most)
	for {
		line, err := p.read(prompt)
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= most {
			return n, nil
		}
		p.line(p.say(sayNoChoice, "given", narrate.Clean(line), "most", most))
	}
}

// settle computes the key of a prediction from what happened, and tells the learner. A wrong answer always comes
// with the evidence and with what is wrong about the belief behind it.
func (p *player) settle(g guess) error {
	q := g.question
	env := p.environment()
	value, err := expression.Evaluate(q.Key.Source, env)
	key, ok := expression.Number(value)
	if err == nil && (!ok || key < 1 || key > len(q.Choices)) {
		err = fmt.Errorf("the key is %s; expected the number of a choice, 1 to %d", expression.Show(value), len(q.Choices))
	}
	if err != nil {
		return p.broken(q.Key, err)
	}
	right := q.Choices[key-1].Text
	switch {
	case p.Auto:
		p.verdict(p.say(sayHappened, "n", key, "choice", right))
	case g.choice == key:
		p.verdict(p.say(sayRight, "n", key, "choice", right))
	default:
		p.verdict(p.say(sayWrong, "given", g.choice, "n", key, "choice", right))
		if g.confidence == 3 {
			p.line(p.say(sayCertain))
		}
	}
	if g.choice != key {
		if err := p.proof(q.Proof, env); err != nil {
			return err
		}
	}
	reveals := ""
	if g.choice > 0 && g.choice != key {
		reveals = q.Choices[g.choice-1].Reveals
		if err := p.refute(reveals); err != nil {
			return err
		}
	}
	p.prose(q.Why)
	p.answered(Answer{q.ID, strconv.Itoa(g.choice), strconv.Itoa(key), g.choice == key, g.confidence, reveals})
	return nil
}

func (p *player) proof(proof []Proof, env expression.Roots) error {
	p.line(p.say(sayEvidence))
	for _, part := range proof {
		value, err := expression.Evaluate(part.Expr.Source, env)
		if err != nil {
			return p.broken(part.Expr, err)
		}
		p.bullet(p.say(sayProof, "label", part.Label, "value", p.describe(value)))
	}
	return nil
}

// describe shows an event by its sentence, any other value by itself.
func (p *player) describe(value any) string {
	fields, ok := value.(map[string]any)
	if !ok {
		return expression.Show(value)
	}
	seq, _ := expression.Number(fields["seq"])
	if seq < 1 || seq > len(p.events) {
		return expression.Show(value)
	}
	e := p.events[seq-1]
	return fmt.Sprintf("event %d, %s: %s", seq, e.Kind, telling(e, narrate.Full))
}

// refute answers the belief that a wrong choice shows.
func (p *player) refute(id string) error {
	if id == "" {
		return nil
	}
	beliefs, err := p.beliefs()
	if err != nil {
		return err
	}
	if m, ok := beliefs[id]; ok {
		p.line(p.say(sayBelief, "claim", m.Claim))
		p.line(p.say(sayBut, "refutation", m.Refutation))
		p.line(p.say(saySee, "evidence", m.Evidence))
	}
	return nil
}

// answered keeps the first answer to each question.
func (p *player) answered(a Answer) {
	if p.Auto || p.settled[a.ID] {
		return
	}
	p.settled[a.ID] = true
	p.result.Answers = append(p.result.Answers, a)
	if a.Reveals != "" && !slices.Contains(p.result.Missed, a.Reveals) {
		p.result.Missed = append(p.result.Missed, a.Reveals)
	}
	if a.Right {
		p.result.Right++
	} else {
		p.result.Wrong++
	}
}

// broken reports an expression that can't be evaluated: a fault of the lesson, not of the learner.
func (p *player) broken(x Expr, err error) error {
	return &Error{File: p.lesson.File, Line: x.Line, Text: err.Error()}
}

func (p *player) environment() expression.Roots {
	return expression.NewRoots(p.events, p.first, p.vars)
}
