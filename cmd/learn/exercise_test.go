package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/lessons"
)

// TestExercises proves every exercise: the solution on the simulator with five seeds and on the kernel with one, the wrong attempts on the simulator
// with one, and with LEARN_TEST_LONG=1 on the kernel, too. The exercises are dealt to two engines of each kind, on which they are proven one after the other.
func TestExercises(t *testing.T) {
	all, err := exercises.Embedded()
	check(t, err)
	course, err := lessons.EmbeddedHeaders()
	check(t, err)
	catalogue, err := lessons.Misconceptions()
	check(t, err)
	const hands = 2
	for hand := range hands {
		t.Run(strconv.Itoa(hand+1), func(t *testing.T) {
			t.Parallel()
			simulated, native := newProver(t, simName), newProver(t, nativeName)
			for i := hand; i < len(all); i += hands {
				x := all[i]
				t.Run(x.ID, func(t *testing.T) {
					check(t, x.Prove(course, catalogue))
					for seed := uint64(1); seed <= proofSeeds; seed++ {
						check(t, proveExercise(t.Context(), simulated, x, seed, seed == 1))
					}
					check(t, proveExercise(t.Context(), native, x, 1, whole()))
				})
			}
		})
	}
}

// newProver is an engine for proofs, in memory where the machine has a folder for that.
func newProver(t *testing.T, driver string) *furnishedEngine {
	t.Helper()
	if driver == nativeName {
		needRoot(t)
	}
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	s.home, s.driver = filepath.Join(memoryDir(t), "home"), driver
	e, err := s.newFurnishedEngine("prove")
	check(t, err)
	t.Cleanup(func() { check(t, e.end(context.Background())) })
	return e
}
