package reach

// State says what was found of a link.
type State string

// The states.
const (
	OK      State = "ok"
	Missing State = "missing"
	Limited State = "limited" // it leads there for some, not for everybody
	Unknown State = "unknown" // nobody could look
)

// Step is one link of a way.
type Step struct {
	State    State
	Says     string   // what was found, a sentence without its full stop
	Expected string   `json:",omitempty"`
	Found    string   `json:",omitempty"`
	Evidence string   `json:",omitempty"` // the file, rule or command that shows it
	Mend     []string `json:",omitempty"` // what to do, each for itself
}

// Way is how somebody gets to a container.
type Way struct {
	Title string
	Steps []Step
}

// Broken reports whether a link is missing.
func (w Way) Broken() bool {
	for _, s := range w.Steps {
		if s.State == Missing {
			return true
		}
	}
	return false
}

// Examine follows the ways that f asks about: from another container, or from outside to each port that may be meant.
func Examine(f Facts) []Way {
	if f.From != nil {
		return []Way{f.fromNeighbour()}
	}
	var ways []Way
	for _, p := range f.outside() {
		ways = append(ways, f.fromOutside(p))
	}
	return ways
}

func (w *Way) add(steps ...Step) { w.Steps = append(w.Steps, steps...) }
