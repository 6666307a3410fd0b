package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/network/reach"
)

// writeWays writes how a container is reached, made harmless to print.
func writeWays(out io.Writer, ways []reach.Way) error {
	b := bufio.NewWriter(out)
	if len(ways) == 0 {
		fmt.Fprintln(b, "Nothing in it is there to be reached: no port is published or exposed, and nothing listens.")
	}
	for _, w := range ways {
		writeWay(b, w)
	}
	return b.Flush()
}

// writeWay writes the links of one way in their order, and what to do about those that are missing.
func writeWay(b *bufio.Writer, w reach.Way) {
	line := func(spec string, args ...any) { fmt.Fprintln(b, format.Clean(fmt.Sprintf(spec, args...))) }
	line("%s: %s.", w.Title, wayVerdict(w))
	for _, s := range w.Steps {
		line("  %-8s %s.", s.State, s.Says)
		if s.State == reach.OK {
			continue
		}
		for _, d := range []struct{ name, text string }{{"expected", s.Expected}, {"found", s.Found}, {"see", s.Evidence}} {
			if d.text != "" {
				line("             %-9s %s", d.name, d.text)
			}
		}
	}
	for _, s := range w.Steps {
		for _, m := range s.Mend {
			line("What to do: %s", m)
		}
	}
}

// wayVerdict sums a way up by its worst link.
func wayVerdict(w reach.Way) string {
	has := func(state reach.State) bool {
		return slices.ContainsFunc(w.Steps, func(s reach.Step) bool { return s.State == state })
	}
	switch {
	case has(reach.Missing):
		return "a link is missing"
	case has(reach.Limited):
		return "it is there for some only"
	case has(reach.Unknown):
		return "nothing is missing, as far as can be seen"
	}
	return "nothing is missing on this machine"
}
