package author

import (
	"slices"
	"strings"

	"github.com/learn-containers/learn/lessons"
)

// What a lesson has at least.
const (
	leastPredictions = 2
	leastEvidence    = 1
	leastChecks      = 3
)

// header looks at what the front matter must tell a reader.
func (k *checker) header() {
	if k.draft.Number == 0 {
		k.warn(1, "the folder's name has no number; expected one such as 20-%s, which orders the lessons", k.draft.ID)
	}
	if k.draft.Minutes <= 0 {
		k.warn(k.headerLine("minutes"), "the lesson has no minutes; expected how long it takes, such as minutes: 10")
	}
}

// needs must name lessons that come before.
func (k *checker) needs() {
	line := k.headerLine("needs")
	before := k.course.before(k.draft)
	for _, id := range k.draft.Needs {
		other, ok := k.course.find(id)
		switch {
		case !ok:
			k.fault(line, "needs names %q, and there is no such lesson; expected the id of an earlier one", id)
		case id == k.draft.ID:
			k.fault(line, "the lesson needs itself; expected the ids of earlier ones")
		case k.draft.Number > 0 && !slices.ContainsFunc(before, func(d Draft) bool { return d.ID == id }):
			k.fault(line, "needs names %q, which is lesson %d and comes later than this one, %d", id, other.Number, k.draft.Number)
		}
	}
}

// revealed lists the misconceptions that answers reveal, each with the line of its question.
func (k *checker) revealed() map[string]int {
	out := map[string]int{}
	k.blocks(func(b lessons.Block) {
		var ids []string
		switch {
		case b.Predict != nil:
			for _, c := range b.Predict.Choices {
				ids = append(ids, c.Reveals)
			}
		case b.Evidence != nil:
			ids = append(ids, b.Evidence.Reveals)
		}
		for _, id := range ids {
			if _, has := out[id]; id != "" && !has {
				out[id] = k.lineWith(b.Line, id)
			}
		}
	})
	return out
}

// beliefs must be in the catalogue, and the lesson's targets asked about.
func (k *checker) beliefs() {
	revealed := k.revealed()
	for id, line := range revealed {
		if _, ok := k.course.beliefs[id]; !ok {
			k.fault(line, "%s is not in misconceptions.yaml; expected it there with claim, refutation and evidence", id)
		}
	}
	for _, id := range k.draft.Targets {
		if _, asked := revealed[id]; asked {
			continue
		}
		line := k.headerLine("targets")
		if _, ok := k.course.beliefs[id]; !ok {
			k.fault(line, "target %s is not in misconceptions.yaml; expected it there with claim, refutation and evidence", id)
		}
		k.fault(line, "no question is about target %s; expected a choice that ends with {%s}, or reveals: %s", id, id, id)
	}
}

// questions must be there: learning happens at predictions, and a claim without evidence is only believed.
func (k *checker) questions() {
	predictions, evidence, checks := 0, 0, 0
	k.blocks(func(b lessons.Block) {
		switch {
		case b.Predict != nil:
			predictions++
		case b.Evidence != nil:
			evidence++
		case b.Check != nil:
			checks++
		}
	})
	for _, c := range []struct {
		name        string
		have, least int
	}{{"predict", predictions, leastPredictions}, {"evidence", evidence, leastEvidence}, {"check", checks, leastChecks}} {
		if c.have < c.least {
			k.fault(1, "the lesson has %d %s blocks; expected at least %d", c.have, c.name, c.least)
		}
	}
}

// askedAgain: a lesson that builds on others asks about a misconception of one of them once more.
func (k *checker) askedAgain() {
	if len(k.draft.Needs) == 0 {
		return
	}
	revealed := k.revealed()
	for _, earlier := range k.course.before(k.draft) {
		if slices.ContainsFunc(earlier.Targets, func(id string) bool { return revealed[id] > 0 }) {
			return
		}
	}
	k.fault(k.headerLine("needs"), "no question of an earlier lesson is asked again; expected a choice that reveals one of the targets of %s", strings.Join(k.draft.Needs, ", "))
}

// intents: before a command stands what it is for. Commands with nothing between them share that.
func (k *checker) intents() {
	together := false
	for _, s := range k.draft.Steps {
		together = together && len(s.Before) == 0
		told := slices.ContainsFunc(s.Before, func(b lessons.Block) bool { return b.Prose != "" || b.Predict != nil })
		if !told && !together {
			k.fault(s.Line, "nothing says what this step is for; expected a sentence or a prediction before the block")
		}
		together = len(s.After) == 0
	}
}
