package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/lessons"
)

// TestExercises proves every exercise: the solution on the simulator with five seeds and on the kernel with one, the wrong attempts with one seed on
// both.
func TestExercises(t *testing.T) {
	t.Parallel()
	all, err := exercises.Embedded()
	check(t, err)
	course, err := lessons.Embedded()
	check(t, err)
	catalogue, err := lessons.Misconceptions()
	check(t, err)
	for _, x := range all {
		t.Run(x.ID, func(t *testing.T) {
			t.Parallel() // a home each
			check(t, x.Prove(course, catalogue))
			for seed := uint64(1); seed <= 5; seed++ {
				t.Run(simName+strconv.FormatUint(seed, 10), func(t *testing.T) { proveOn(t, simName, x, seed, seed == 1) })
			}
			t.Run(nativeName, func(t *testing.T) {
				needRoot(t)
				proveOn(t, nativeName, x, 1, true)
			})
		})
	}
}

func proveOn(t *testing.T, driver string, x exercises.Exercise, seed uint64, wrong bool) {
	t.Helper()
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	s.home, s.driver = filepath.Join(t.TempDir(), "home"), driver
	check(t, s.proveExercise(t.Context(), x, seed, wrong))
}
