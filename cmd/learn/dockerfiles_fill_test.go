package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// fill writes what a peer makes of the cases that have no want section yet, to be read and judged by who adds a case: LEARN_FILL=buildkit. What edits do to the cache is told for
// BuildKit, which prints it.
func fill(t *testing.T, p peer, base *baseImages, file string, cases []*dockerfileCase) {
	path := filepath.Join(tableDir, file+".txtar")
	data, err := os.ReadFile(path)
	check(t, err)
	old, filled := txtar.Parse(data), &txtar.Archive{}
	filled.Comment = old.Comment
	byName := map[string]*dockerfileCase{}
	for _, c := range cases {
		byName[c.name] = c
	}
	var wants []txtar.File // of the case under way: its want, if it was missing, and its edits
	for _, s := range append(old.Files, txtar.File{Name: "case "}) {
		if name, isCase := strings.CutPrefix(s.Name, "case "); isCase {
			filled.Files, wants = append(filled.Files, wants...), nil
			if c := byName[name]; c != nil {
				wants = answer(t, p, base, c, data)
			}
		}
		if s.Name != "case " && (len(wants) == 0 || !strings.HasPrefix(s.Name, "edit ")) {
			filled.Files = append(filled.Files, s)
		}
	}
	check(t, os.WriteFile(path, txtar.Format(filled), 0o644))
}

func answer(t *testing.T, p peer, base *baseImages, c *dockerfileCase, table []byte) []txtar.File {
	if c.want != nil && !bytes.Contains(table, []byte(c.tag())) {
		return nil
	}
	b := newContext(t, c, p)
	r := p.build(b, c.tag())
	if c.want != nil {
		return nil
	}
	var text strings.Builder
	if r.code != 0 {
		fmt.Fprintf(&text, "error ^ERROR: Dockerfile:\n# %s\n", lastLine(r.err))
	} else {
		lines, layers, err := describe(p, base, c)
		check(t, err)
		for _, l := range lines {
			text.WriteString(l + "\n")
		}
		fmt.Fprintf(&text, "layers %d\n", layers)
	}
	sections := []txtar.File{{Name: "want", Data: []byte(text.String())}}
	for _, e := range c.edits {
		check(t, b.apply(e.verbs))
		r := p.build(b, c.tag())
		text := strings.Join(append(append(e.verbs, e.lines...), progressSteps(r.err)...), "\n")
		if r.code != 0 {
			text += "\nerror ^ERROR: Dockerfile:\n# " + lastLine(r.err)
		}
		sections = append(sections, txtar.File{Name: "edit " + e.name, Data: []byte(text + "\n")})
	}
	return sections
}

var vertex = regexp.MustCompile(`^#(\d+) \[(?:\S+ +)?\d+/\d+\] (?:(?:FROM) .*|(.*))`)

// progressSteps reads hits and misses out of BuildKit's plain progress.
func progressSteps(out string) []string {
	var order []string
	text, hit := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(out) {
		if m := vertex.FindStringSubmatch(strings.TrimSpace(line)); m != nil && m[2] != "" && text[m[1]] == "" {
			text[m[1]], order = m[2], append(order, m[1])
		}
		if n, cached := strings.CutSuffix(strings.TrimSpace(line), " CACHED"); cached {
			hit[strings.TrimPrefix(n, "#")] = true
		}
	}
	var steps []string
	for _, n := range order {
		word := "miss "
		if hit[n] {
			word = "hit "
		}
		steps = append(steps, word+text[n])
	}
	return steps
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
