package exercises

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
)

//go:embed all:content
var content embed.FS

// Embedded returns the exercises that are part of the program, in order. An error means that the program was built from a faulty one.
func Embedded() ([]Exercise, error) {
	sub, err := fs.Sub(content, "content")
	if err != nil {
		return nil, fmt.Errorf("open embedded exercises: %w", err)
	}
	return Load(sub)
}

// EmbeddedAt returns the embedded exercise in a folder, such as 10-find-the-pid, without reading the others.
func EmbeddedAt(folder string) (Exercise, error) {
	sub, err := fs.Sub(content, path.Join("content", folder))
	if err != nil {
		return Exercise{}, fmt.Errorf("open exercise %s: %w", folder, err)
	}
	return Parse(sub, folder)
}

// Load reads every NN-name/exercise.md below the top of fsys, in the order of their numbers, then of their names. The first fault ends it.
func Load(fsys fs.FS) ([]Exercise, error) {
	names, err := fs.Glob(fsys, "*/exercise.md")
	if err != nil {
		return nil, fmt.Errorf("list exercises: %w", err)
	}
	sort.SliceStable(names, func(i, j int) bool { // Glob's are in order already; 100 shall come after 20
		return leadingNumber(path.Dir(names[i])) < leadingNumber(path.Dir(names[j]))
	})
	var all []Exercise
	byID := map[string]string{}
	for _, name := range names {
		dir := path.Dir(name)
		folder, err := fs.Sub(fsys, dir)
		if err != nil {
			return nil, fmt.Errorf("open exercise %s: %w", dir, err)
		}
		x, err := Parse(folder, dir)
		if err != nil {
			return nil, err
		}
		if other, taken := byID[x.ID]; taken {
			return nil, &Error{File: name, Line: 1, Text: fmt.Sprintf("id %q is taken by %s; expected an id of its own", x.ID, other)}
		}
		byID[x.ID] = name
		all = append(all, x)
	}
	return all, nil
}

// Find returns the exercise with that id or number or, when only one matches, whose id or title begins so, in any case. The error is a
// *NotFoundError.
func Find(all []Exercise, name string) (Exercise, error) {
	n, notNumber := strconv.Atoi(name)
	var close []Exercise
	for _, x := range all {
		if x.ID == name || notNumber == nil && x.Number == n {
			return x, nil
		}
		if name != "" && (hasPrefixFold(x.ID, name) || hasPrefixFold(x.Title, name)) {
			close = append(close, x)
		}
	}
	if len(close) == 1 {
		return close[0], nil
	}
	e := &NotFoundError{Name: name}
	for _, x := range close {
		e.Matches = append(e.Matches, x.ID)
	}
	return Exercise{}, e
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
