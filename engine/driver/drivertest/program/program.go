// Package program builds the program for tests that need its file. It is apart from the suite, whose imports would cost every process
// that a test binary starts of itself their initialisation.
package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds the program for this machine, statically, in a folder of t's, and returns the file. Where there is no Go, the variable
// LEARN_TEST_PROGRAM names one that was built elsewhere.
func Build(t testing.TB) string {
	t.Helper()
	if file := os.Getenv("LEARN_TEST_PROGRAM"); file != "" {
		return file
	}
	binary := filepath.Join(t.TempDir(), "learn")
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", binary, "github.com/learn-containers/learn/cmd/learn")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build learn: %v\n%s", err, out)
	}
	return binary
}
