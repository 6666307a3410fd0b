package lessons

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/narrate"
)

// Options says how a lesson is played. Engine, Out and Workspace are required; the zero value of the rest is good.
type Options struct {
	Engine    Engine
	Programs  Programs  // nil: the machine's own programs
	In        io.Reader // the learner's answers, one a line; nil means Auto
	Out       io.Writer
	Workspace string                               // folder that Play empties and fills; files and commands of the lesson live there
	Auto      bool                                 // no waiting, questions answered by their keys; a check that fails ends the lesson
	Lang      string                               // language, as Languages has it; empty means the original. What is not translated is shown as it is
	Level     string                               // narration after each step: short (default), full, kernel or none
	Width     int                                  // columns; 0 means 80
	Color     bool                                 // Markdown through glamour, with colours; otherwise plain text
	Seed      uint64                               // of the lesson's variables; 0 means 1
	OnStep    func(step int, events []trace.Event) // called after each step with what happened in it; nil means nobody asks
	Epoch     int64                                // seconds since 1970, the date of all that the lesson builds; 0 means the beginning of this day
}

// Result is what came of playing a lesson.
type Result struct {
	Steps, Done  int  // steps of the lesson, and how many have run
	Finished     bool // the last step was reached and left
	Right, Wrong int  // answered predictions and evidence questions
	ChecksFailed int
	Missed       []string // misconception ids that wrong answers revealed, each once, in order
	Answers      []Answer // in the order in which they were given
}

// Answer is one answered question. With Auto there are none.
type Answer struct {
	ID         string
	Given      string // as typed
	Key        string // what was right
	Right      bool
	Confidence int    // 1 guess to 3 sure; 0 when it was not asked
	Reveals    string // misconception id of a wrong answer, may be empty
}

// FailedError says that a lesson does not hold with this engine: a check failed, a command had another exit code, an
// event was not as declared. Only Auto makes one.
type FailedError struct {
	Lesson string
	Step   int
	Text   string
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("play lesson %s: step %d: %s", e.Lesson, e.Step, e.Text)
}

// player is one run through a lesson.
type player struct {
	Options
	screen
	ctx     context.Context
	lesson  Lesson // templates filled
	vars    map[string]any
	level   narrate.Level
	input   *bufio.Scanner // nil with Auto
	shell   *shell
	events  []trace.Event                            // since the reset
	first   int                                      // index of the last step's first event
	folded  bool                                     // the learner knows why some lines look torn
	done    int                                      // number of the step that ran last, 0 before the first
	settled map[string]bool                          // ids of questions whose first answer counted
	beliefs func() (map[string]Misconception, error) // read when the first is wanted
	result  Result
}

// Play plays the lesson. The error is of the engine, of the lesson's file, of ctx or, with Auto, a *FailedError. A
// learner who quits is no error. Containers of the lesson may still run afterwards; Engine.Reset ends them.
func (l Lesson) Play(ctx context.Context, o Options) (Result, error) {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Epoch == 0 {
		o.Epoch = time.Now().UTC().Truncate(24 * time.Hour).Unix()
	}
	o.Auto = o.Auto || o.In == nil
	p, err := newPlayer(ctx, l, o)
	if err != nil {
		return Result{}, err
	}
	err = p.play()
	p.result.Steps, p.result.Done = len(p.lesson.Steps), p.done
	if errors.Is(err, errQuit) {
		err = nil
	}
	return p.result, err
}

func newPlayer(ctx context.Context, l Lesson, o Options) (*player, error) {
	l, err := l.In(o.Lang)
	if err != nil {
		return nil, err
	}
	full, vars, err := l.play(o.Seed)
	if err != nil {
		return nil, err
	}
	words, err := wordsIn(o.Lang)
	if err != nil {
		return nil, err
	}
	level, err := narrationLevel(o.Level)
	if err != nil {
		return nil, err
	}
	p := &player{
		Options: o, ctx: ctx, lesson: full, vars: vars, level: level, settled: map[string]bool{},
		beliefs: sync.OnceValues(func() (map[string]Misconception, error) { return MisconceptionsIn(o.Lang) }),
		screen:  newScreen(o.Out, o.Width, o.Color, words),
	}
	if !o.Auto {
		p.input = bufio.NewScanner(o.In)
	}
	return p, p.reset()
}

