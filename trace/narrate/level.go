package narrate

import "fmt"

// Level is how much a narration tells.
type Level int

// The levels, each with everything of the one before.
const (
	Short  Level = iota // one sentence in plain words, about what a beginner needs
	Full                // also why it matters and what to look at, sizes and digests
	Kernel              // also every system call, file and process
)

// ParseLevel reads a level's name: short, full or kernel.
func ParseLevel(s string) (Level, error) {
	for _, l := range []Level{Short, Full, Kernel} {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("read level %.20q: want short, full or kernel", s)
}

// String is the name that ParseLevel reads.
func (l Level) String() string {
	switch l {
	case Short:
		return "short"
	case Full:
		return "full"
	}
	return "kernel"
}
