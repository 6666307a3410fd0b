package lessons

import (
	"strconv"
	"strings"
)

// Find returns the lesson with that id or number or, when only one matches, whose id or title begins so, in any
// case. The error is a *NotFoundError.
func Find(all []Header, name string) (Header, error) {
	n, notNumber := strconv.Atoi(name)
	var close []Header
	for _, l := range all {
		if l.ID == name || notNumber == nil && l.Number == n {
			return l, nil
		}
		if name != "" && (hasPrefixFold(l.ID, name) || hasPrefixFold(l.Title, name)) {
			close = append(close, l)
		}
	}
	if len(close) == 1 {
		return close[0], nil
	}
	e := &NotFoundError{Name: name}
	for _, l := range close {
		e.Matches = append(e.Matches, l.ID)
	}
	return Header{}, e
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
