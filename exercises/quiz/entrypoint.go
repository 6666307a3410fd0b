package quiz

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace/vocab"
)

// entrypointTopic asks which words a container runs, of ENTRYPOINT, CMD and the command line.
type entrypointTopic struct{}

func (entrypointTopic) Topic() string { return "entrypoint" }

// program is one way to say what a container runs. Empty parts are not there.
type program struct {
	entry, cmd, args []string
	shellEntry       bool // the shell form
	shellCmd         bool
	option           string // --entrypoint
}

func (entrypointTopic) Make(r *rand.Rand, difficulty int) Plan {
	p := newProgram(r, difficulty)
	lines := p.lines()
	run := []string{"docker", "run"}
	if p.option != "" {
		run = append(run, "--entrypoint", p.option)
	}
	run = append(append(run, "app"), p.args...)
	plan := Plan{
		Steps: []Step{
			{Files: []File{dockerfile(lines)}, Argv: build("app")},
			{Argv: run},
		},
		Prompt: "This Dockerfile is built as app:\n\n" + numbered(lines) + "\nThen:\n\n    " + strings.Join(run, " ") + "\n\nWhich words does the container run?",
	}
	plan.Choices = p.choices()
	plan.Key = func(ran Ran) (Finding, error) {
		for i, e := range ran.Last {
			if e.Kind == vocab.ContainerCreate {
				return one(list(e.Attr("command").List()), ran.Last[i:i+1]), nil
			}
		}
		return Finding{}, fmt.Errorf("the trace has no container")
	}
	return plan
}

func newProgram(r *rand.Rand, difficulty int) program {
	w := words(r, 4)
	p := program{entry: []string{"echo", w[0]}, cmd: []string{w[1]}}
	switch kind := r.IntN(1 + difficulty); kind {
	case 0:
		p.entry, p.cmd = nil, []string{"echo", w[1]}
		p.args = []string{"echo", w[2]}
	case 1:
		p.args = []string{w[2]}
	case 2: // both from the image
	case 3:
		p.option, p.args = "echo", []string{w[2]}
	case 4:
		p.shellEntry, p.args = true, []string{w[2]}
	default:
		p.entry, p.cmd, p.shellCmd = nil, []string{"echo", w[1], "$HOME"}, true
	}
	return p
}

func (p program) lines() []string {
	lines := []string{"FROM learn/base"}
	if p.entry != nil {
		lines = append(lines, "ENTRYPOINT "+form(p.entry, p.shellEntry))
	}
	return append(lines, "CMD "+form(p.cmd, p.shellCmd))
}

func form(words []string, shell bool) string {
	if shell {
		return strings.Join(words, " ")
	}
	return list(words)
}

// choices are the ways in which people put the parts together.
func (p program) choices() []Choice {
	entry, cmd := shelled(p.entry, p.shellEntry), shelled(p.cmd, p.shellCmd)
	if p.shellEntry || p.shellCmd {
		return p.shellChoices(entry, cmd)
	}
	if p.option != "" {
		option := []string{p.option}
		return []Choice{
			{list(join(option, p.args)), ""}, {list(join(option, cmd, p.args)), "M-ENTRYPOINT-KEEPS-CMD"}, {list(join(option, cmd)), "M-ENTRYPOINT-KEEPS-CMD"},
			{list(join(option, entry, p.args)), "M-ARGS-REPLACE-ENTRYPOINT"},
		}
	}
	if p.args == nil {
		return []Choice{{list(join(entry, cmd)), ""}, {list(entry), "M-CMD-AT-BUILD"}, {list(cmd), "M-ARGS-REPLACE-ENTRYPOINT"}}
	}
	return []Choice{
		{list(join(entry, p.args)), ""}, {list(join(entry, cmd, p.args)), "M-CMD-APPENDS"}, {list(p.args), "M-ARGS-REPLACE-ENTRYPOINT"},
	}
}

func (p program) shellChoices(entry, cmd []string) []Choice {
	if p.shellCmd {
		return []Choice{{list(cmd), ""}, {list(p.cmd), "M-SHELL-FORM-SAME"}, {list([]string{p.cmd[0], p.cmd[1], "/root"}), "M-EXEC-EXPANDS"}}
	}
	return []Choice{
		{list(join(entry, p.args)), ""}, {list(join(p.entry, p.args)), "M-SHELL-FORM-SAME"}, {list([]string{"/bin/sh", "-c", strings.Join(join(p.entry, p.args), " ")}), "M-SHELL-ENTRYPOINT-ARGS"},
		{list(join(entry, cmd, p.args)), "M-CMD-APPENDS"},
	}
}

func shelled(words []string, shell bool) []string {
	if shell {
		return []string{"/bin/sh", "-c", strings.Join(words, " ")}
	}
	return words
}

func join(parts ...[]string) []string { return slices.Concat(parts...) }

// list shows words as the exec form does. Strings always have JSON.
func list(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		data, err := json.Marshal(w)
		if err != nil {
			return fmt.Sprint(words)
		}
		quoted[i] = string(data)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
