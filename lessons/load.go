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

// Content is the folder of the lessons that are part of the program.
func Content() (fs.FS, error) {
	sub, err := fs.Sub(content, "content")
	if err != nil {
		return nil, fmt.Errorf("open embedded lessons: %w", err)
	}
	return sub, nil
}

// Embedded returns the lessons that are part of the program, in order. An error means that the program was built
// from a faulty lesson.
func Embedded() ([]Lesson, error) {
	sub, err := Content()
	if err != nil {
		return nil, err
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
		l, err := LoadOne(fsys, name)
		if err != nil {
			return nil, err
		}
		if other, taken := byID[l.ID]; taken {
			return nil, &Error{File: name, Line: 1, Text: fmt.Sprintf("id %q is taken by %s; expected an id of its own", l.ID, other)}
		}
		byID[l.ID] = name
		all = append(all, l)
	}
	return all, nil
}

// LoadOne reads the lesson in the file name, with the translations beside it. The error is an *Error when it lies in the lesson's text.
func LoadOne(fsys fs.FS, name string) (Lesson, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return Lesson{}, fmt.Errorf("read lesson: %w", err)
	}
	l, err := Parse(name, source)
	if err != nil {
		return Lesson{}, err
	}
	l.Number = leadingNumber(path.Base(path.Dir(name)))
	l.Sides, err = sides(fsys, name)
	return l, err
}

func leadingNumber(dir string) int {
	digits, _, _ := strings.Cut(dir, "-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
