package userland

import (
	"bytes"
	"context"
	"testing"
)

// TestWithoutStarter: where no process can be started, programs find one another without a file, and nothing else.
func TestWithoutStarter(t *testing.T) {
	for script, want := range map[string]string{
		"printf 'a b' | xargs echo": "a b\n",
		"env echo x":                "x\n",
		"find /no-such-place -name x 2>/dev/null; ls": "",
		"echo docker | xargs -I X X ps":               "",
	} {
		var out, errs bytes.Buffer
		env := OS()
		env.Starter, env.Stdout, env.Stderr, env.Dir = nil, &out, &errs, t.TempDir()
		env.Stdin = bytes.NewReader(nil)
		env.Environ = []string{"PATH=/nowhere"}
		Run(context.Background(), env, []string{"sh", "-c", script})
		if out.String() != want {
			t.Errorf("%s printed %q (%q), want %q", script, out.String(), errs.String(), want)
		}
	}
}
