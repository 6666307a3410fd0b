package container_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
)

const (
	crashHome = "CONTAINER_TEST_HOME"
	crashRun  = "CONTAINER_TEST_RUN" // 1: the life of a container made with run --rm; networks: of one that is connected
)

// TestMain plays the process that dies at a failpoint.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashHome); dir != "" {
		h, err := home.Open(dir)
		if err != nil {
			os.Exit(2)
		}
		life, b := wholeLife, openBench(&testing.T{}, h, newMachine(), oci.ImageConfig{})
		switch os.Getenv(crashRun) {
		case "1":
			life = shortLife
		case "networks":
			life = networkLife
			b.connectContainers()
		}
		life(b)
		os.Exit(3) // the point was not reached
	}
	os.Exit(m.Run())
}

// wholeLife runs through every operation that has failpoints.
func wholeLife(b *bench) {
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}}})
	if err != nil {
		os.Exit(4)
	}
	_ = b.Start(b.ctx, c.ID, container.StartOptions{})
	_, _ = b.Commit(b.ctx, c.ID, container.CommitOptions{})
	_ = b.Remove(b.ctx, c.ID, true)
}

// shortLife is that of a container which is run and removes itself.
func shortLife(b *bench) {
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}},
		HostConfig: api.HostConfig{AutoRemove: true}, Run: true})
	if err != nil {
		os.Exit(4)
	}
	_ = b.Start(b.ctx, c.ID, container.StartOptions{})
	_ = b.Remove(b.ctx, c.ID, true)
}

// TestKilledRunLeavesNothing kills the client of run --rm at each failpoint before the container runs.
func TestKilledRunLeavesNothing(t *testing.T) {
	for _, point := range []string{"container.create.after-snapshot", "container.create.before-record", "container.create.after-record",
		"container.start.marked", "container.start.created", "container.start.started", "container.start.recorded", "container.remove.marked",
		"container.remove.after-snapshot", "container.remove.after-record"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "home")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), crashHome+"="+dir, crashRun+"=1", failpoint.Variable+"="+point)
			if err := cmd.Run(); err == nil || cmd.ProcessState.Exited() {
				t.Fatalf("the process was not killed at %s: %v", point, err)
			}
			h, err := home.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			b := openBench(t, h, newMachine(), oci.ImageConfig{})
			b.adopt()
			recoverHome(t, b)
			if got := b.status("web"); got != "gone" {
				t.Errorf("container is %s, want it gone", got)
			}
			if p := b.Verify(b.ctx); len(p) > 0 {
				t.Errorf("Verify: %v", p)
			}
			if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
				t.Errorf("tmp holds %v, %v", left, err)
			}
		})
	}
}

// A container that is only created waits for its start, also if it is to remove itself.
func TestCreatedToRemoveItselfStays(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	if _, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", HostConfig: api.HostConfig{AutoRemove: true}}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(b.home.Root(), "tmp")); err != nil || len(left) > 0 {
		t.Errorf("tmp holds %v, %v", left, err)
	}
	recoverHome(t, b)
	if got := b.status("web"); got != "created" {
		t.Errorf("container is %s, want it created", got)
	}
}

// recoverHome does what opening an engine does.
func recoverHome(t *testing.T, b *bench) {
	t.Helper()
	orphans, err := b.home.Orphans()
	if err != nil {
		t.Fatal(err)
	}
	for i := range orphans {
		for _, claim := range slices.Backward(orphans[i].Claims) {
			if err := b.UndoClaim(b.ctx, claim); err != nil {
				t.Errorf("undo %v: %v", claim, err)
			}
		}
		if err := orphans[i].Settle(); err != nil {
			t.Error(err)
		}
	}
	if err := b.ResumeRemovals(b.ctx); err != nil {
		t.Error(err)
	}
}

// TestKilledAtEveryPoint kills a process at each failpoint: the next one finds a home that verifies, in which the container is
// wholly there or wholly gone, and its name can be used.
func TestKilledAtEveryPoint(t *testing.T) {
	points := map[string]string{ // and what is left of the container
		"container.create.before-snapshot": "gone",
		"container.create.after-snapshot":  "gone",
		"container.create.before-record":   "gone",
		"container.create.after-record":    "gone",
		"container.start.marked":           "created",
		"container.start.created":          "created",
		"container.start.started":          "created", // the fake machine forgets what a dead process started
		"container.start.recorded":         "exited",
		"container.commit.before-blob":     "exited",
		"container.commit.after-blob":      "exited",
		"container.commit.before-image":    "exited",
		"container.commit.after-image":     "exited",
		"container.remove.marked":          "gone",
		"container.remove.after-snapshot":  "gone",
		"container.remove.after-record":    "gone",
	}
	for point, left := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "home")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), crashHome+"="+dir, failpoint.Variable+"="+point)
			if err := cmd.Run(); err == nil || cmd.ProcessState.Exited() {
				t.Fatalf("the process was not killed at %s: %v", point, err)
			}
			h, err := home.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			b := openBench(t, h, newMachine(), oci.ImageConfig{})
			b.adopt()
			recoverHome(t, b)
			if got := b.status("web"); got != left {
				t.Errorf("container is %s, want %s", got, left)
			}
			if p := b.Verify(b.ctx); len(p) > 0 {
				t.Errorf("Verify: %v", p)
			}
			if left == "gone" {
				b.create("web", "sleep")
			}
			b.start("web")
			b.must(b.Remove(b.ctx, "web", true))
			b.empty()
		})
	}
}

