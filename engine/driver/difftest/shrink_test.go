package difftest

import (
	"fmt"
	"slices"
	"strings"
)

// String shows a scenario a line for each entry and operation.
func (s scenario) String() string {
	var b strings.Builder
	for n, items := range s.Layers {
		fmt.Fprintf(&b, "layer %d\n", n)
		for _, i := range items {
			fmt.Fprintf(&b, "\t%s\n", i)
		}
	}
	for n, o := range s.Ops {
		fmt.Fprintf(&b, "%d: %s\n", n, o)
	}
	return b.String()
}

// shrink leaves away what it can while fails still says yes, at most tries times.
func shrink(s scenario, tries int, fails func(scenario) bool) scenario {
	test := func(c scenario) bool {
		tries--
		return tries >= 0 && fails(c)
	}
	for before := -1; before != s.size(); {
		before = s.size()
		s.Ops = fewer(s.Ops, func(ops []op) bool { return test(scenario{s.Layers, ops}) })
		s.Layers = fewer(s.Layers, func(l [][]item) bool { return test(scenario{l, s.Ops}) })
		for n := range s.Layers {
			with := func(items []item) [][]item {
				c := slices.Clone(s.Layers)
				c[n] = items
				return c
			}
			s.Layers[n] = fewer(s.Layers[n], func(items []item) bool { return test(scenario{with(items), s.Ops}) })
		}
	}
	return s
}

func (s scenario) size() int {
	n := len(s.Ops) + len(s.Layers)
	for _, l := range s.Layers {
		n += len(l)
	}
	return n
}

// fewer drops as much of a list as it can, in halves, quarters and so on, while ok holds.
func fewer[T any](list []T, ok func([]T) bool) []T {
	for size := len(list); size > 0; size /= 2 {
		for at := 0; at < len(list); {
			end := min(at+size, len(list))
			if c := slices.Concat(list[:at], list[end:]); ok(c) {
				list = c
			} else {
				at = end
			}
		}
	}
	return list
}
