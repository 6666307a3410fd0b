package quiz

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// How says how an answer is written.
func (q Question) How() string {
	switch q.Kind {
	case ByMulti:
		return "the numbers of all that are right, such as 1 3"
	case ByOrder:
		return "all numbers in their order, such as " + q.anOrder()
	}
	return "a number"
}

func (q Question) anOrder() string {
	var all []string
	for i := len(q.Choices); i > 0; i-- {
		all = append(all, strconv.Itoa(i))
	}
	return strings.Join(all, " ")
}

// Judge reads an answer: numbers of choices or, where a number is asked for, that number. belief is the misconception
// that a wrong answer comes from, empty if it is none of the known ones. The error says what was expected.
func (q Question) Judge(given string) (right bool, belief string, err error) {
	if q.Kind == ByNumber {
		return q.judgeNumber(given)
	}
	chosen, err := q.chosen(given)
	if err != nil {
		return false, "", err
	}
	switch q.Kind {
	case ByMulti:
		slices.Sort(chosen)
		return slices.Equal(chosen, q.Right), q.beliefOfSome(chosen), nil
	case ByOrder:
		return slices.Equal(chosen, q.Right), q.beliefOfOrder(chosen), nil
	}
	right, belief = q.verdict(chosen[0])
	return right, belief, nil
}

func (q Question) judgeNumber(given string) (bool, string, error) {
	n, err := strconv.Atoi(strings.TrimSpace(given))
	if err != nil || n < 0 {
		return false, "", fmt.Errorf("%q is no answer; expected a number, 0 or greater", given)
	}
	for i, c := range q.Choices {
		if c.Text == strconv.Itoa(n) {
			right, belief := q.verdict(i)
			return right, belief, nil
		}
	}
	return false, "", nil
}

// chosen are the indexes of the choices that an answer names.
func (q Question) chosen(given string) ([]int, error) {
	var chosen []int
	for _, word := range strings.FieldsFunc(given, func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\t' }) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > len(q.Choices) || slices.Contains(chosen, n-1) {
			return nil, q.unreadable(given)
		}
		chosen = append(chosen, n-1)
	}
	if n := len(chosen); n == 0 || q.Kind == ByChoice && n != 1 || q.Kind == ByOrder && n != len(q.Choices) {
		return nil, q.unreadable(given)
	}
	return chosen, nil
}

func (q Question) unreadable(given string) error {
	switch q.Kind {
	case ByMulti:
		return fmt.Errorf("%q is no answer; expected numbers from 1 to %d, each at most once", given, len(q.Choices))
	case ByOrder:
		return fmt.Errorf("%q is no answer; expected the numbers from 1 to %d in some order", given, len(q.Choices))
	}
	return fmt.Errorf("%q is no answer; expected a number from 1 to %d", given, len(q.Choices))
}

func (q Question) verdict(i int) (bool, string) {
	if slices.Contains(q.Right, i) {
		return true, ""
	}
	return false, q.Choices[i].Belief
}

// beliefOfSome is that of the first wrong one that was chosen or, without one, of the first right one that was not.
func (q Question) beliefOfSome(chosen []int) string {
	for _, i := range chosen {
		if !slices.Contains(q.Right, i) {
			return q.Choices[i].Belief
		}
	}
	for _, i := range q.Right {
		if !slices.Contains(chosen, i) {
			return q.Choices[i].Belief
		}
	}
	return ""
}

func (q Question) beliefOfOrder(chosen []int) string {
	given := q.texts(chosen)
	for _, s := range q.Orders {
		if slices.Equal(s.Texts, given) {
			return s.Belief
		}
	}
	return ""
}

// Key is the text of the right answer.
func (q Question) Key() string {
	switch q.Kind {
	case ByOrder:
		return strings.Join(q.texts(q.Right), ", then ")
	case ByMulti:
		return strings.Join(q.texts(q.Right), "; ")
	}
	return q.Choices[q.Right[0]].Text
}
