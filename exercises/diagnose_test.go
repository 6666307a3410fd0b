package exercises

import (
	"slices"
	"testing"
)

func TestComputedTakesBracketsOfCalls(t *testing.T) {
	cases := []struct {
		text string
		want []string
	}{
		{"nothing to compute (so to speak)", nil},
		{"begins ((and never ends", nil},
		{"((a)) and ((b.c))", []string{"a", "b.c"}},
		{`the file says ((trim(file("a")))).`, []string{`trim(file("a"))`}},
		{"((len(list))), then ((x))", []string{"len(list)", "x"}},
		{"((find(list, any(.parts, .ok)).name)) (that is it)", []string{"find(list, any(.parts, .ok)).name"}},
	}
	for _, c := range cases {
		if got := computed(c.text); !slices.Equal(got, c.want) {
			t.Errorf("computed(%q) is %q; expected %q", c.text, got, c.want)
		}
	}
}
