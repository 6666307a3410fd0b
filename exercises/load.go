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

// EmbeddedHeaders returns the headers of the exercises that are part of the program, in order.
func EmbeddedHeaders() ([]Header, error) {
	sub, err := fs.Sub(content, "content")
	if err != nil {
		return nil, fmt.Errorf("open embedded exercises: %w", err)
	}
	return Headers(sub)
}

// EmbeddedOne returns the whole of an exercise that EmbeddedHeaders has.
func EmbeddedOne(h Header) (Exercise, error) { return EmbeddedAt(h.Folder()) }

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
	return each(fsys, Parse, func(x Exercise) string { return x.ID })
}

// Headers reads the headers of the exercises that Load would read, which takes a fraction of the time.
func Headers(fsys fs.FS) ([]Header, error) {
	return each(fsys, ParseHeader, func(h Header) string { return h.ID })
}

// each reads all exercises by read. No two may have the same id.
func each[T any](fsys fs.FS, read func(fs.FS, string) (T, error), id func(T) string) ([]T, error) {
	names, err := fs.Glob(fsys, "*/exercise.md")
	if err != nil {
		return nil, fmt.Errorf("list exercises: %w", err)
	}
	sort.SliceStable(names, func(i, j int) bool { // Glob's are in order already; 100 shall come after 20
		return leadingNumber(path.Dir(names[i])) < leadingNumber(path.Dir(names[j]))
	})
	var all []T
	byID := map[string]string{}
	for _, name := range names {
		dir := path.Dir(name)
		folder, err := fs.Sub(fsys, dir)
		if err != nil {
			return nil, fmt.Errorf("open exercise %s: %w", dir, err)
		}
		x, err := read(folder, dir)
		if err != nil {
			return nil, err
		}
		if other, taken := byID[id(x)]; taken {
			return nil, &Error{File: name, Line: 1, Text: fmt.Sprintf("id %q is taken by %s; expected an id of its own", id(x), other)}
		}
		byID[id(x)] = name
		all = append(all, x)
	}
	return all, nil
}

// Find returns the exercise with that id or number or, when only one matches, whose id or title begins so, in any case. The error is a
// *NotFoundError.
func Find(all []Header, name string) (Header, error) {
	n, notNumber := strconv.Atoi(name)
	var close []Header
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
	return Header{}, e
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
