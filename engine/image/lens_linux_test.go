package image

import (
	"os"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux"
	"github.com/learn-containers/learn/engine/home"
)

func TestLensIsWhatTheKernelUnpacks(t *testing.T) {
	if os.Geteuid() != 0 {
		lacks(t, "needs root: layers are unpacked with owners and devices")
	}
	checkUnion(t, func(h *home.Home) (driver.Layers, driver.Trees) {
		ls := linux.NewLayers(h, linux.Mode{})
		return ls, linux.NewSnapshots(h, linux.Mode{}, ls)
	})
}

// lacks skips a test for what the machine does not have or allow; under CI, where it must, that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
