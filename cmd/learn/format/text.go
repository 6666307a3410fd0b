package format

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker/go-units"
)

// ID shortens a digest or a container id to the 12 characters that docker shows.
func ID(id string) string {
	if _, hex, ok := strings.Cut(id, ":"); ok {
		id = hex
	}
	return id[:min(12, len(id))]
}

// Size formats bytes as docker does: decimal units, three digits.
func Size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

// Sum formats bytes as docker does where it adds up, in totals of prune and system df: with four digits.
func Sum(n int64) string { return units.HumanSize(float64(n)) }

// Ago formats how long ago t was: "2 minutes ago"; "N/A" for no time.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return units.HumanDuration(now.Sub(t)) + " ago"
}

// Status is the STATUS column of docker ps.
func Status(state string, exitCode int, started, finished, now time.Time) string {
	switch state {
	case "running":
		return "Up " + units.HumanDuration(now.Sub(started))
	case "paused":
		return "Up " + units.HumanDuration(now.Sub(started)) + " (Paused)"
	case "restarting":
		return "Restarting (" + strconv.Itoa(exitCode) + ") " + Ago(finished, now)
	case "exited":
		return "Exited (" + strconv.Itoa(exitCode) + ") " + Ago(finished, now)
	case "removing":
		return "Removal In Progress"
	case "dead":
		return "Dead"
	}
	return "Created"
}

// Ellipsis cuts s to n characters, the last of which is then an ellipsis.
func Ellipsis(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// Clean makes control characters visible, so that a name or a command line from outside can't steer the terminal; bytes that are no UTF-8, and
// characters that turn the direction of writing, too.
func Clean(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, control) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case control(r):
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func control(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x61c || r >= 0x200e && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Cleaner writes to a terminal what comes from outside: line breaks and tabs stay, other control characters become visible.
type Cleaner struct{ To io.Writer }

// Write cleans p, whose characters must be whole.
func (c Cleaner) Write(p []byte) (int, error) {
	var b strings.Builder
	for line := range strings.Lines(string(p)) {
		text, end := strings.CutSuffix(line, "\n")
		for i, cell := range strings.Split(text, "\t") {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(Clean(cell))
		}
		if end {
			b.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(c.To, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
