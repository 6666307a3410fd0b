package lessons

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/trace/narrate"
)

// moveTo is how a prompt says that the learner wants to be right before another step.
type moveTo struct{ step int }

func (m *moveTo) Error() string { return fmt.Sprintf("go to step %d", m.step) }

// errQuit ends a lesson early because the learner said so, or because the input ended.
var errQuit = errors.New("quit")

// wait lets the learner decide to go on. The error is a *moveTo or errQuit if it is something else.
func (p *player) wait(hint string) error {
	if p.Auto {
		return nil
	}
	for {
		line, err := p.read(hint)
		if err != nil {
			return err
		}
		if line == "" || line == "n" || line == "next" {
			return nil
		}
		p.line(p.say(sayNoKey, "key", narrate.Clean(line), "keys", p.say(sayKeys)))
	}
}

// read takes one line. Keys that only show something are dealt with here; b and g give a *moveTo, q gives errQuit.
func (p *player) read(prompt string) (string, error) {
	for {
		p.prompt(prompt)
		if !p.input.Scan() {
			p.line("")
			return "", errors.Join(errQuit, p.input.Err())
		}
		if err := p.ctx.Err(); err != nil {
			return "", err
		}
		line := strings.TrimSpace(p.input.Text())
		key, rest, _ := strings.Cut(line, " ")
		switch key {
		case "q", "quit":
			return "", errQuit
		case "b", "back":
			return "", &moveTo{max(p.done, 1)}
		case "g", "goto":
			if to, err := strconv.Atoi(strings.TrimSpace(rest)); err == nil && to >= 1 && to <= len(p.lesson.Steps) {
				return "", &moveTo{to}
			}
			p.line(p.say(sayGoTakes, "last", len(p.lesson.Steps)))
		case "?", "h", "help":
			p.raw(p.say(sayHelp))
		case "w", "why":
			p.why()
		case "e", "evidence":
			p.evidenceList()
		default:
			return line, nil
		}
	}
}
