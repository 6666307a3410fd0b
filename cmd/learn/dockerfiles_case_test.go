package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// A table file holds Dockerfiles with what must come of them; testdata/dockerfiles/README.md tells how it is written.

// dockerfileCase is one Dockerfile of the table.
type dockerfileCase struct {
	file, name string   // of the table file, and of the case in it
	setup      []string // directives about the context and the command line
	files      []txtar.File
	want       *outcome // nil: only the edits or the error count
	edits      []edit
}

// outcome is what a build must come to.
type outcome struct {
	lines  []string // config and tree beyond the base, in the form of image.lines
	layers int      // -1: not said
	err    *regexp.Regexp
	cache  []string // "hit INSTRUCTION" and "miss INSTRUCTION", every step that makes a tree
}

// edit is a change to the context and what the build after it must come to.
type edit struct {
	name  string
	verbs []string
	outcome
}

func (c *dockerfileCase) id() string { return c.file + "/" + c.name }

// tag names the case's image, for later cases of its file.
func (c *dockerfileCase) tag() string { return "t/" + c.name }

// has tells whether a setup directive is given, as in "needs linux".
func (c *dockerfileCase) has(directive string) bool { return slices.Contains(c.setup, directive) }

// readTable reads every table file.
func readTable(dir string) (map[string][]*dockerfileCase, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	table := map[string][]*dockerfileCase{}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(p), ".txtar")
		if table[name], err = parseTable(name, txtar.Parse(text).Files); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	return table, nil
}

func parseTable(file string, sections []txtar.File) ([]*dockerfileCase, error) {
	var cases []*dockerfileCase
	seen := map[string]bool{}
	for _, s := range sections {
		kind, name, _ := strings.Cut(s.Name, " ")
		if kind == "case" {
			if seen[name] {
				return nil, fmt.Errorf("two cases %q", name)
			}
			seen[name] = true
			cases = append(cases, &dockerfileCase{file: file, name: name, setup: directives(s.Data)})
			continue
		}
		if len(cases) == 0 {
			return nil, fmt.Errorf("section %q stands before the first case", s.Name)
		}
		if err := cases[len(cases)-1].section(kind, name, s); err != nil {
			return nil, fmt.Errorf("case %s: %w", cases[len(cases)-1].name, err)
		}
	}
	return cases, nil
}

func (c *dockerfileCase) section(kind, name string, s txtar.File) error {
	switch kind {
	case "want":
		c.want = &outcome{layers: -1}
		rest, err := c.want.parse(directives(s.Data))
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("want: unknown directive %q", rest[0])
		}
		return err
	case "edit":
		e := edit{name: name, outcome: outcome{layers: -1}}
		var err error
		e.verbs, err = e.parse(directives(s.Data))
		c.edits = append(c.edits, e)
		return err
	}
	c.files = append(c.files, s)
	return nil
}

// directives are the lines that are neither empty nor a comment.
func directives(data []byte) []string {
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

var treeLine = regexp.MustCompile(`^(file|dir|link|hard|fifo|device|gone) "?/|^(env|config) `)

// parse takes the lines that say what must come of a build and returns the others.
func (o *outcome) parse(lines []string) (rest []string, err error) {
	for _, l := range lines {
		word, arg, _ := strings.Cut(l, " ")
		switch {
		case treeLine.MatchString(l):
			o.lines = append(o.lines, l)
		case word == "layers":
			o.layers, err = strconv.Atoi(arg)
		case word == "hit" || word == "miss":
			o.cache = append(o.cache, l)
		case word == "error":
			o.err, err = regexp.Compile("(?m)" + arg)
		default:
			rest = append(rest, l)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l, err)
		}
	}
	return rest, nil
}

// words splits a directive: words in double quotes are as in Go.
func words(line string) ([]string, error) {
	var list []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			list, line = append(list, word), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		list, line = append(list, word), rest
	}
	return list, nil
}
