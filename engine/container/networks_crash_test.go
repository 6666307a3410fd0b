package container_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/learn-containers/learn/engine/oci"
)

// networkLife is that of a container which is connected and disconnected while it runs.
func networkLife(b *bench) {
	for _, name := range []string{"front", "back"} {
		if _, err := b.Networks.Create(b.ctx, ledger.CreateOptions{Name: name}); err != nil {
			os.Exit(4)
		}
	}
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{NetworkMode: "front"}})
	if err != nil {
		os.Exit(4)
	}
	_ = b.Start(b.ctx, c.ID, container.StartOptions{})
	_ = b.Connect(b.ctx, "back", c.ID, nil)
	_ = b.Disconnect(b.ctx, "front", c.ID, false)
	_ = b.Remove(b.ctx, c.ID, true)
}

// TestKilledWhileConnected kills the process at each step: no lease is left, and the container can be started.
func TestKilledWhileConnected(t *testing.T) {
	for _, point := range []string{"network.claim.before-lease", "container.start.marked", "container.start.created", "container.start.started", "container.start.recorded",
		"container.connect.claimed", "container.connect.rewired", "container.disconnect.rewired", "container.remove.marked", "container.remove.after-snapshot", "container.remove.after-record"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "home")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), crashHome+"="+dir, crashRun+"=networks", failpoint.Variable+"="+point)
			if err := cmd.Run(); err == nil || cmd.ProcessState.Exited() {
				t.Fatalf("the process was not killed at %s: %v", point, err)
			}
			h, err := home.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			b := openBench(t, h, newMachine(), oci.ImageConfig{})
			b.connectContainers()
			b.adopt()
			recoverHome(t, b)
			b.must(b.Networks.Sweep(b.ctx))
			if left, _ := filepath.Glob(filepath.Join(dir, "networks", "*", "leases", "*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if b.status("web") == "gone" {
				b.inNetwork("web", "back")
			}
			b.start("web")
			b.must(b.Remove(b.ctx, "web", true))
			for _, name := range []string{"front", "back"} {
				_, err := b.Networks.Remove(b.ctx, name)
				b.must(err)
			}
			b.empty()
		})
	}
}
