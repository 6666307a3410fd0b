//go:build linux

package linux

import (
	"os"
	"testing"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// TestMain lets the test binary stand in for the engine's: its supervisors and stages are this binary again.
func TestMain(m *testing.M) {
	if stage, ok := os.LookupEnv(shim.StageVariable); ok {
		shim.Main(stage)
	}
	os.Exit(m.Run())
}
