package lessons

import (
	"bytes"
	"context"
	"io"
	"testing"
)

// readers counts what its programs find to read.
type readers struct{}

func (readers) Program(_ context.Context, argv []string, s Streams, _ string, _ []string) (int, bool) {
	if argv[0] != "length" {
		return 0, false
	}
	data, err := io.ReadAll(s.In)
	if err != nil {
		return 1, true
	}
	return len(data), true
}

func TestShellProgramsReadToTheEnd(t *testing.T) {
	sh, err := NewShell(&fakeEngine{home: t.TempDir()}, readers{}, t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for script, want := range map[string]int{"length": 0, "echo four | length": 5} {
		code, err := sh.Run(t.Context(), script, &bytes.Buffer{})
		if err != nil || code != want {
			t.Errorf("%q found %d bytes, %v; expected %d", script, code, err, want)
		}
	}
}
