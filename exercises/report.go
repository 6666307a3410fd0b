package exercises

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace/narrate"
)

// Report writes a verdict for people: each check, and for the first that does not hold what was expected, what was found, the event that caused it with
// its command and time, where it can be seen, and what the misconception behind it is worth. Those after it often fail for the same reason, so they
// are only named.
func (v Verdict) Report(p lessons.Page, catalogue map[string]lessons.Misconception) {
	p.Verdict(v.headline())
	first := v.First()
	for i := range v.Findings {
		switch f := &v.Findings[i]; {
		case f.Holds:
			p.Bullet("holds: " + f.Check.Says)
		case f == first:
			p.Bullet("DOES NOT HOLD: " + f.Check.Says)
		default:
			p.Bullet("not yet: " + f.Check.Says)
		}
	}
	if first != nil {
		first.report(p, v, catalogue)
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

func (f Finding) report(p lessons.Page, v Verdict, catalogue map[string]lessons.Misconception) {
	p.Verdict("Expected: " + f.Check.Says + ".")
	found := f.Proof
	if len(found) == 0 {
		found = f.Reasons
	}
	for _, text := range found {
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		p.Bullet("found: " + narrate.Clean(lines[0]))
		for _, more := range lines[1:min(len(lines), maxShown)] {
			p.Raw("      " + narrate.Clean(more))
		}
		if len(lines) > maxShown {
			p.Raw(fmt.Sprintf("      and %d lines more", len(lines)-maxShown))
		}
	}
	if f.Event != nil {
		p.Bullet("cause: " + lessons.EventLine(*f.Event))
	}
	if f.Command != nil {
		p.Bullet(fmt.Sprintf("in the command: %s, %s after the exercise's first event", commandLine(f.Command), f.Command.At.Round(10*time.Millisecond)))
	}
	if f.File != "" {
		p.Bullet("to be seen in: " + v.path(f.File))
	}
	if f.Says != "" {
		p.Line(f.Says)
	}
	if m, ok := catalogue[f.Belief]; ok {
		p.Line(fmt.Sprintf("Perhaps you believed: %s %s %s", m.Claim, m.Refutation, m.Evidence))
	}
}

// maxShown is how many lines of one value are shown.
const maxShown = 8

// path is where a file of a finding lies on this machine.
func (v Verdict) path(file string) string {
	if own, ok := strings.CutPrefix(file, "./"); ok {
		return path.Join(filepath.ToSlash(v.Folder), own)
	}
	return path.Join(v.Home, file)
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
