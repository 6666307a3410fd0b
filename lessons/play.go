package lessons

import (
	"context"
	"io"
)

// Options says how a lesson is played. Engine, Out and Workspace are required; the zero value of the rest is good.
type Options struct {
	Engine    Engine
	Programs  Programs  // nil: the machine's own programs
	In        io.Reader // the learner's answers, one a line; nil means Auto
	Out       io.Writer
	Workspace string // folder that Play empties and fills; files and commands of the lesson live there
	Auto      bool   // no waiting, questions answered by their keys; a check that fails ends the lesson
	Level     string // narration after each step: short (default), full, kernel, none
	Width     int    // columns; 0 means 80
	Color     bool   // Markdown through glamour, with colours; otherwise plain text
	Seed      uint64 // of the lesson's variables; 0 means 1
}

// Result is what came of playing a lesson.
type Result struct {
	Steps, Done  int  // steps of the lesson, and how many have run
	Finished     bool // the last step was reached and left
	Right, Wrong int  // answered predictions and evidence questions
	ChecksFailed int
	Missed       []string // misconception ids that wrong answers revealed, each once, in order
}

// Play plays the lesson. The error is of the engine, of the lesson's file, of ctx or, with Auto, a *FailedError. A
// learner who quits is no error. Containers of the lesson may still run afterwards; Engine.Reset ends them.
func (l Lesson) Play(ctx context.Context, o Options) (Result, error) {
	return Result{}, nil
}
