package lessons

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
)

//go:embed content
var content embed.FS

// Embedded returns the lessons that are part of the program, in order. An error means that the program was built
// from a faulty lesson.
func Embedded() ([]Lesson, error) {
	sub, err := fs.Sub(content, "content")
	if err != nil {
		return nil, fmt.Errorf("open embedded lessons: %w", err)
	}
	return Load(sub)
}

// Load reads every NN-name/lesson.md below the top of fsys, in the order of their names. The first fault ends it; it
// is an *Error when it lies in a lesson's text.
func Load(fsys fs.FS) ([]Lesson, error) {
	names, err := fs.Glob(fsys, "*/lesson.md")
	if err != nil {
		return nil, fmt.Errorf("list lessons: %w", err)
	}
	sort.Strings(names)
	var all []Lesson
	byID := map[string]string{}
	for _, name := range names {
		source, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read lesson: %w", err)
		}
		l, err := Parse(name, source)
		if err != nil {
			return nil, err
		}
		if other, taken := byID[l.ID]; taken {
			return nil, &Error{File: name, Line: 1, Text: fmt.Sprintf("id %q is taken by %s; expected an id of its own", l.ID, other)}
		}
		byID[l.ID] = name
		l.Number = leadingNumber(path.Dir(name))
		all = append(all, l)
	}
	return all, nil
}

func leadingNumber(dir string) int {
	digits, _, _ := strings.Cut(dir, "-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
