//go:build linux

package tiny_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/engine/userland/tiny"
)

// The test binary is a tiny program when TINY is set, else, by its name, the program of userland.
func TestMain(m *testing.M) {
	switch os.Getenv("TINY") {
	case "1":
		if code, ok := tiny.Main(os.Args); ok {
			os.Exit(code)
		}
		os.Exit(99)
	case "0":
		os.Exit(userland.Main(os.Args))
	}
	os.Exit(m.Run())
}

// What a tiny program takes on it does as userland does.
func TestSameAsUserland(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(mode string, argv []string) (string, int) {
		cmd := exec.Command(self)
		cmd.Args, cmd.Dir, cmd.Env = argv, dir, []string{"TINY=" + mode}
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, argv := range [][]string{{"true"}, {"false"}, {"/bin/true", "x"}, {"echo"}, {"echo", "a", " b"}, {"echo", "-n", "x"}, {"echo", "--"},
		{"cat", "file"}, {"cat", "file", "nope", "file"}, {"cat", "."}, {"cat"}, {"cat", "-"}, {"sleep", "0"}, {"sleep", "0.01", "0.00s"},
		{"pwd"}, {"cat", "-n", "file"}, {"echo", "-e", "a"}, {"sleep", "x"}, {"pwd", "-P"}, {"sleep"}} {
		got, code := run("1", argv)
		if code == 99 {
			continue // left to userland
		}
		want, wantCode := run("0", argv)
		if got != want || code != wantCode {
			t.Errorf("%q: %q and %d, want %q and %d", argv, got, code, want, wantCode)
		}
	}
}
