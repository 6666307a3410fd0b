package quiz

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// lifecycleTopic asks in which state a container is after some commands, and with which exit code it ended.
type lifecycleTopic struct{}

func (lifecycleTopic) Topic() string { return "lifecycle" }

// story is what is done to a container; the asked command is the last one.
type story struct {
	commands []string // without docker; NAME stands for the container
	choices  []Choice
}

func (lifecycleTopic) Make(r *rand.Rand, difficulty int) Plan {
	if r.IntN(5) == 0 {
		return orderOfStart(r, difficulty)
	}
	code := 1 + r.IntN(99)
	all := append(states(), codes(code)...)
	s := pick(r, all[:min(len(all), 4+2*difficulty)])
	name := words(r, 1)[0]
	p := Plan{Choices: s.choices, Prompt: "These commands are run, one after the other:\n\n"}
	for i, c := range s.commands {
		line := "docker " + strings.ReplaceAll(c, "NAME", name)
		p.Steps = append(p.Steps, Step{Argv: fields(line), MayFail: i == len(s.commands)-1})
		p.Prompt += "    " + line + "\n"
	}
	p.Prompt += "\nHow does the container stand then?"
	withCode := strings.HasPrefix(s.choices[0].Text, "exited with")
	p.Key = func(ran Ran) (Finding, error) { return standing(ran, name, withCode) }
	return p
}

// states are stories that end in a state. Those first are for beginners.
func states() []story {
	const run = "run -d --name NAME learn/base sleep 1000"
	return []story{
		{[]string{"create --name NAME learn/base sleep 1000"}, []Choice{{"created", ""}, {"running", "M-CREATE-RUNS"}, {"paused", "M-CREATE-RUNS"}}},
		{[]string{"run --name NAME learn/base true"}, []Choice{{"exited", ""}, {"running", "M-CONTAINER-BOOTED"}, {gone, "M-EXITED-GONE"}}},
		{[]string{run, "pause NAME"}, []Choice{{"paused", ""}, {"exited", "M-PAUSE-STOPS"}}},
		{[]string{run, "kill NAME"}, []Choice{{"exited", ""}, {gone, "M-EXITED-GONE"}, {"running", "M-CONTAINER-BOOTED"}}},
		{[]string{run, "rm NAME"}, []Choice{{"running", ""}, {gone, "M-RM-STOPS"}, {"exited", "M-RM-STOPS"}}},
		{[]string{run, "kill NAME", "start NAME"}, []Choice{{"running", ""}, {"exited", "M-EXITED-GONE"}, {"paused", "M-STOP-PAUSES"}}},
		{[]string{run, "kill NAME", "rm NAME"}, []Choice{{gone, ""}, {"exited", "M-RM-STOPS"}}},
		{[]string{run, "pause NAME", "unpause NAME"}, []Choice{{"running", ""}, {"exited", "M-PAUSE-STOPS"}}},
		{[]string{run, "rm -f NAME"}, []Choice{{gone, ""}, {"running", "M-RM-STOPS"}, {"exited", "M-RM-STOPS"}}},
		{[]string{"create --name NAME learn/base sleep 1000", "pause NAME"}, []Choice{{"created", ""}, {"paused", "M-CREATE-RUNS"}, {"running", "M-CREATE-RUNS"}}},
	}
}

