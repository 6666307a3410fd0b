package lessons

import (
	"strings"
	"testing"
)

// TestSeeds proves that no seed makes a lesson that can't be played.
func TestSeeds(t *testing.T) {
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		for seed := range uint64(200) {
			full, _, err := l.play(seed)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, s := range full.Steps {
				if strings.Contains(s.Command, "{{") && !strings.Contains(s.Command, "--format") {
					t.Fatalf("seed %d: step %d: %s", seed, s.Number, s.Command)
				}
			}
		}
	}
}
