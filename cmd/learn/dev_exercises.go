package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/author"
)

// programExercises stands for the exercises of the program among the paths of learn dev check.
const programExercises = "exercises"

// proofSeeds is with how many seeds an exercise must be solvable.
const proofSeeds = 5

// exerciseSet is the exercises that a path means.
type exerciseSet struct {
	root string // how their folder is shown
	all  []exercises.Exercise
}

// exercisesIn reads the exercises that a path means: those of the program, those of a folder, or the one whose folder or file it is. found is
// false when it means none.
func exercisesIn(name string) (set exerciseSet, found bool, err error) {
	if name == programExercises {
		set.all, err = exercises.Embedded()
		return set, true, err
	}
	folder := name
	if filepath.Base(name) == "exercise.md" {
		folder = filepath.Dir(name)
	}
	if _, err := os.Stat(filepath.Join(folder, "exercise.md")); err == nil {
		whole, err := filepath.Abs(folder)
		if err != nil {
			return set, true, fmt.Errorf("open exercise: %w", err)
		}
		x, err := exercises.Parse(os.DirFS(whole), filepath.Base(whole))
		return exerciseSet{filepath.ToSlash(filepath.Join(folder, "..")), []exercises.Exercise{x}}, true, err
	}
	names, err := fs.Glob(os.DirFS(folder), "*/exercise.md")
	if err != nil || len(names) == 0 {
		return set, false, nil // that is for those who look for lessons to complain about
	}
	set.all, err = exercises.Load(os.DirFS(folder))
	set.root = filepath.ToSlash(folder)
	return set, true, err
}

// devExercises proves exercises: untouched they must fail, solved they must pass, and each wrong attempt must be told. They run in a home of
// their own.
func (s *session) devExercises(ctx context.Context, set exerciseSet) ([]author.Finding, error) {
	course, err := lessons.EmbeddedHeaders()
	if err != nil {
		return nil, err
	}
	catalogue, err := lessons.Misconceptions()
	if err != nil {
		return nil, err
	}
	var found []author.Finding
	for _, x := range set.all {
		err := x.Prove(course, catalogue)
		if err == nil {
			err = s.solveExercise(ctx, x)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			found = append(found, exerciseFault(set.root, x.Path, err))
		}
	}
	return found, nil
}

// solveExercise carries an exercise out with several seeds, and its wrong attempts with the first.
func (s *session) solveExercise(ctx context.Context, x exercises.Exercise) (err error) {
	dir, err := os.MkdirTemp("", "learn-dev-")
	if err != nil {
		return fmt.Errorf("prove exercise: %w", err)
	}
	defer os.RemoveAll(dir)
	alone := newSession(s.in, s.out, s.err)
	alone.home, alone.driver = dir, simName
	e, err := alone.newFurnishedEngine("prove")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.end(context.WithoutCancel(ctx))) }()
	for seed := uint64(1); seed <= proofSeeds; seed++ {
		if err := proveExercise(ctx, e, x, seed, seed == 1); err != nil {
			return err
		}
	}
	return nil
}

// exerciseFault gives an error its place: the one that it names, or the exercise's file.
func exerciseFault(root, folder string, err error) author.Finding {
	var fault *exercises.Error
	if errors.As(err, &fault) {
		return author.Finding{File: path.Join(root, fault.File), Line: fault.Line, Text: fault.Text}
	}
	return author.Finding{File: path.Join(root, folder, "exercise.md"), Line: 1, Text: err.Error()}
}
