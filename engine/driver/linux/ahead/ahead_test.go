package ahead

import "testing"

func TestRuns(t *testing.T) {
	for _, c := range []struct {
		argv []string
		want bool
	}{
		{[]string{"learn", "docker", "run", "x"}, true},
		{[]string{"/usr/bin/docker", "run", "x"}, true},
		{[]string{"docker-dev", "run"}, true},
		{[]string{"learn", "--trace", "f", "docker", "run", "x"}, true},
		{[]string{"learn", "docker", "ps"}, false},
		{[]string{"learn", "docker", "exec", "docker", "run"}, false},
		{[]string{"docker", "ps", "run"}, false},
		{[]string{"learn", "docker"}, false},
		{[]string{"learn"}, false},
		{nil, false},
	} {
		if got := runs(c.argv); got != c.want {
			t.Errorf("runs(%q) = %v", c.argv, got)
		}
	}
}
