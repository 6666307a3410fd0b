package quiz

import (
	"fmt"
	"slices"
)

// settle finds the right choices and proves that the question is a good one.
func (q *Question) settle(key []string) error {
	index := map[string]int{}
	for i, c := range q.Choices {
		if _, twice := index[c.Text]; twice {
			return fmt.Errorf("two choices are %q; expected different ones", c.Text)
		}
		index[c.Text] = i
	}
	q.Right = nil
	for _, k := range key {
		i, ok := index[k]
		if !ok {
			return fmt.Errorf("the engine says %q, which is no choice", k)
		}
		if slices.Contains(q.Right, i) {
			return fmt.Errorf("the engine says %q twice; expected each choice once", k)
		}
		q.Right = append(q.Right, i)
	}
	switch {
	case len(q.Right) == 0:
		return fmt.Errorf("the engine says nothing; expected a choice")
	case len(q.Choices) < 2:
		return fmt.Errorf("%q is the only choice; expected at least two", key[0])
	case len(q.Evidence) == 0:
		return fmt.Errorf("no event proves the key %q", key)
	case q.Kind == ByOrder:
		return q.settleOrder()
	}
	return q.settleChoices()
}

func (q *Question) settleChoices() error {
	if q.Kind != ByMulti && len(q.Right) != 1 {
		return fmt.Errorf("%d choices are right; expected one", len(q.Right))
	}
	if q.Kind == ByMulti {
		slices.Sort(q.Right)
		if len(q.Right) == len(q.Choices) {
			return fmt.Errorf("all choices are right; expected a wrong one")
		}
	}
	for i, c := range q.Choices {
		if c.Belief == "" && (q.Kind == ByMulti || !slices.Contains(q.Right, i)) {
			return fmt.Errorf("the wrong choice %q has no misconception", c.Text)
		}
	}
	return nil
}

// settleOrder keeps those of the wrong orders that are wrong indeed.
func (q *Question) settleOrder() error {
	if len(q.Right) != len(q.Choices) {
		return fmt.Errorf("%d of %d choices have a place in the order; expected all", len(q.Right), len(q.Choices))
	}
	right := q.texts(q.Right)
	q.Orders = slices.DeleteFunc(slices.Clone(q.Orders), func(s Sequence) bool { return slices.Equal(s.Texts, right) })
	if len(q.Orders) == 0 {
		return fmt.Errorf("there is no wrong order with a misconception; expected at least one")
	}
	return nil
}

func (q *Question) texts(of []int) []string {
	var out []string
	for _, i := range of {
		out = append(out, q.Choices[i].Text)
	}
	return out
}
