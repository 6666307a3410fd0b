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

// rule finds the line that decides that path is left out: the last one that matches it or a folder it is in.
func (l *ignoreList) rule(path string) (ignoreRule, bool) {
	for i := len(l.rules) - 1; i >= 0; i-- {
		positive := strings.TrimPrefix(l.rules[i].pattern, "!")
		m, err := patternmatcher.New([]string{positive})
		if err != nil {
			continue
		}
		if ok, err := m.MatchesOrParentMatches(path); err == nil && ok {
			return l.rules[i], !strings.HasPrefix(l.rules[i].pattern, "!")
		}
	}
	return ignoreRule{}, false
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
