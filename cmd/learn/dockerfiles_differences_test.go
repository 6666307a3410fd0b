package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// difference is a line of the list of known differences: which cases (a pattern as of path.Match), which peers, in what, and why. In what is
// a list of build, tree, config and layers; or skip, where the peer must not be tried; or ~REGEXP for lines that count on neither side.
type difference struct {
	pattern, peers, aspect, reason string
	seen                           bool
}

func readDifferences(t *testing.T) []*difference {
	data, err := os.ReadFile(filepath.Join(tableDir, "differences.txt"))
	check(t, err)
	var list []*difference
	for _, l := range directives(data) {
		f := strings.Fields(l)
		if len(f) < 4 {
			t.Fatalf("differences.txt: %q: expected CASES PEERS ASPECTS REASON", l)
		}
		list = append(list, &difference{pattern: f[0], peers: f[1], aspect: f[2], reason: strings.Join(f[3:], " ")})
	}
	return list
}

// about lists the differences that name a case and a peer.
func about(list []*difference, id, peer string) []*difference {
	var found []*difference
	for _, d := range list {
		if ok, _ := path.Match(d.pattern, id); ok && slices.Contains(strings.Split(d.peers, ","), peer) {
			found = append(found, d)
		}
	}
	return found
}

// listed tells whether a difference in an aspect is known.
func listed(list []*difference, aspect string) bool {
	found := false
	for _, d := range list {
		if slices.Contains(strings.Split(d.aspect, ","), aspect) {
			d.seen, found = true, true
		}
	}
	return found
}

// uncounted drops the lines that count on neither side.
func uncounted(list []*difference, lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return slices.ContainsFunc(list, func(d *difference) bool {
			pattern, ok := strings.CutPrefix(d.aspect, "~")
			ok = ok && regexp.MustCompile(pattern).MatchString(l)
			d.seen = d.seen || ok
			return ok
		})
	})
}

// reportUnseen names what is listed and was not met. Another release of a peer may have mended it, so it is no failure.
func reportUnseen(t *testing.T, p peer, differences []*difference) {
	for _, d := range differences {
		if !d.seen && slices.Contains(strings.Split(d.peers, ","), p.name) {
			t.Logf("differences.txt: %s %s %s: not met", d.pattern, d.peers, d.aspect)
		}
	}
}
