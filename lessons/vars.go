package lessons

import (
	"errors"

	"github.com/learn-containers/learn/lessons/expression"
)

// Var is one seeded variable: its name and how its value is drawn.
type Var = expression.Var

// Values draws the lesson's variables: the same seed gives the same values, another lesson or seed others.
func (l Lesson) Values(seed uint64) (map[string]any, error) {
	values, err := expression.Draw(l.ID, l.Vars, seed)
	var bad *expression.VarError
	if errors.As(err, &bad) {
		return nil, &Error{File: l.File, Line: bad.Var.Line, Text: bad.Error()}
	}
	return values, err
}
