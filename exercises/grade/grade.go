// Package grade is what a class's submissions came to, and how that is written: for people, for spreadsheets and for the programs of schools.
//
// It carries out nothing: whoever grades fills in the outcomes.
//
// Invariants: a text that came from a submission is never written raw: control characters are taken out, and no cell of a table begins as a formula. The
// same results give the same text.
package grade

import (
	"strings"
	"time"
)

// State is what an exercise came to.
type State string

// The states of an outcome.
const (
	Solved  State = "solved"
	Wrong   State = "wrong"
	Refused State = "refused" // it could not be carried out; the reason says why
	Missing State = "missing" // it is not in the submission
)

// Outcome is one exercise of one submission.
type Outcome struct {
	Exercise string   `json:"exercise"`
	Title    string   `json:"title"`
	State    State    `json:"state"`
	Points   int      `json:"points"`
	Of       int      `json:"of"`
	Reason   string   `json:"reason,omitempty"` // of refused; for a wrong one, the check that does not hold
	Checks   []Check  `json:"checks,omitempty"`
	Flags    []string `json:"flags,omitempty"` // where the student's side and ours differ
	Notes    []string `json:"notes,omitempty"` // what was left out, and why
	Seconds  float64  `json:"seconds"`
}

// Check is what one check came to.
type Check struct {
	ID     string `json:"id"`
	Says   string `json:"says"`
	Holds  bool   `json:"holds"`
	Belief string `json:"belief,omitempty"` // id of a misconception
	Told   string `json:"told,omitempty"`   // the diagnosis
}

// Result is one submission, or a student without one.
type Result struct {
	File       string    `json:"file,omitempty"`
	Student    string    `json:"student"`
	Name       string    `json:"name,omitempty"`
	Email      string    `json:"email,omitempty"`
	Assignment string    `json:"assignment,omitempty"`
	At         time.Time `json:"at,omitzero"` // as the student's machine says
	Outcomes   []Outcome `json:"outcomes"`
	Reason     string    `json:"reason,omitempty"` // why nothing of it could be graded
	Flags      []string  `json:"flags,omitempty"`
}

// Points are the sum of the outcomes' points, and what could be had.
func (r Result) Points() (points, of int) {
	for _, o := range r.Outcomes {
		points, of = points+o.Points, of+o.Of
	}
	return points, of
}

// AllFlags are those of the submission and of its exercises.
func (r Result) AllFlags() []string {
	all := append([]string(nil), r.Flags...)
	for _, o := range r.Outcomes {
		for _, f := range o.Flags {
			all = append(all, o.Exercise+": "+f)
		}
	}
	return all
}

// who is the student for people.
func (r Result) who() string {
	if r.Name != "" {
		return clean(r.Name)
	}
	return clean(r.Student)
}

// Misconception is an entry of the catalogue, as far as a report needs it.
type Misconception struct{ ID, Claim, Refutation string }

// Report is all that was graded.
type Report struct {
	Class         string                   `json:"class,omitempty"`
	Assignment    string                   `json:"assignment,omitempty"`
	Results       []Result                 `json:"results"`
	Beliefs       []Belief                 `json:"beliefs"`
	Misconception map[string]Misconception `json:"-"`
}

// Belief is a misconception that work of the class fits.
type Belief struct {
	ID         string   `json:"id"`
	Claim      string   `json:"claim"`
	Refutation string   `json:"refutation"`
	Check      string   `json:"check"` // EXERCISE/CHECK that told it most often
	Students   []string `json:"students"`
	Of         int      `json:"of"` // submissions that could be graded
}

// clean takes control characters, line ends among them, out of a text that may have come from an enemy.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x202d || r == 0x2066 || r == 0x2067 || r == 0xfeff:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
