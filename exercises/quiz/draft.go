package quiz

import (
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace"
)

// draft puts a plan together in the order in which its prompt is read.
type draft struct {
	plan  Plan
	parts []string // of the prompt; parted by an empty line
	files []File   // for the next step
	block bool     // the last part is a block of commands
}

// say adds a paragraph.
func (d *draft) say(format string, args ...any) {
	d.parts = append(d.parts, fmt.Sprintf(format, args...))
	d.block = false
}

// file shows a file and writes it before the next step.
func (d *draft) file(path string, lines ...string) {
	d.files = append(d.files, File{path, strings.Join(lines, "\n") + "\n"})
	d.parts = append(d.parts, "    "+strings.Join(lines, "\n    "))
	d.block = false
}

// dockerfile shows a Dockerfile with numbers at its lines and builds it under a name, which the text before it says.
func (d *draft) dockerfile(name string, lines ...string) {
	d.parts = append(d.parts, strings.TrimRight(numbered(lines), "\n"))
	d.files = append(d.files, dockerfile(lines))
	d.step(build(name)...)
	d.block = false
}

// image builds a Dockerfile without showing it.
func (d *draft) image(name string, lines ...string) {
	d.files = append(d.files, dockerfile(lines))
	d.step(build(name)...)
}

// run shows a command line, without the word docker, and carries it out.
func (d *draft) run(format string, args ...any) {
	line := "docker " + fmt.Sprintf(format, args...)
	d.show(line)
	d.step(fields(line)...)
}

// tries is run for the command that is asked about: it may fail.
func (d *draft) tries(format string, args ...any) {
	d.run(format, args...)
	d.plan.Steps[len(d.plan.Steps)-1].MayFail = true
}

// step carries a command out that the prompt does not show.
func (d *draft) step(argv ...string) {
	d.plan.Steps = append(d.plan.Steps, Step{Files: d.files, Argv: argv})
	d.files = nil
}

func (d *draft) show(line string) {
	if d.block {
		d.parts[len(d.parts)-1] += "\n    " + line
		return
	}
	d.parts, d.block = append(d.parts, "    "+line), true
}

// asks ends the prompt by the question itself.
func (d *draft) asks(kind Kind, format string, args ...any) {
	d.say(format, args...)
	d.plan.Kind = kind
}

// choice adds a choice; one that can only be right has no belief.
func (d *draft) choice(text, belief string) {
	d.plan.Choices = append(d.plan.Choices, Choice{text, belief})
}

// done is the plan with its key.
func (d *draft) done(key func(Ran) (Finding, error)) Plan {
	d.plan.Prompt, d.plan.Key = strings.Join(d.parts, "\n\n"), key
	return d.plan
}

// printed is the key of a question about what the last command prints; failed is the choice for one that fails. proof picks the events
// that prove it.
func printed(failed string, proof func(Ran) []trace.Event) func(Ran) (Finding, error) {
	return func(ran Ran) (Finding, error) {
		if ran.Code != 0 {
			return one(failed, proof(ran)), nil
		}
		return one(strings.Join(strings.Fields(ran.Out), " "), proof(ran)), nil
	}
}

// kinds picks the events of some kinds out of a question's whole trace.
func kinds(of ...string) func(Ran) []trace.Event {
	return func(ran Ran) []trace.Event { return someOf(ran.Events, of...) }
}

// lastly picks the events of some kinds out of the last step.
func lastly(of ...string) func(Ran) []trace.Event {
	return func(ran Ran) []trace.Event { return someOf(ran.Last, of...) }
}

// someOf leaves out the beginnings of steps: their ends say more.
func someOf(events []trace.Event, of ...string) []trace.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e trace.Event) bool {
		return e.Phase == trace.Begin || !slices.Contains(of, e.Kind)
	})
}
