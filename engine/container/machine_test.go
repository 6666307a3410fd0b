package container_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/oci"
)

// commands are what can be done to the container web.
func commands() map[string]func(b *bench) error {
	zero := 0
	return map[string]func(b *bench) error{
		"start":   func(b *bench) error { return b.Start(b.ctx, "web", container.StartOptions{}) },
		"stop":    func(b *bench) error { return b.Stop(b.ctx, "web", &zero) },
		"restart": func(b *bench) error { return b.Restart(b.ctx, "web", nil) },
		"kill":    func(b *bench) error { return b.Kill(b.ctx, "web", "") },
		"pause":   func(b *bench) error { return b.Pause(b.ctx, "web") },
		"unpause": func(b *bench) error { return b.Unpause(b.ctx, "web") },
		"rm":      func(b *bench) error { return b.Remove(b.ctx, "web", false) },
		"rm -f":   func(b *bench) error { return b.Remove(b.ctx, "web", true) },
		"exec": func(b *bench) error {
			_, err := b.Exec(b.ctx, "web", container.ExecOptions{Cmd: []string{"ls"}})
			return err
		},
		"top":    func(b *bench) error { _, err := b.Top(b.ctx, "web"); return err },
		"commit": func(b *bench) error { _, err := b.Commit(b.ctx, "web", container.CommitOptions{}); return err },
		"diff":   func(b *bench) error { _, err := b.Changes(b.ctx, "web"); return err },
		"attach": func(b *bench) error {
			if b.state("web").Running && !b.state("web").Paused {
				return nil // the fake cannot attach
			}
			return b.Attach(b.ctx, "web", driver.Streams{})
		},
	}
}

// legality is docker's: the message when a command is refused in a state, and the state after it.
var legality = []struct{ state, command, message, after string }{
	{"created", "start", "", "running"},
	{"created", "stop", "", "created"},
	{"created", "restart", "", "running"},
	{"created", "kill", "cannot kill container: web: container ID is not running", "created"},
	{"created", "pause", "container ID is not running", "created"},
	{"created", "unpause", "Container ID is not paused", "created"},
	{"created", "rm", "", "gone"},
	{"created", "rm -f", "", "gone"},
	{"created", "exec", "container ID is not running", "created"},
	{"created", "top", "container ID is not running", "created"},
	{"created", "commit", "", "created"},
	{"created", "diff", "", "created"},
	{"created", "attach", "container ID is not running", "created"},

	{"running", "start", "", "running"},
	{"running", "stop", "", "exited"},
	{"running", "restart", "", "running"},
	{"running", "kill", "", "exited"},
	{"running", "pause", "", "paused"},
	{"running", "unpause", "Container ID is not paused", "running"},
	{"running", "rm", `cannot remove container "/web": container is running: stop the container before removing or force remove`, "running"},
	{"running", "rm -f", "", "gone"},
	{"running", "exec", "", "running"},
	{"running", "top", "", "running"},
	{"running", "commit", "", "running"},

	{"paused", "start", "cannot start a paused container, try unpause instead", "paused"},
	{"paused", "stop", "", "exited"},
	{"paused", "restart", "", "running"},
	{"paused", "kill", "", "exited"},
	{"paused", "pause", "Container ID is already paused", "paused"},
	{"paused", "unpause", "", "running"},
	{"paused", "rm", `cannot remove container "/web": container is paused and must be unpaused first`, "paused"},
	{"paused", "rm -f", "", "gone"},
	{"paused", "exec", "Container web is paused, unpause the container before exec", "paused"},
	{"paused", "commit", "", "paused"},
	{"paused", "attach", "container ID is paused, unpause the container before attach", "paused"},

	{"exited", "start", "", "running"},
	{"exited", "stop", "", "exited"},
	{"exited", "restart", "", "running"},
	{"exited", "kill", "cannot kill container: web: container ID is not running", "exited"},
	{"exited", "pause", "container ID is not running", "exited"},
	{"exited", "unpause", "Container ID is not paused", "exited"},
	{"exited", "rm", "", "gone"},
	{"exited", "rm -f", "", "gone"},
	{"exited", "exec", "container ID is not running", "exited"},
	{"exited", "top", "container ID is not running", "exited"},
	{"exited", "attach", "container ID is not running", "exited"},
}

