package build

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
)

// aged makes the records of instructions look as if they had last been of use some hours ago.
func (l *lab) aged(hours map[string]int) {
	l.t.Helper()
	c := openCache(l.home.Cache())
	all, err := c.usages(l.ctx)
	must(l.t, err)
	for _, u := range all {
		for word, h := range hours {
			if strings.Contains(u.rec.Key.Instruction, word) {
				at := time.Now().Add(-time.Duration(h) * time.Hour)
				must(l.t, os.Chtimes(c.path(u.key), at, at))
			}
		}
	}
}

// instructions lists what is in the cache by the words that the tests know it by.
func (l *lab) instructions(words ...string) []string {
	l.t.Helper()
	all, err := openCache(l.home.Cache()).usages(l.ctx)
	must(l.t, err)
	var found []string
	for _, w := range words {
		if slices.ContainsFunc(all, func(u usage) bool { return strings.Contains(u.rec.Key.Instruction, w) }) {
			found = append(found, w)
		}
	}
	return found
}

const threeSteps = "FROM base\nRUN write /first 1\nRUN write /second 2\nRUN write /third 3\n"

func TestCacheLimit(t *testing.T) {
	l := newLab(t)
	res := l.build(threeSteps, Options{})
	size := res.Image.Layers[len(res.Image.Layers)-1].Size
	l.aged(map[string]int{"first": 3, "second": 1, "third": 2})
	l.build("FROM base\nRUN write /first 1\n", Options{}) // a hit is a use
	l.build("FROM base\nRUN write /other 4\n", Options{MaxCache: 3 * size})
	if got, want := l.instructions("first", "second", "third", "other"), []string{"first", "second", "other"}; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q: what was of no use for longest goes", got, want)
	}
	if res := l.build(threeSteps, Options{}); res.Hits != 2 || res.Misses != 1 {
		t.Errorf("%d hits and %d misses afterwards, want 2 and 1", res.Hits, res.Misses)
	}
}

func TestPrune(t *testing.T) {
	tests := []struct {
		name string
		o    PruneOptions
		want []string
	}{
		{"what images use stays", PruneOptions{}, []string{"first", "second", "third"}},
		{"all", PruneOptions{All: true}, nil},
		{"by age", PruneOptions{All: true, Before: time.Now().Add(-90 * time.Minute)}, []string{"second", "lost"}},
		{"dry run", PruneOptions{All: true, DryRun: true}, []string{"first", "second", "third", "lost"}},
		{"what was of use last may stay", PruneOptions{All: true, Keep: 5000}, []string{"second", "lost"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			res := l.build(threeSteps, Options{})
			lost := l.build("FROM base\nRUN write /lost 4\n", Options{})
			_, _, err := l.images.Remove(l.ctx, lost.Image.ID.String(), true, func(digest.Digest) []image.Use { return nil })
			must(t, err)
			if size := res.Image.Layers[len(res.Image.Layers)-1].Size; size > 2500 || size < 1700 {
				t.Fatalf("a layer has %d bytes: two of them must fit in 5,000, three not", size)
			}
			l.aged(map[string]int{"first": 3, "third": 2, "second": 1})
			gone := l.prune(tt.o)
			words := []string{"first", "second", "third", "lost"}
			if got := l.instructions(words...); !slices.Equal(got, tt.want) {
				t.Errorf("kept %q, want %q", got, tt.want)
			}
			left := len(tt.want)
			if tt.o.DryRun {
				left = 0
			}
			if len(gone) != len(words)-left {
				t.Errorf("%d results are said to go, want %d", len(gone), len(words)-left)
			}
		})
	}
}
