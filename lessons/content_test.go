package lessons

import (
	"strings"
	"testing"
)

// TestEmbedded proves every lesson that is part of the program, and that its misconceptions are in the catalogue.
func TestEmbedded(t *testing.T) {
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 {
		t.Fatalf("there are %d lessons; want at least 2", len(all))
	}
	catalogue, err := Misconceptions()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		t.Run(l.ID, func(t *testing.T) { proveLesson(t, l, catalogue) })
	}
}

func proveLesson(t *testing.T, l Lesson, catalogue map[string]Misconception) {
	if err := l.Prove(); err != nil {
		t.Fatal(err)
	}
	for _, id := range l.Needs {
		all, _ := Embedded()
		if _, err := Find(all, id); err != nil {
			t.Error(err)
		}
	}
	revealed := map[string]bool{}
	predictions, evidence, checks := 0, 0, 0
	for _, s := range l.Steps {
		for _, b := range append(append([]Block(nil), s.Before...), s.After...) {
			switch {
			case b.Predict != nil:
				predictions++
				for _, c := range b.Predict.Choices {
					revealed[c.Reveals] = true
				}
			case b.Evidence != nil:
				evidence++
				revealed[b.Evidence.Reveals] = true
			case b.Check != nil:
				checks++
				revealed["M-DELETE-SHRINKS"] = revealed["M-DELETE-SHRINKS"] || b.Check.ID == "not-smaller"
				revealed["M-SIZES-ADD"] = revealed["M-SIZES-ADD"] || b.Check.ID == "sum"
			}
		}
	}
	if predictions < 2 || evidence < 1 || checks < 3 {
		t.Errorf("%d predictions, %d evidence questions, %d checks; want at least 2, 1 and 3", predictions, evidence, checks)
	}
	for id := range revealed {
		if _, ok := catalogue[id]; id != "" && !ok {
			t.Errorf("%s is not in the catalogue", id)
		}
	}
	for _, id := range l.Targets {
		if !revealed[id] {
			t.Errorf("target %s is never met in the lesson", id)
		}
	}
}

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
