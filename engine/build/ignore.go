package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const maxIgnoreFile = 1 << 20 // bytes

// ignoreList is a .dockerignore file.
type ignoreList struct {
	name    string // as messages name it; empty: there is no such file
	rules   []ignoreRule
	matcher *patternmatcher.PatternMatcher
}

// ignoreRule is one line that says something.
type ignoreRule struct {
	pattern string // with the ! of an exception
	line    int
}

// parseIgnore reads a .dockerignore file. name appears in errors.
func parseIgnore(name string, text []byte) (*ignoreList, error) {
	l := &ignoreList{name: name}
	var patterns []string
	for i, line := range strings.Split(string(text), "\n") {
		if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
			return nil, fmt.Errorf("%s:%d: the line is not UTF-8 text", name, i+1)
		}
		found, err := ignorefile.ReadAll(strings.NewReader(line))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		for _, p := range found {
			if _, err := patternmatcher.New([]string{p}); err != nil {
				return nil, fmt.Errorf("%s:%d: pattern %q: %w", name, i+1, p, err)
			}
			l.rules = append(l.rules, ignoreRule{p, i + 1})
			patterns = append(patterns, p)
		}
	}
	var err error
	if l.matcher, err = patternmatcher.New(patterns); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

// match tells whether path is left out. parent is what match returned for the folder that path is in.
func (l *ignoreList) match(path string, parent patternmatcher.MatchInfo) (bool, patternmatcher.MatchInfo, error) {
	if len(l.rules) == 0 {
		return false, parent, nil
	}
	out, info, err := l.matcher.MatchesUsingParentResults(path, parent)
	if err != nil {
		return false, info, fmt.Errorf("match %s against %s: %w", path, l.name, err)
	}
	return out, info, nil
}

// exceptions tells whether something in a folder that is left out may be let in again.
func (l *ignoreList) exceptions() bool { return len(l.rules) > 0 && l.matcher.Exclusions() }

// rule finds the line that decides that path is left out.
func (l *ignoreList) rule(path string) (ignoreRule, bool) {
	t, err := newTracer(l)
	if err != nil {
		return ignoreRule{}, false
	}
	at, parent := "", t.top()
	var out bool
	var by int
	for part := range strings.SplitSeq(path, "/") {
		at = strings.TrimPrefix(at+"/"+part, "/")
		if out, by, parent, err = t.trace(at, parent); err != nil {
			return ignoreRule{}, false
		}
	}
	if !out {
		return ignoreRule{}, false
	}
	return l.rules[by], true
}

// tracer finds out which line decides about a name. It asks the matcher about one line at a time and puts the answers together as the
// matcher does: in order, the last line that matches counts; a line also matches what is in a folder that it matched; and it is not
// asked where it could not change anything. It is for one goroutine.
type tracer struct {
	rules   []ignoreRule
	lines   []*patternmatcher.PatternMatcher // without the ! of exceptions
	neutral patternmatcher.MatchInfo         // of a folder that one line did not match
}

func newTracer(l *ignoreList) (*tracer, error) {
	t := &tracer{rules: l.rules}
	for _, r := range l.rules {
		line := strings.TrimPrefix(r.pattern, "!")
		if strings.HasPrefix(line, "!") {
			line = `\` + line // it is part of the name
		}
		m, err := patternmatcher.New([]string{line})
		if err != nil {
			return nil, err
		}
		t.lines = append(t.lines, m)
	}
	exception, err := patternmatcher.New([]string{"!x"}) // alone it is never asked, and so has not matched
	if err == nil {
		_, t.neutral, err = exception.MatchesUsingParentResults("x", patternmatcher.MatchInfo{})
	}
	return t, err
}

// top is the state above the first folder.
func (t *tracer) top() []bool { return make([]bool, len(t.rules)) }

// trace tells whether path is left out and by which rule, or which exception lets it in; by is -1 if no line says anything. parent is
// the state of the folder that path is in.
func (t *tracer) trace(path string, parent []bool) (out bool, by int, state []bool, err error) {
	by, state = -1, make([]bool, len(t.rules))
	for i, r := range t.rules {
		exception := strings.HasPrefix(r.pattern, "!")
		match := parent[i]
		if !match && exception == out {
			if match, _, err = t.lines[i].MatchesUsingParentResults(path, t.neutral); err != nil {
				return false, -1, nil, err
			}
		}
		if state[i] = match; match {
			out, by = !exception, i
		}
	}
	return out, by, state, nil
}

// findIgnore reads the .dockerignore that holds: the one named after the Dockerfile and beside it, else the context's.
func findIgnore(root *os.Root, dockerfile string) (*ignoreList, error) {
	own := dockerfile + ".dockerignore"
	f, err := os.Open(own)
	name := filepath.Base(own)
	if errors.Is(err, fs.ErrNotExist) {
		name = ".dockerignore"
		if err = checkRegular(root.Stat(name)); err == nil {
			f, err = root.Open(name)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &ignoreList{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxIgnoreFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(text) > maxIgnoreFile {
		return nil, fmt.Errorf("read %s: it is larger than 1 MiB", name)
	}
	return parseIgnore(name, text)
}