// codes are stories that end with an exit code.
func codes(code int) []story {
	exited := func(n int) string { return fmt.Sprintf("exited with code %d", n) }
	const (
		loop = "run -d --name NAME learn/base sleep 1000"
		look = "exec NAME ps" // which takes as long as the program needs to settle what signals do to it: that takes a Go program some milliseconds
	)
	return []story{
		{[]string{fmt.Sprintf("run --name NAME learn/base sh -c 'exit %d'", code)}, []Choice{{exited(code), "M-EXIT-DOCKER"}, {exited(0), "M-EXIT-DOCKER"}, {exited(125), "M-EXIT-DOCKER"}}},
		{[]string{loop, "kill NAME"}, []Choice{{exited(137), "M-KILL-ZERO"}, {exited(0), "M-KILL-ZERO"}, {exited(9), "M-EXIT-ALWAYS-PROGRAM"}}},
		{[]string{loop, look, "stop -t 1 NAME"}, []Choice{{exited(137), "M-STOP-KILLS"}, {exited(143), "M-PID1-ORDINARY"}, {exited(0), "M-KILL-ZERO"}}},
		{[]string{"run -d --init --name NAME learn/base sleep 1000", look, "stop NAME"}, []Choice{{exited(143), "M-SIGNAL-NEEDS-HANDLER"}, {exited(137), "M-SIGNAL-NEEDS-HANDLER"}, {exited(0), "M-INIT-RESCUES"}}},
	}
}

// orderOfStart asks in which order a container comes and goes.
func orderOfStart(r *rand.Rand, difficulty int) Plan {
	parts := []struct{ text, kind string }{
		{"an empty writable layer is put on the image's layers", vocab.SnapshotPrepare},
		{"a process is made", vocab.ProcClone},
		{"the image's files become the root folder of the process", vocab.PivotRoot},
		{"the program takes the process over", vocab.ProcExec},
		{"the process ends", vocab.ProcExit},
		{"the writable layer is thrown away", vocab.SnapshotRemove},
	}
	from := r.IntN(3)
	parts = parts[from:min(len(parts), from+3+difficulty/3)]
	d := &draft{}
	d.run("run --rm --name %s learn/base true", words(r, 1)[0])
	d.asks(ByOrder, "In which order do these things happen?")
	swapped := func(i, j int, belief string) {
		s := Sequence{Belief: belief}
		for _, p := range parts {
			s.Texts = append(s.Texts, p.text)
		}
		s.Texts[i], s.Texts[j] = s.Texts[j], s.Texts[i]
		d.plan.Orders = append(d.plan.Orders, s)
	}
	for i, p := range parts {
		d.choice(p.text, "")
		switch {
		case i == 0:
		case p.kind == vocab.ProcExec:
			swapped(i-1, i, "M-ROOT-IS-HOST-VIEW")
		case p.kind == vocab.ProcClone:
			swapped(i-1, i, "M-CONTAINER-BOOTED")
		case p.kind == vocab.ProcExit:
			swapped(i-1, i, "M-IMAGE-RUNS")
		}
	}
	return d.done(func(ran Ran) (Finding, error) {
		var f Finding
		for _, e := range ran.Last {
			for _, p := range parts {
				if e.Kind == p.kind && (e.Kind != vocab.ProcExit || e.Attr("pid").Int() != 0) {
					f.Answers, f.Evidence = append(f.Answers, p.text), append(f.Evidence, e)
				}
			}
		}
		return f, nil
	})
}

const gone = "there is no such container any more"

// fields splits a command line at spaces; what is between single quotes is one word.
func fields(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

// standing reads how the container stands. What proves it is the last change of its state, or its removal.
func standing(ran Ran, name string, withCode bool) (Finding, error) {
	made := slices.IndexFunc(ran.Events, func(e trace.Event) bool {
		return e.Kind == vocab.ContainerCreate && e.Attr("name").Str() == name
	})
	if made < 0 {
		return Finding{}, fmt.Errorf("the trace has no container %s", name)
	}
	id := ran.Events[made].Attr("container").Str()
	f := Finding{Evidence: ran.Events[made : made+1]}
	for i, e := range ran.Events {
		if (e.Kind == vocab.ContainerState || e.Kind == vocab.ContainerRemove) && e.Attr("container").Str() == id {
			f.Evidence = ran.Events[i : i+1]
		}
	}
	c := ran.World.Container(id)
	switch {
	case !c.Exists:
		f.Answers = []string{gone}
	case withCode && c.State == "exited":
		f.Answers = []string{fmt.Sprintf("exited with code %d", c.ExitCode)}
	default:
		f.Answers = []string{c.State}
	}
	return f, nil
}
