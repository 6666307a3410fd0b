package sim

import (
	"testing"

	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/driver/drivertest/program"
	"github.com/learn-containers/learn/engine/home"
)

// TestConformance holds this driver to the rules that every driver keeps.
func TestConformance(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Machine {
		h, err := home.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(h, Options{InProcess: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		return drivertest.Machine{Home: h, Layers: d.Layers, Snapshots: d.Snapshots, Trees: d.Snapshots, Folders: d.Folders, Runtime: d.Runtime,
			Base: drivertest.ApplyBase(t, d.Layers, program.Build(t)), Now: d.Now, Sleep: d.Sleep}
	})
}
