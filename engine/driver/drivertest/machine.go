package drivertest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/userland"
)

// Machine is a driver to be tested, with an open home.
type Machine struct {
	Home      *home.Home
	Layers    driver.Layers
	Snapshots driver.Snapshots
	Trees     driver.Trees
	Folders   driver.Folders
	Runtime   driver.Runtime
	Base      digest.Digest // chain of the layer of learn/base, applied (ApplyBase)

	// Now and Sleep are the machine's clock; nil for the host's.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error

	// KillSupervisor ends the supervisor of the container in a folder by SIGKILL; nil where there are none.
	KillSupervisor func(t testing.TB, dir string)
}

// Run holds a driver to every rule. open gives a machine that nobody else uses and cleans it up when t ends; it is called once.
func Run(t *testing.T, open func(t *testing.T) Machine) {
	l := newLab(open(t))
	for _, group := range []struct {
		name string
		run  func(*testing.T, *lab)
	}{
		{"layers", testLayers}, {"hostile archives", testHostile}, {"snapshots", testSnapshots}, {"overlay", testOverlay}, {"trees", testTrees},
		{"programs", testPrograms}, {"streams", testStreams}, {"terminals", testTerminals}, {"signals", testSignals}, {"exec", testExec},
		{"life", testLife}, {"mounts", testMounts}, {"mounted trees", testTreeMounts}, {"folders", testFolders}, {"volumes", testVolumes}, {"mounted files", testFileMounts}, {"networks", testNetwork}, {"connections", testConnections}, {"security", testSecurity}, {"limits", testLimits}, {"accounting", testAccounting}, {"events", testEvents}, {"files", testFiles},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			group.run(t, l)
		})
	}
}

// ApplyBase unpacks the layer of learn/base, made of the program in the file binary, and returns its chain.
func ApplyBase(t testing.TB, layers driver.Layers, binary string) digest.Digest {
	t.Helper()
	var buf bytes.Buffer
	if err := userland.BaseLayer(&buf, userland.BaseOptions{Binary: binary}); err != nil {
		t.Fatal(err)
	}
	chain := digest.FromBytes(buf.Bytes())
	if err := layers.Apply(t.Context(), chain, "", chain, &buf); err != nil {
		t.Fatal(err)
	}
	return chain
}
