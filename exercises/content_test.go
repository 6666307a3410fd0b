package exercises

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/lessons"
)

// TestEmbedded proves every exercise of the program as far as that needs no engine.
func TestEmbedded(t *testing.T) {
	all, err := Embedded()
	must(t, err)
	course, err := lessons.EmbeddedHeaders()
	must(t, err)
	catalogue, err := lessons.Misconceptions()
	must(t, err)
	numbers := map[int]string{}
	for _, x := range all {
		if err := x.Prove(course, catalogue); err != nil {
			t.Error(err)
		}
		if other, taken := numbers[x.Number]; taken || x.Number == 0 {
			t.Errorf("%s has the number %d, as has %q; expected one of its own, above 0", x.Path, x.Number, other)
		}
		numbers[x.Number] = x.Path
	}
}

func TestHeadersAreWhatIsRead(t *testing.T) {
	all, err := Embedded()
	must(t, err)
	headers, err := EmbeddedHeaders()
	must(t, err)
	var want []Header
	for _, x := range all {
		want = append(want, x.Header)
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Error(diff)
	}
}
