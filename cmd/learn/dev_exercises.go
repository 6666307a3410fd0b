package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/lessons"
)

// tasksFolder is where the exercises of the program lie in its own source.
const tasksFolder = "exercises/content"

// exercisesAt reads the exercises that a path names: an exercise.md, its folder, or a folder of such folders. found is false where none is.
func exercisesAt(path string) (all []exercises.Exercise, found bool, err error) {
	if filepath.Base(path) == "exercise.md" {
		path = filepath.Dir(path)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, false, err
	}
	if _, err := os.Stat(filepath.Join(path, "exercise.md")); err == nil {
		x, err := exercises.Parse(os.DirFS(path), filepath.Base(path))
		return []exercises.Exercise{x}, true, err
	}
	if below, err := filepath.Glob(filepath.Join(path, "*", "exercise.md")); err != nil || len(below) == 0 {
		return nil, false, err
	}
	all, err = exercises.Load(os.DirFS(path))
	return all, true, err
}

// splitPaths takes the exercises out of what is to be checked; without any path they are those of the program.
func splitPaths(paths []string) (rest []string, all []exercises.Exercise, err error) {
	if len(paths) == 0 {
		all, err = exercises.Embedded()
		return nil, all, err
	}
	for _, p := range paths {
		more, found, err := exercisesAt(p)
		switch {
		case err != nil:
			return nil, nil, err
		case found:
			all = append(all, more...)
		default:
			rest = append(rest, p)
		}
	}
	return rest, all, nil
}

// seedsProven is how many seeds an exercise's solution has to pass.
const seedsProven = 5

// devExercises proves exercises, with play also on the simulator, and says what is wrong.
func (s *session) devExercises(ctx context.Context, all []exercises.Exercise, play bool) error {
	course, err := lessons.Embedded()
	if err != nil {
		return err
	}
	catalogue, err := lessons.Misconceptions()
	if err != nil {
		return err
	}
	faults := 0
	for _, x := range all {
		err := x.Prove(course, catalogue)
		for seed := uint64(1); play && err == nil && seed <= seedsProven; seed++ {
			err = s.simulated().proveExercise(ctx, x, seed, seed == 1)
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		faults++
		if !errors.As(err, new(*exercises.Error)) {
			err = fmt.Errorf("%s:1: %w", x.Path, err)
		}
		fmt.Fprintln(s.out, err)
	}
	fmt.Fprintf(s.out, "Exercises checked: %d. Faults: %d.\n", len(all), faults)
	if faults > 0 {
		return exitCode(1)
	}
	return nil
}

// simulated is the session on the simulator, whatever driver it has.
func (s *session) simulated() *session {
	c := *s
	c.driver, c.drivers = simName, nil
	return &c
}
