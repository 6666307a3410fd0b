package exercises

import (
	"fmt"
	"time"

	"github.com/learn-containers/learn/lessons"
)

// Report writes a verdict for people: each check, and for one that does not hold what was expected, what was found, the event that caused it with
// its command and time, where it can be seen, and what the misconception behind it is worth.
func (v Verdict) Report(p lessons.Page, catalogue map[string]lessons.Misconception) {
	p.Verdict(v.headline())
	for _, f := range v.Findings {
		if f.Holds {
			p.Bullet("holds: " + f.Check.Says)
		}
	}
	for _, f := range v.Findings {
		if !f.Holds {
			f.report(p, catalogue)
		}
	}
}

func (v Verdict) headline() string {
	holds := 0
	for _, f := range v.Findings {
		if f.Holds {
			holds++
		}
	}
	if holds == len(v.Findings) {
		return fmt.Sprintf("Solved: all %d checks hold.", holds)
	}
	return fmt.Sprintf("Not yet: %d of %d checks hold.", holds, len(v.Findings))
}

func (f Finding) report(p lessons.Page, catalogue map[string]lessons.Misconception) {
	p.Verdict("Expected: " + f.Check.Says + ".")
	for _, r := range f.Reasons {
		p.Bullet("found: " + r)
	}
	for _, text := range f.Proof {
		p.Bullet(text)
	}
	if f.Event != nil {
		p.Bullet("cause: " + lessons.EventLine(*f.Event))
	}
	if f.Command != nil {
		p.Bullet(fmt.Sprintf("in the command: %s, %s after the exercise's first event", commandLine(f.Command), f.Command.At.Round(10*time.Millisecond)))
	}
	if f.File != "" {
		p.Bullet("to be seen in: " + f.File)
	}
	if f.Says != "" {
		p.Line(f.Says)
	}
	if m, ok := catalogue[f.Belief]; ok {
		p.Line(fmt.Sprintf("Perhaps you believed: %q. %s %s", m.Claim, m.Refutation, m.Evidence))
	}
}

// Beliefs are the misconceptions that the failing checks fit, each once.
func (v Verdict) Beliefs() []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, f := range v.Findings {
		if !f.Holds && !seen[f.Belief] {
			seen[f.Belief] = true
			out = append(out, f.Belief)
		}
	}
	return out
}
