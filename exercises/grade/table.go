package grade

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const width = 80

// Table writes a report for people, in 80 columns.
func (r Report) Table(out io.Writer) error {
	w := &lines{out: out}
	w.line("%-24s %7s  %s", "STUDENT", "POINTS", "VERDICT")
	for _, res := range r.Results {
		points, of := res.Points()
		w.line("%-24s %7s  %s", cut(res.who(), 24), fmt.Sprintf("%d/%d", points, of), cut(res.summary(), width-34))
		if res.Reason != "" {
			w.wrap("    ", res.Reason)
		}
		for _, o := range res.Outcomes {
			if o.State == Solved {
				continue
			}
			w.wrap("    ", o.Exercise+": "+o.why())
		}
		for _, f := range res.AllFlags() {
			w.wrap("    ", "FLAG "+f)
		}
	}
	r.beliefs(w)
	return w.err
}

func (r Result) summary() string {
	if r.Reason != "" {
		return string(Refused)
	}
	if len(r.Outcomes) == 0 {
		return "nothing"
	}
	counts := map[State]int{}
	for _, o := range r.Outcomes {
		counts[o.State]++
	}
	var parts []string
	for _, s := range []State{Solved, Wrong, Refused, Missing} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return strings.Join(parts, ", ")
}

// why is a clause: what a check says that does not hold and what it is taken for, or the reason.
func (o Outcome) why() string {
	if o.State != Wrong {
		return string(o.State) + ": " + clean(o.Reason)
	}
	c, ok := o.FirstFailed()
	if !ok {
		return string(o.State)
	}
	text := "does not hold: " + clean(c.Says)
	if c.Belief != "" {
		text += " (" + clean(c.Belief) + ")"
	}
	return text
}

func (r Report) beliefs(w *lines) {
	if len(r.Beliefs) == 0 {
		return
	}
	w.line("")
	w.line("WHAT THE CLASS BELIEVES")
	for _, b := range r.Beliefs {
		w.wrap("", fmt.Sprintf("%d of %d think: %s", len(b.Students), b.Of, b.Claim))
		w.wrap("    ", fmt.Sprintf("%s, told by %s. %s", b.ID, b.Check, b.Refutation))
	}
}

// lines keeps the first error.
type lines struct {
	out io.Writer
	err error
}

func (w *lines) line(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintln(w.out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

func (w *lines) wrap(indent, text string) {
	at := indent
	for _, word := range strings.Fields(clean(text)) {
		if strings.TrimSpace(at) != "" && utf8.RuneCountInString(at)+1+utf8.RuneCountInString(word) > width {
			w.line("%s", at)
			at = indent + "  "
		}
		if at == indent || at == indent+"  " {
			at += word
		} else {
			at += " " + word
		}
	}
	w.line("%s", at)
}

func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-3]) + "..."
}
