// Package author is for those who write and translate lessons: it reads lessons that may be faulty, says what is wrong with them and where,
// and writes the files that a new lesson or a new translation begins with.
//
// It plays nothing: who plays a lesson hands the events of its steps to Unexplained. It judges no style; what it finds can be shown in the
// text, with its line.
//
// Invariants: a lesson that can't be read doesn't keep the others from being checked; findings are in the order of the files and their lines.
package author

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/translate"
)

// Finding is something that is not as it should be. A warning need not be mended for the lesson to be played.
type Finding struct {
	File    string
	Line    int
	Warning bool
	Text    string
}

func (f Finding) String() string {
	kind := ""
	if f.Warning {
		kind = "warning: "
	}
	return fmt.Sprintf("%s:%d: %s%s", f.File, f.Line, kind, f.Text)
}

// Draft is a lesson as its author has it.
type Draft struct {
	lessons.Lesson
	Source []byte
	Files  fs.FS  // the folder that holds the lesson's folder
	Root   string // how Files is shown in messages; empty for the lessons of the program
}

// shown is a file of the draft's folder for messages.
func (d Draft) shown(name string) string { return path.Join(d.Root, name) }

// Read reads the lessons in the named files of files. A lesson that can't be read is a finding. root is how the folder is shown.
func Read(files fs.FS, root string, names ...string) ([]Draft, []Finding) {
	var drafts []Draft
	var out []Finding
	for _, name := range names {
		source, err := fs.ReadFile(files, name)
		if err == nil {
			var l lessons.Lesson
			if l, err = lessons.LoadOne(files, name); err == nil {
				drafts = append(drafts, Draft{Lesson: l, Source: source, Files: files, Root: root})
				continue
			}
		}
		out = append(out, faultOf(root, name, err))
	}
	return drafts, out
}

// ReadAll reads every lesson of a folder of lessons.
func ReadAll(files fs.FS, root string) ([]Draft, []Finding, error) {
	names, err := fs.Glob(files, "*/lesson.md")
	if err != nil {
		return nil, nil, fmt.Errorf("list lessons: %w", err)
	}
	drafts, out := Read(files, root, names...)
	return drafts, out, nil
}

// faultOf takes the place out of an error that has one.
func faultOf(root, name string, err error) Finding {
	var fault *lessons.Error
	var translation *translate.Error
	switch {
	case errors.As(err, &fault):
		return Finding{File: path.Join(root, fault.File), Line: fault.Line, Text: fault.Text}
	case errors.As(err, &translation):
		return Finding{File: path.Join(root, translation.File), Line: translation.Line, Text: translation.Text}
	}
	return Finding{File: path.Join(root, name), Line: 1, Text: err.Error()}
}

// sorted puts findings in the order of files and lines.
func sorted(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return all
}
