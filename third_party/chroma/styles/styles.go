// Package styles keeps styles under their names. It has none of its own; glamour brings its themes along.
// It is not safe for concurrent use, callers lock, as glamour does.
package styles

import "github.com/alecthomas/chroma/v2"

// Registry holds the registered styles. It is exported because glamour looks names up in it.
var Registry = map[string]*chroma.Style{}

// Register adds a style under its name, in place of one that had the name, and returns it.
func Register(s *chroma.Style) *chroma.Style {
	Registry[s.Name] = s
	return s
}

// Get returns the style of that name, or nil: the style that changes nothing.
func Get(name string) *chroma.Style { return Registry[name] }
