package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The test binary is its own supervisor.
func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == SupervisorName {
		os.Exit(Supervise(os.Args))
	}
	os.Exit(m.Run())
}
