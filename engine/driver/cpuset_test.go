package driver

import (
	"maps"
	"slices"
	"testing"
)

func TestParseSet(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "0-3": {0, 1, 2, 3}, "0,2": {0, 2}, "5-5,1": {1, 5}, "0-1,1-2": {0, 1, 2}, "8191": {8191}} {
		got, err := ParseSet(list)
		if err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
			t.Errorf("ParseSet(%q) = %v, %v, want %v", list, got, err, want)
		}
	}
	for _, list := range []string{"", "a", "1-", "-1", "3-1", "0,,1", "8192", "0-99999999999", "1 ", "+1"} {
		if got, err := ParseSet(list); err == nil {
			t.Errorf("ParseSet(%q) = %v, want an error", list, got)
		}
	}
}

func FuzzParseSet(f *testing.F) {
	for _, s := range []string{"0-3,5", "", "0-8191", "9-1", "1,1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		set, err := ParseSet(list)
		if err == nil && (len(set) == 0 || len(set) > maxSet) {
			t.Errorf("ParseSet(%q): %d numbers", list, len(set))
		}
		for n := range set {
			if n < 0 || n >= maxSet {
				t.Errorf("ParseSet(%q): %d", list, n)
			}
		}
	})
}
