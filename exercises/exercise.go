// Package exercises is tasks that check themselves against an engine's real state: their format, their checks with the diagnosis of what went
// wrong, their hints, and the proof that a task is sound.
//
// It is not an engine and starts none: it drives one through the small interface of package lessons, and judges by its trace and by the files in
// the learner's folder. It keeps no progress; the program does.
//
// Invariants: a check judges state, never the wording of commands; the learner's files are only read, what a check runs works on a copy of them; a
// check that can't be evaluated is an error and no wrong answer; the same exercise and seed give the same task.
package exercises

import (
	"fmt"
	"path"

	"github.com/learn-containers/learn/lessons/expression"
	"github.com/learn-containers/learn/lessons/markdown"
)

// Header is what an exercise says of itself at its top: enough to list exercises and to choose one.
type Header struct {
	ID, Title string
	Number    int    // from the folder's name, 05-find-the-pid is 5; 0 if the name has none
	Path      string // for error messages
	After     string // the lesson that it belongs to
	Points    int    // what it counts for in a class; 1 if the file says nothing
	Minutes   int
	Registry  bool // it has a registry of its own, which is localhost:5000
	Limits    bool // it needs an engine that can limit a container's memory and processes
	Vars      []expression.Var
}

// Folder is the name of the folder that holds it.
func (h Header) Folder() string { return path.Dir(h.Path) }

// Exercise is one parsed exercise. It is a value that nothing changes; Task fills its templates.
type Exercise struct {
	Header
	Text     []Text
	Checks   []Check
	Hints    []Hint
	Setup    Attempt   // what the learner finds
	Solution Attempt   // what the learner could do
	Wrong    []Attempt // what learners do who believe the misconception that is the name
}

// Text is a part of the task in Markdown, a heading's among them.
type Text struct {
	Line     int
	Markdown string
}

// Check is one thing that must hold. Empty expressions are not asked.
type Check struct {
	ID, Says string
	Line     int
	Run      string          // script, run on a copy of the learner's folder; its exit code and output are code and output
	Now      expression.Expr // holds in the state after Run
	Ever     expression.Expr // held in at least one state since the exercise began
	Only     expression.Expr // holds for each event since the exercise began
	Proof    []Proof         // shown when it fails
	Event    expression.Expr // what caused it, an event or nil
	File     expression.Expr // where it can be seen: a path below the engine's home or, behind ./, in the learner's folder; or empty
	Diagnose []Diagnosis     // the first whose When holds is told
}

// Diagnosis explains one way to fail.
type Diagnosis struct {
	When  expression.Expr
	Tag   string // id of a misconception
	Says  string // may hold ((expression)), which is evaluated on the learner's state
	Event expression.Expr
	File  expression.Expr
}

// Proof is one labelled value or event.
type Proof struct {
	Label string
	Expr  expression.Expr
}

// Hint is one rung of the ladder: exactly one field is set.
type Hint struct {
	Text     string
	Computed bool // the diagnosis of the learner's own state
	Solution bool
}

// Attempt is files to put into the folder and commands to run there.
type Attempt struct {
	Name  string // setup, solution, or a misconception's id
	Files []File // sorted by path
	Do    string // script; empty if there is nothing to run
}

// File is one file of an attempt.
type File struct {
	Path    string // slash-separated, relative, never outside
	Content string
	Mode    uint32
}

// Error is a fault in an exercise's files.
type Error = markdown.Error

// NotFoundError says that no exercise matches, or more than one does.
type NotFoundError struct {
	Name    string
	Matches []string // ids; empty when none matches
}

func (e *NotFoundError) Error() string {
	if len(e.Matches) == 0 {
		return fmt.Sprintf("find exercise %q: there is none; learn list shows the exercises", e.Name)
	}
	return fmt.Sprintf("find exercise %q: it may mean %v; give the whole name", e.Name, e.Matches)
}