// adopt gives the machine the writable layers that it would have kept on disk.
func (b *bench) adopt() {
	all, err := b.List(b.ctx, true)
	b.must(err)
	for _, c := range all {
		b.must(snapshots{b.machine}.Prepare(b.ctx, c.ID, ""))
	}
}

// empty checks that nothing of any container is left.
func (b *bench) empty() {
	b.t.Helper()
	for _, dir := range []string{"containers", "tmp"} {
		left, err := os.ReadDir(filepath.Join(b.home.Root(), dir))
		if err != nil || len(left) != 0 {
			b.t.Errorf("left in %s: %v %v", dir, left, err)
		}
	}
	if len(b.keys) != 0 || len(b.tasks) != 0 {
		b.t.Errorf("left: %d writable layers, %d tasks", len(b.keys), len(b.tasks))
	}
}

// TestStartedByADeadProcess: the container runs, but the process that started it died before it could write so.
func TestStartedByADeadProcess(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.t = t
	c := b.create("web", "sleep")
	task, err := runtime{b.machine}.Create(b.ctx, driver.Spec{ID: c.ID, Process: driver.Process{Args: []string{"sleep"}}})
	b.must(err)
	b.must(task.Start(b.ctx, driver.Streams{}))
	b.must(os.WriteFile(filepath.Join(b.home.Containers(), c.ID, "state.json"), []byte(`{"Status":"created","Starting":true}`), 0o600))
	if got := b.status("web"); got != "running" {
		t.Errorf("container is %s, want running", got)
	}
	if got := b.events.kinds("container.state"); len(got) != 1 || got[0] != "created running 0 false" {
		t.Errorf("events: %q", got)
	}
	b.must(b.Remove(b.ctx, "web", true))
	b.empty()
}

// TestBrokenRecords: each file of the state truncated to nothing and to half. The list shows the rest and names the broken one,
// which can be removed by its id; its name can be used again.
func TestBrokenRecords(t *testing.T) {
	for _, file := range []string{"config.json", "state.json"} {
		for _, part := range []int64{0, 2} {
			b := newBench(t, oci.ImageConfig{})
			b.t = t
			b.create("good", "sleep")
			bad := b.create("bad", "exit", "0")
			b.start("bad")
			_, err := b.Wait(b.ctx, "bad")
			b.must(err)
			path := filepath.Join(b.home.Containers(), bad.ID, file)
			fi, err := os.Stat(path)
			b.must(err)
			size := int64(0)
			if part > 0 {
				size = fi.Size() / part
			}
			b.must(os.Truncate(path, size))
			all, err := b.List(context.Background(), true)
			if err != nil || len(all) != 2 {
				t.Fatalf("List() = %d containers, %v, want 2", len(all), err)
			}
			i := slices.IndexFunc(all, func(c container.Container) bool { return c.ID == bad.ID })
			if broken := all[i].Problem != nil; broken != (file == "config.json") || all[i].State.Error == "" {
				t.Errorf("%s cut to %d bytes: problem %v, state %+v", file, size, all[i].Problem, all[i].State.State)
			}
			b.must(b.Remove(b.ctx, bad.ID[:12], false))
			b.create("bad", "sleep")
			if p := b.Verify(b.ctx); len(p) > 0 {
				t.Errorf("Verify: %v", p)
			}
		}
	}
}

// TestOneMuteTask: a task that cannot be asked does not hide the other containers.
func TestOneMuteTask(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	mute := b.create("mute", "sleep")
	b.start("mute")
	b.create("good", "sleep")
	b.failLoad = mute.ID
	all, err := b.List(b.ctx, true)
	if err != nil || len(all) != 2 {
		t.Fatalf("List() = %d containers, %v, want 2", len(all), err)
	}
	for _, c := range all {
		if (c.Problem != nil) != (c.ID == mute.ID) {
			t.Errorf("%s: problem %v", c.Name, c.Problem)
		}
	}
}
