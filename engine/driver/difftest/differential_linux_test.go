package difftest

import (
	"context"
	"errors"
	"flag"
	"testing"
	"time"
)

var (
	sequences = flag.Int("sequences", 300, "how many random sequences TestDifferential plays")
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

func TestDifferential(t *testing.T) {
	both := sides(t)
	began := time.Now()
	for n := range *sequences {
		play(t, both, *firstSeed+uint64(n))
		if t.Failed() && !*keepOn {
			break
		}
		if (n+1)%1000 == 0 {
			t.Logf("%d sequences in %s", n+1, time.Since(began).Round(time.Second))
		}
	}
}

func FuzzDifferential(f *testing.F) {
	both := sides(f)
	for seed := range uint64(10) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { play(t, both, seed) })
}
