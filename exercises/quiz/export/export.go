// Package export writes questions of a quiz in the forms in which others take them: Moodle's GIFT and XML, and a sheet for printing.
//
// It asks nothing and keeps nothing: questions come in with their keys, and text goes out. Each form has the whole question: prompt,
// choices, key, the refutation of every wrong choice, and the evidence.
//
// Invariants: what is written can be read again by the form's own rules, whatever characters names and texts have; equal questions give
// equal bytes. Texts are plain: nothing in them is taken for Markdown or HTML.
package export

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/exercises/quiz"
	"github.com/learn-containers/learn/lessons"
)

// Set is what is written.
type Set struct {
	Questions []quiz.Question
	Beliefs   map[string]lessons.Misconception // whose refutations are told with wrong choices
}

// Form is a way to write a Set.
type Form struct {
	Name  string
	Write func(io.Writer, Set) error // the error is the writer's
}

// Forms lists all ways.
func Forms() []Form {
	return []Form{{"gift", GIFT}, {"moodle-xml", MoodleXML}, {"sheet", Sheet}}
}

// Named finds a form. The error says which there are.
func Named(name string) (Form, error) {
	var names []string
	for _, f := range Forms() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Form{}, fmt.Errorf("find export form: there is no %q; expected %s", name, strings.Join(names, ", "))
}

// answer is a possible answer in the way of Moodle.
type answer struct {
	text     string
	percent  float64 // of the grade: 100 for the whole, less than 0 for what takes away from it
	feedback string
}

// answers lists what may be answered. Wrong ones are there for the sake of their feedback.
func (s Set) answers(q quiz.Question) []answer {
	if q.Kind == quiz.ByOrder {
		return s.orders(q)
	}
	right := map[int]bool{}
	for _, i := range q.Right {
		right[i] = true
	}
	var all []answer
	for i, c := range q.Choices {
		a := answer{text: c.Text}
		switch {
		case right[i]:
			a.percent = 100 / float64(len(q.Right))
		case q.Kind == quiz.ByMulti:
			a.percent = -100 / float64(len(q.Choices)-len(q.Right))
		}
		if !right[i] {
			a.feedback = s.refutation(c.Belief)
		}
		all = append(all, a)
	}
	return all
}

// orders lists numbers in their order, in the ways in which people write that.
func (s Set) orders(q quiz.Question) []answer {
	place := map[string]int{}
	for i, c := range q.Choices {
		place[c.Text] = i + 1
	}
	var all []answer
	add := func(numbers []string, percent float64, feedback string) {
		for _, by := range []string{" ", ",", ", "} {
			all = append(all, answer{strings.Join(numbers, by), percent, feedback})
		}
	}
	var key []string
	for _, i := range q.Right {
		key = append(key, strconv.Itoa(i+1))
	}
	add(key, 100, "")
	for _, o := range q.Orders {
		var numbers []string
		for _, t := range o.Texts {
			numbers = append(numbers, strconv.Itoa(place[t]))
		}
		add(numbers, 0, s.refutation(o.Belief))
	}
	return all
}

func (s Set) refutation(belief string) string {
	m, ok := s.Beliefs[belief]
	if !ok {
		return ""
	}
	return m.Refutation + " Where to see it: " + m.Evidence
}

// title names a question so that it can be made again.
func title(q quiz.Question) string {
	return fmt.Sprintf("%s, difficulty %d, seed %d", q.Topic, q.Difficulty, q.Seed)
}

// prompt is the question's text; where Moodle shows no choices, they are in it.
func prompt(q quiz.Question) string {
	text := strings.TrimSpace(q.Prompt)
	if q.Kind != quiz.ByOrder {
		return text
	}
	text += "\n"
	for i, c := range q.Choices {
		text += fmt.Sprintf("\n%d) %s", i+1, c.Text)
	}
	return text + "\n\nWrite " + q.How() + "."
}

// evidence is told after the answer. A few events say as much as all.
func evidence(q quiz.Question) string {
	return "Evidence: " + strings.Join(q.Evidence[:min(3, len(q.Evidence))], "\n")
}