// TestCommandInState holds every command against every state.
func TestCommandInState(t *testing.T) {
	for _, tt := range legality {
		t.Run(tt.state+"/"+tt.command, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, oci.ImageConfig{})
			b.t = t
			id := b.create("web", "sleep").ID
			b.bring(tt.state)
			err := commands()[tt.command](b)
			got := ""
			if err != nil {
				got = strings.ReplaceAll(err.Error(), id, "ID")
				if !errors.As(err, new(*container.ConflictError)) {
					t.Errorf("error is %T, want a *ConflictError", err)
				}
			}
			if got != tt.message {
				t.Errorf("message:\n got %q\nwant %q", got, tt.message)
			}
			if after := b.status("web"); after != tt.after {
				t.Errorf("state is %s, want %s", after, tt.after)
			}
			if p := b.Verify(b.ctx); len(p) > 0 {
				t.Errorf("Verify: %v", p)
			}
		})
	}
}

// bring brings a fresh container "web" into a state.
func (b *bench) bring(state string) {
	b.t.Helper()
	if state == "created" {
		return
	}
	b.start("web")
	switch state {
	case "paused":
		b.must(b.Pause(b.ctx, "web"))
	case "exited":
		b.must(b.Kill(b.ctx, "web", "KILL"))
	}
}

// status is a container's state, or gone.
func (b *bench) status(ref string) string {
	c, err := b.Find(b.ctx, ref)
	if errors.As(err, new(*container.NotFoundError)) {
		return "gone"
	}
	b.must(err)
	return string(c.State.Status)
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.create("web", "stubborn")
	b.start("web")
	zero := 0
	b.must(b.Stop(b.ctx, "web", &zero))
	if got := b.state("web"); got.ExitCode != 137 || got.Status != api.StateExited || got.Pid != 0 {
		t.Errorf("after stop: %+v", got.State)
	}
	want := []string{"SIGTERM stop", "SIGKILL stop-timeout"}
	if d := cmp.Diff(want, b.events.kinds("container.signal")); d != "" {
		t.Error(d)
	}
}

func TestStateIsAnnouncedOnce(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.create("web", "exit", "3")
	b.start("web")
	code, err := b.Wait(b.ctx, "web")
	if code != 3 || err != nil {
		t.Fatalf("Wait() = %d, %v, want 3", code, err)
	}
	for range 3 {
		if _, err := b.List(b.ctx, true); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"created running 0 false", "running exited 3 false"}
	if d := cmp.Diff(want, b.events.kinds("container.state")); d != "" {
		t.Error(d)
	}
	if code, err := b.Wait(b.ctx, "web"); code != 3 || err != nil {
		t.Errorf("second Wait() = %d, %v, want 3", code, err)
	}
}

func TestCommandThatCannotRunLeavesCreated(t *testing.T) {
	for _, tt := range []struct {
		command string
		code    int
	}{{"nope", 127}, {"noexec", 126}} {
		b := newBench(t, oci.ImageConfig{})
		b.create("web", tt.command)
		err := b.Start(b.ctx, "web", container.StartOptions{})
		var cmd *driver.CommandError
		if !errors.As(err, &cmd) || cmd.Code != tt.code {
			t.Fatalf("Start(%s) = %v, want a CommandError with code %d", tt.command, err, tt.code)
		}
		got := b.state("web")
		if got.Status != api.StateCreated || got.ExitCode != tt.code || got.Error != cmd.Msg {
			t.Errorf("state after %s: %+v", tt.command, got)
		}
		if len(b.tasks) != 0 {
			t.Error("a task is left")
		}
	}
}

