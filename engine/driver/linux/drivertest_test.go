//go:build linux

package linux

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/driver/drivertest/program"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/home"
)

// TestConformance holds this driver to the rules that every driver keeps. They want root's powers: devices, several owners, limits.
func TestConformance(t *testing.T) {
	mode := Detect()
	if mode.Rootless {
		lacks(t, "needs root")
	}
	drivertest.Run(t, func(t *testing.T) drivertest.Machine {
		h, err := home.Open(t.TempDir())
		must(t, err)
		layers := NewLayers(h, mode)
		snapshots := NewSnapshots(h, mode, layers)
		return drivertest.Machine{Home: h, Layers: layers, Snapshots: snapshots, Trees: snapshots, Folders: snapshots, Runtime: NewRuntime(h, mode, snapshots),
			Base: drivertest.ApplyBase(t, layers, program.Build(t)), KillSupervisor: killSupervisor}
	})
}

func killSupervisor(t testing.TB, dir string) {
	t.Helper()
	rec, ok := shim.ReadRecord(dir)
	if !ok {
		t.Fatal("no record of a supervisor")
	}
	must(t, unix.Kill(rec.ShimPid, unix.SIGKILL))
}
