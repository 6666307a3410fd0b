package lessons

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/lessons/markdown"
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

// EmbeddedHeaders returns the headers of the lessons that are part of the program, in order.
func EmbeddedHeaders() ([]Header, error) {
	sub, err := Content()
	if err != nil {
		return nil, err
	}
	return Headers(sub)
}

// EmbeddedOne returns the whole of a lesson that EmbeddedHeaders has.
func EmbeddedOne(h Header) (Lesson, error) {
	sub, err := Content()
	if err != nil {
		return Lesson{}, err
	}
	return LoadOne(sub, h.File)
}

// Load reads every NN-name/lesson.md below the top of fsys, in the order of their names. The first fault ends it; it
// is an *Error when it lies in a lesson's text.
func Load(fsys fs.FS) ([]Lesson, error) {
	return each(fsys, LoadOne, func(l Lesson) string { return l.ID })
}

// Headers reads the headers of the lessons that Load would read, which takes a fraction of the time. The errors are Load's, as far as they lie in
// the headers.
func Headers(fsys fs.FS) ([]Header, error) {
	return each(fsys, loadHeader, func(h Header) string { return h.ID })
}

// each reads all lessons by read. No two may have the same id.
func each[T any](fsys fs.FS, read func(fs.FS, string) (T, error), id func(T) string) ([]T, error) {
	names, err := fs.Glob(fsys, "*/lesson.md")
	if err != nil {
		return nil, fmt.Errorf("list lessons: %w", err)
	}
	sort.Strings(names)
	var all []T
	byID := map[string]string{}
	for _, name := range names {
		l, err := read(fsys, name)
		if err != nil {
			return nil, err
		}
		if other, taken := byID[id(l)]; taken {
			return nil, &Error{File: name, Line: 1, Text: fmt.Sprintf("id %q is taken by %s; expected an id of its own", id(l), other)}
		}
		byID[id(l)] = name
		all = append(all, l)
	}
	return all, nil
}

func loadHeader(fsys fs.FS, name string) (Header, error) {
	source, err := fs.ReadFile(fsys, name)
	if err != nil {
		return Header{}, fmt.Errorf("read lesson: %w", err)
	}
	p := newLessonParser(name)
	if p.doc, err = markdown.ParseHeader(name, source, headerKeys); err == nil {
		err = p.header()
	}
	if err != nil {
		return Header{}, err
	}
	err = p.lesson.around(fsys)
	return p.lesson.Header, err
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
	err = l.around(fsys)
	return l, err
}

// around adds what the lesson's place says of it, and the translations beside it.
func (h *Header) around(fsys fs.FS) (err error) {
	h.Number = leadingNumber(path.Base(path.Dir(h.File)))
	h.Sides, err = sides(fsys, h.File)
	return err
}

func leadingNumber(dir string) int {
	digits, _, _ := strings.Cut(dir, "-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
