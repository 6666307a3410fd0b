package grade

import (
	"cmp"
	"maps"
	"slices"
)

// Count fills in the beliefs of a class: those of most students first. A student counts once for each, and only the first check of an exercise that does
// not hold: those behind it often fail for the same reason.
func (r *Report) Count() {
	graded := 0
	students, checks := map[string][]string{}, map[string]map[string]int{}
	for _, res := range r.Results {
		if !res.graded() {
			continue
		}
		graded++
		for _, o := range res.Outcomes {
			c, ok := o.FirstFailed()
			if !ok || c.Belief == "" {
				continue
			}
			if !slices.Contains(students[c.Belief], res.Student) {
				students[c.Belief] = append(students[c.Belief], res.Student)
			}
			if checks[c.Belief] == nil {
				checks[c.Belief] = map[string]int{}
			}
			checks[c.Belief][o.Exercise+"/"+c.ID]++
		}
	}
	r.Beliefs = []Belief{}
	for id, who := range students {
		m := r.Misconception[id]
		r.Beliefs = append(r.Beliefs, Belief{ID: id, Claim: m.Claim, Refutation: m.Refutation, Check: most(checks[id]), Students: who, Of: graded})
	}
	slices.SortFunc(r.Beliefs, func(a, b Belief) int {
		return cmp.Or(-cmp.Compare(len(a.Students), len(b.Students)), cmp.Compare(a.ID, b.ID))
	})
}

func (r Result) graded() bool {
	return slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return o.State == Solved || o.State == Wrong })
}

// FirstFailed is the first check that does not hold but tells a belief, else the first that does not hold.
func (o Outcome) FirstFailed() (Check, bool) {
	var first *Check
	for i, c := range o.Checks {
		if c.Holds {
			continue
		}
		if c.Belief != "" {
			return c, true
		}
		if first == nil {
			first = &o.Checks[i]
		}
	}
	if first == nil {
		return Check{}, false
	}
	return *first, true
}

func most(counts map[string]int) string {
	best := ""
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if best == "" || counts[k] > counts[best] {
			best = k
		}
	}
	return best
}
