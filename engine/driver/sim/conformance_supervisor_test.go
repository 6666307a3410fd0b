package sim

import (
	"os"
	"testing"

	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/driver/drivertest/program"
	"github.com/learn-containers/learn/engine/home"
)

// TestConformanceInSupervisors is TestConformance with containers that live in processes of their own.
func TestConformanceInSupervisors(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	drivertest.Run(t, func(t *testing.T) drivertest.Machine {
		h, err := home.Open(t.TempDir())
		must(t, err)
		l := openLab(t, h, false)
		return drivertest.Machine{Home: h, Layers: l.Layers, Snapshots: l.Snapshots, Trees: l.Snapshots, Folders: l.Folders, Runtime: l.Runtime,
			Base: drivertest.ApplyBase(t, l.Layers, program.Build(t)), Now: l.Now, Sleep: l.Sleep, KillSupervisor: killSupervisor}
	})
}

func killSupervisor(t testing.TB, dir string) {
	t.Helper()
	rec, ok := readRecord(dir)
	if !ok {
		t.Fatal("no record of a supervisor")
	}
	p, err := os.FindProcess(rec.Supervisor)
	must(t, err)
	must(t, p.Kill())
}
