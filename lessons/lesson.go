package lessons

import (
	"fmt"
	"strings"

	"github.com/learn-containers/learn/lessons/expression"
)

// Header is what a lesson says of itself at its top: enough to list lessons and to choose one.
type Header struct {
	ID, Title string
	Number    int      // from the folder's name, 05-layers is 5; 0 if the name has none
	File      string   // for error messages
	Needs     []string // ids of lessons to play before
	Targets   []string // ids of the misconceptions that it is about
	Minutes   int
	Registry  bool // it needs a registry, which is then localhost:5000
	Limits    bool // it needs an engine that can limit a container's memory and processes
	Vars      []Var
	Sides     []Side // its translations; Parse finds none, Load and Headers do
}

// Lesson is one parsed lesson. It is a value that nothing changes; templates in it are filled in when it is played.
type Lesson struct {
	Header
	Sections []Section
	Steps    []Step
	Closing  []Block // what follows the last step
}

// Side is a translation as it lies beside the lesson, not yet read.
type Side struct {
	Lang   string // BCP 47, such as zh-CN
	File   string // for messages
	Source []byte
}

// Section is a heading and the steps below it.
type Section struct {
	Title string
	Line  int
	First int // number of its first step; a section without steps has that of the next section's
}

// Step is one command with the text and questions around it.
type Step struct {
	Number  int // from 1
	Section int // index into Sections
	Before  []Block
	Command string // as the shell gets it: lines joined, prompts removed
	Exit    int    // the exit code it must have
	Line    int
	After   []Block // what must be read or answered with the result at hand
}

// Block is one part of a step: exactly one field besides Line is set.
type Block struct {
	Line     int
	Heading  string // begins a section
	Prose    string // Markdown
	File     *File
	Predict  *Predict
	Evidence *Evidence
	Check    *Check
}

// File is written into the workspace before the next command runs.
type File struct {
	Path    string // slash-separated, relative to the workspace, never outside it
	Content string
	Mode    uint32
	Lang    string // for colours
}

// Predict asks what the next command will do.
type Predict struct {
	ID         string
	Confidence bool
	Question   string // Markdown
	Choices    []Choice
	Key        Expr    // number of the right choice
	Why        string  // Markdown, shown with every answer; may be empty
	Proof      []Proof // the evidence, shown with every wrong answer
}

// Choice is one answer; Reveals is the id of the misconception that it shows, or empty.
type Choice struct{ Text, Reveals string }

// Proof is one labelled piece of evidence: an event or a value.
type Proof struct {
	Label string
	Expr  Expr
}

// Evidence asks where on disk or in the trace something can be seen.
type Evidence struct {
	ID       string
	Kind     string // event or path
	Question string // Markdown
	Key      Expr   // the event's number or a list of them; or a path, or a list of them
	Why      string // Markdown, shown with the answer
	Reveals  string // misconception id of a wrong answer, may be empty
}

// Check is what must hold after a step. Empty expressions are not asked.
type Check struct {
	ID, Says string
	Now      Expr // holds in the state as it is
	Ever     Expr // held in at least one state since the lesson began
	Only     Expr // holds for each event of the step
}

// Expr is the source of an expression and where it stands.
type Expr = expression.Expr

// NotFoundError says that no lesson matches, or more than one does.
type NotFoundError struct {
	Name    string
	Matches []string // ids; empty when none matches
}

func (e *NotFoundError) Error() string {
	if len(e.Matches) == 0 {
		return fmt.Sprintf("find lesson %q: there is none; expected an id, a number or the beginning of a title", e.Name)
	}
	return fmt.Sprintf("find lesson %q: it may mean %s", e.Name, strings.Join(e.Matches, ", "))
}
