package difftest

import (
	"context"
	"errors"
	"flag"
	"path/filepath"
	"testing"

	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

var (
	sequences = flag.Int("sequences", drivertest.Times(100, 300), "how many random sequences TestDifferential plays")
	firstSeed = flag.Uint64("seed", 1, "seed of the first sequence; the next has the next")
	keepOn    = flag.Bool("keepon", false, "go on after a difference")
)

// play plays one seed and reports a difference with the little that is needed for it.
func play(t testing.TB, sides [2]*side, seed uint64) {
	t.Helper()
	s := generate(seed)
	err := compare(t.Context(), sides, s)
	if err == nil {
		return
	}
	var d *difference
	if !errors.As(err, &d) {
		t.Errorf("seed %d: %v\n%s", seed, err, s)
		return
	}
	small := shrink(s, 400, func(c scenario) bool {
		var again *difference
		return errors.As(compare(context.Background(), sides, c), &again)
	})
	t.Errorf("seed %d, shrunk:\n%s\n(-%s +%s) %v", seed, small, sides[0].name, sides[1].name, compare(t.Context(), sides, small))
}

// TestReopened holds the simulator against itself: one side works on in memory where the other opens everything again from disk.
func TestReopened(t *testing.T) {
	dir := t.TempDir()
	both := [2]*side{simSide(t, filepath.Join(dir, "steady")), simSide(t, filepath.Join(dir, "reopened"))}
	both[0].name, both[0].steady, both[1].name = "steady", true, "reopened"
	for n := range *sequences / 4 {
		if play(t, both, *firstSeed+uint64(n)); t.Failed() && !*keepOn {
			return
		}
	}
}

// faulty is a tree that loses the sticky bit.
type faulty struct{ tree }

func (f faulty) Set(name string, c fsys.Change) error {
	if c.Mode != nil {
		mode := *c.Mode &^ 0o1000
		c.Mode = &mode
	}
	return f.tree.Set(name, c)
}

// TestNoticesAFault makes sure that a fault is found and shrunk to what shows it.
func TestNoticesAFault(t *testing.T) {
	dir := t.TempDir()
	both := [2]*side{simSide(t, filepath.Join(dir, "right")), simSide(t, filepath.Join(dir, "faulty"))}
	open := both[1].open
	both[1].open = func(key string) (tree, func() error, error) {
		live, done, err := open(key)
		return faulty{live}, done, err
	}
	fails := func(s scenario) bool {
		var d *difference
		return errors.As(compare(t.Context(), both, s), &d)
	}
	for seed := uint64(1); seed < 200; seed++ {
		s := generate(seed)
		if !fails(s) {
			continue
		}
		if small := shrink(s, 1000, fails); len(small.Ops) > 2 || len(small.Layers) > 1 {
			t.Errorf("seed %d is shrunk to\n%s", seed, small)
		}
		return
	}
	t.Error("the fault was not noticed")
}
