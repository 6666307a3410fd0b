//go:build linux

package linux

// The test binary stands in for the engine's: its supervisors and stages are this binary again.
import _ "github.com/learn-containers/learn/cmd/learn/boot"