// silent is below every level of narration.
const silent = narrate.Short - 1

func narrationLevel(name string) (narrate.Level, error) {
	switch name {
	case "":
		return narrate.Short, nil
	case "none":
		return silent, nil
	}
	level, err := narrate.ParseLevel(name)
	if err != nil {
		return 0, fmt.Errorf("choose narration: %w", err)
	}
	return level, nil
}

// play is the loop over the steps. The place behind the last step is the lesson's end.
func (p *player) play() error {
	p.title(p.lesson)
	if p.input != nil {
		p.verdict(p.say(sayKeys))
	}
	for n := 1; n <= len(p.lesson.Steps)+1; {
		err := p.visit(n)
		var move *moveTo
		switch {
		case err == nil:
			n++
		case errors.As(err, &move):
			if err := p.goTo(move.step); err != nil {
				return err
			}
			n = move.step
		default:
			return err
		}
	}
	p.result.Finished = true
	p.summary(p.result)
	return nil
}

// visit shows step n, asks, runs it and asks again. The error is a *moveTo when the learner goes elsewhere.
func (p *player) visit(n int) error {
	if n > len(p.lesson.Steps) {
		for _, b := range p.lesson.Closing {
			if err := p.plain(b); err != nil {
				return err
			}
		}
		return p.wait(p.say(sayEnterFinishes))
	}
	step := p.lesson.Steps[n-1]
	asked, err := p.before(step)
	if err != nil {
		return err
	}
	p.command(n, len(p.lesson.Steps), step.Command)
	if err := p.wait(p.say(sayEnterRuns)); err != nil {
		return err
	}
	if err := p.run(step); err != nil {
		return err
	}
	for _, g := range asked {
		if err := p.settle(g); err != nil {
			return err
		}
	}
	return p.after(step)
}

// run carries out a step for the learner to see: its output, then what the trace says about it.
func (p *player) run(step Step) error {
	out := &paragraph{w: p.out, width: p.width}
	code, err := p.perform(step, out)
	out.end()
	if err != nil {
		return err
	}
	if out.wide && p.input != nil && !p.folded {
		p.folded = true
		p.verdict(p.say(sayFolded, "width", p.width))
	}
	if p.OnStep != nil {
		p.OnStep(step.Number, p.events[p.first:])
	}
	p.narration(p.events[p.first:], p.level)
	if code != step.Exit {
		text := p.say(sayReturned, "code", code, "want", step.Exit)
		if err := p.fault(text); err != nil {
			return err
		}
	}
	if p.Auto {
		return p.declared(p.events[p.first:])
	}
	return nil
}

// fault ends the lesson with Auto; otherwise the learner is told.
func (p *player) fault(text string) error {
	if p.Auto {
		return &FailedError{p.lesson.ID, p.done, text}
	}
	p.line(p.say(sayNotPlanned, "what", text))
	return nil
}

// before goes through what stands before a command, and returns the predictions to settle afterwards.
func (p *player) before(step Step) ([]guess, error) {
	var asked []guess
	for _, b := range step.Before {
		if b.Predict == nil {
			if err := p.plain(b); err != nil {
				return nil, err
			}
			continue
		}
		g, err := p.ask(b.Predict)
		if err != nil {
			return nil, err
		}
		asked = append(asked, g)
	}
	return asked, nil
}

// after goes through what follows a command.
func (p *player) after(step Step) error {
	for _, b := range step.After {
		var err error
		switch {
		case b.Check != nil:
			err = p.check(b.Check)
		case b.Evidence != nil:
			err = p.askEvidence(b.Evidence)
		default:
			err = p.plain(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plain shows a heading or prose, or writes a file and shows it.
func (p *player) plain(b Block) error {
	if b.Heading != "" {
		p.sectionTitle(b.Heading)
	}
	if b.File != nil {
		if err := p.writeFile(b.File); err != nil {
			return err
		}
		p.file(b.File)
	}
	if b.Prose != "" {
		p.prose(b.Prose)
	}
	return nil
}