func TestMachineLostItsPower(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.create("web", "sleep")
	b.start("web")
	b.crash()
	if got := b.state("web"); got.Status != api.StateExited || got.ExitCode != 255 || got.Error == "" || got.Running {
		t.Errorf("state of a lost container: %+v", got)
	}
	b.start("web")
	if got := b.state("web"); got.Status != api.StateRunning || got.Error != "" || got.ExitCode != 0 {
		t.Errorf("state after starting it again: %+v", got)
	}
}

func TestAutoRemoveGoesWhenItCannotStart(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	opts := container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"nope"}}, HostConfig: api.HostConfig{AutoRemove: true}}
	if _, err := b.Create(b.ctx, opts); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(b.ctx, "web", container.StartOptions{}); !errors.Is(err, driver.ErrCommand) {
		t.Fatalf("Start() = %v, want a command error", err)
	}
	if s := b.status("web"); s != "gone" {
		t.Errorf("container is %s, want gone", s)
	}
}

func TestCleanupRemovesWhatEnded(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.CleanupCommand = func(id string) []string { return []string{"clean", id} }
	opts := container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{AutoRemove: true}}
	c, err := b.Create(b.ctx, opts)
	b.must(err)
	b.start(c.ID)
	if d := cmp.Diff([]string{"clean", c.ID}, b.task(c.ID).spec.OnExit); d != "" {
		t.Error(d)
	}
	b.must(b.Cleanup(b.ctx, c.ID))
	if s := b.status(c.ID); s != "running" {
		t.Errorf("cleanup touched a running container: it is %s", s)
	}
	b.task(c.ID).end(driver.Exit{})
	b.must(b.Cleanup(b.ctx, c.ID))
	b.must(b.Cleanup(b.ctx, c.ID))
	if s := b.status(c.ID); s != "gone" {
		t.Errorf("container is %s, want gone", s)
	}
}

// TestOutputIsWholeAfterWait: the end is on record before the last of the output has come through; Wait waits for that too.
func TestOutputIsWholeAfterWait(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	c := b.create("web", "print", "all", "of", "it")
	var out strings.Builder
	b.must(b.Start(b.ctx, c.ID, container.StartOptions{Streams: driver.Streams{Stdout: &out}}))
	for b.status("web") != "exited" {
	}
	if code, err := b.Wait(b.ctx, c.ID); code != 0 || err != nil {
		t.Fatalf("Wait() = %d, %v", code, err)
	}
	if out.String() != "all of it\n" {
		t.Errorf("output after Wait: %q", out.String())
	}
}

// TestWhoeverWaitsRemoves: a supervisor does not clean up when a client waits, so the client has to.
func TestWhoeverWaitsRemoves(t *testing.T) {
	zero := 0
	ways := map[string]func(b *bench, id string) error{
		"stop": func(b *bench, id string) error { return b.Stop(b.ctx, id, &zero) },
		"kill": func(b *bench, id string) error { return b.Kill(b.ctx, id, "9") },
		"rm":   func(b *bench, id string) error { return b.Remove(b.ctx, id, true) },
		"wait": func(b *bench, id string) error {
			time.AfterFunc(20*time.Millisecond, func() { b.task(id).end(driver.Exit{Code: 3}) })
			code, err := b.Wait(b.ctx, id)
			if code != 3 {
				t.Errorf("Wait() = %d, want 3", code)
			}
			return err
		},
		"sweep": func(b *bench, id string) error {
			b.task(id).end(driver.Exit{})
			return b.ResumeRemovals(b.ctx)
		},
		"restart": func(b *bench, id string) error {
			err := b.Restart(b.ctx, id, nil)
			if s := b.status(id); s != "running" {
				t.Errorf("after restart it is %s", s)
			}
			return errors.Join(err, b.Stop(b.ctx, id, nil))
		},
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, oci.ImageConfig{})
			opts := container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{AutoRemove: true}}
			c, err := b.Create(b.ctx, opts)
			b.must(err)
			b.start(c.ID)
			if err := end(b, c.ID); err != nil {
				t.Error(err)
			}
			b.empty()
			b.must(b.Remove(b.ctx, c.ID, true)) // what run --rm does at its end
		})
	}
}
