//go:build linux

package linux

import (
	"fmt"
	"os"
	"testing"

	// The test binary stands in for the engine's: its supervisors and stages are this binary again.
	_ "github.com/learn-containers/learn/cmd/learn/boot"
	_ "github.com/learn-containers/learn/cmd/learn/boot/watch"
)

// enterVariable makes the test binary enter a user namespace first, as an ordinary user's command does.
const enterVariable = "LEARN_TEST_ENTER"

func TestMain(m *testing.M) {
	if os.Getenv(enterVariable) != "" {
		if err := Reexec(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// lacks skips a test for what the machine does not have or allow; under CI, where it must, that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
