package lessons

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func TestHeadersAreWhatIsRead(t *testing.T) {
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	headers, err := EmbeddedHeaders()
	if err != nil {
		t.Fatal(err)
	}
	var want []Header
	for _, l := range all {
		want = append(want, l.Header)
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Error(diff)
	}
}
