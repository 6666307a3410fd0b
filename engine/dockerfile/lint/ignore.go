package lint

import (
	"fmt"
	"path"

	"github.com/moby/patternmatcher"
)

// Ignored makes Options.Ignored of the patterns of an ignore file. It is nil if there are none, and if one is an exception: then a folder
// that is left out may hold files that are not, as docker's own check has it.
func Ignored(patterns []string) (func(string) bool, error) {
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, fmt.Errorf("read patterns of the ignore file: %w", err)
	}
	if len(m.Patterns()) == 0 || m.Exclusions() {
		return nil, nil
	}
	return func(p string) bool {
		if p = path.Clean(p); p == "." {
			return ignoresAll(m)
		}
		out, err := m.MatchesOrParentMatches(p)
		return err == nil && out
	}, nil
}

func ignoresAll(m *patternmatcher.PatternMatcher) bool {
	for _, p := range m.Patterns() {
		switch p.String() {
		case "*", "**", "**/*":
			return true
		}
	}
	return false
}
