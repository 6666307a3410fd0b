package container_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
		"start":    func(b *bench) error { return b.Start(b.ctx, "web", container.StartOptions{}) },
		"stop":     func(b *bench) error { return b.Stop(b.ctx, "web", container.StopOptions{Timeout: &zero}) },
		"restart":  func(b *bench) error { return b.Restart(b.ctx, "web", container.StopOptions{}) },
		"kill":     func(b *bench) error { return b.Kill(b.ctx, "web", "") },
		"kill HUP": func(b *bench) error { return b.Kill(b.ctx, "web", "HUP") },
		"pause":    func(b *bench) error { return b.Pause(b.ctx, "web") },
		"unpause":  func(b *bench) error { return b.Unpause(b.ctx, "web") },
		"rm":       func(b *bench) error { return b.Remove(b.ctx, "web", false) },
		"rm -f":    func(b *bench) error { return b.Remove(b.ctx, "web", true) },
		"rename":   func(b *bench) error { return b.Rename(b.ctx, "web", "www") },
		"wait": func(b *bench) error {
			ctx, cancel := context.WithTimeout(b.ctx, 100*time.Millisecond)
			defer cancel()
			_, err := b.Wait(ctx, "web")
			if errors.Is(err, context.DeadlineExceeded) {
				return &container.ConflictError{Msg: "waits"} // for the table: there is an end to come
			}
			return err
		},
		"exec": func(b *bench) error {
			_, err := b.Exec(b.ctx, "web", container.ExecOptions{Cmd: []string{"ls"}})
			return err
		},
		"top":    func(b *bench) error { _, err := b.Top(b.ctx, "web"); return err },
		"commit": func(b *bench) error { _, err := b.Commit(b.ctx, "web", container.CommitOptions{}); return err },
		"diff":   func(b *bench) error { _, err := b.Changes(b.ctx, "web"); return err },
		"export": func(b *bench) error { return b.Export(b.ctx, "web", io.Discard) },
		"logs": func(b *bench) error {
			return b.Logs(b.ctx, "web", container.LogOptions{Tail: "all"}, io.Discard, io.Discard)
		},
		"attach": func(b *bench) error {
			if s := b.state("web"); s.Live() && !s.Paused {
				return nil // the fake cannot attach
			}
			return b.Attach(b.ctx, "web", driver.Streams{})
		},
	}
}

// legality is docker's: the message when a command is refused in a state, and the state after it. bench/transitions.sh holds a real docker
// against the command line; where docker 20.10 says something else than later ones, this is what later ones say.
var legality = []struct{ state, command, message, after string }{
	{"created", "start", "", "running"},
	{"created", "stop", "", "created"},
	{"created", "restart", "", "running"},
	{"created", "kill", "cannot kill container: web: container ID is not running", "created"},
	{"created", "kill HUP", "cannot kill container: web: container ID is not running", "created"},
	{"created", "pause", "container ID is not running", "created"},
	{"created", "unpause", "Container ID is not paused", "created"},
	{"created", "rm", "", "gone"},
	{"created", "rm -f", "", "gone"},
	{"created", "rename", "", "created"},
	{"created", "wait", "", "created"},
	{"created", "exec", "container ID is not running", "created"},
	{"created", "top", "container ID is not running", "created"},
	{"created", "commit", "", "created"},
	{"created", "diff", "", "created"},
	{"created", "export", "", "created"},
	{"created", "logs", "", "created"},
	{"created", "attach", "container ID is not running", "created"},

	{"running", "start", "", "running"},
	{"running", "stop", "", "exited"},
	{"running", "restart", "", "running"},
	{"running", "kill", "", "exited"},
	{"running", "kill HUP", "", "running"},
	{"running", "pause", "", "paused"},
	{"running", "unpause", "Container ID is not paused", "running"},
	{"running", "rm", `cannot remove container "/web": container is running: stop the container before removing or force remove`, "running"},
	{"running", "rm -f", "", "gone"},
	{"running", "rename", "", "running"},
	{"running", "wait", "waits", "running"},
	{"running", "exec", "", "running"},
	{"running", "top", "", "running"},
	{"running", "commit", "", "running"},
	{"running", "diff", "", "running"},
	{"running", "export", "", "running"},
	{"running", "logs", "", "running"},
	{"running", "attach", "", "running"},

	{"paused", "start", "cannot start a paused container, try unpause instead", "paused"},
	{"paused", "stop", "", "exited"},
	{"paused", "restart", "", "running"},
	{"paused", "kill", "", "exited"},
	{"paused", "kill HUP", "", "running"}, // docker lets it go on for any signal
	{"paused", "pause", "Container ID is already paused", "paused"},
	{"paused", "unpause", "", "running"},
	{"paused", "rm", `cannot remove container "/web": container is paused and must be unpaused first`, "paused"},
	{"paused", "rm -f", "", "gone"},
	{"paused", "rename", "", "paused"},
	{"paused", "wait", "waits", "paused"},
	{"paused", "exec", "Container web is paused, unpause the container before exec", "paused"},
	{"paused", "top", "", "paused"},
	{"paused", "commit", "", "paused"},
	{"paused", "diff", "", "paused"},
	{"paused", "export", "", "paused"},
	{"paused", "logs", "", "paused"},
	{"paused", "attach", "container ID is paused, unpause the container before attach", "paused"},

	{"restarting", "start", "", "restarting"},
	{"restarting", "stop", "", "exited"},
	{"restarting", "restart", "", "restarting"}, // it runs, ends and is restarting once more
	{"restarting", "kill", "", "exited"},
	{"restarting", "kill HUP", "", "exited"},
	{"restarting", "pause", "Container ID is restarting, wait until the container is running", "restarting"},
	{"restarting", "unpause", "Container ID is not paused", "restarting"},
	{"restarting", "rm", `cannot remove container "/web": container is restarting: stop the container before removing or force remove`, "restarting"},
	{"restarting", "rm -f", "", "gone"},
	{"restarting", "rename", "", "restarting"},
	{"restarting", "wait", "waits", "restarting"},
	{"restarting", "exec", "Container ID is restarting, wait until the container is running", "restarting"},
	{"restarting", "top", "Container ID is restarting, wait until the container is running", "restarting"},
	{"restarting", "commit", "", "restarting"},
	{"restarting", "diff", "", "restarting"},
	{"restarting", "export", "", "restarting"},
	{"restarting", "logs", "", "restarting"},
	{"restarting", "attach", "Container ID is restarting, wait until the container is running", "restarting"},

	{"exited", "start", "", "running"},
	{"exited", "stop", "", "exited"},
	{"exited", "restart", "", "running"},
	{"exited", "kill", "cannot kill container: web: container ID is not running", "exited"},
	{"exited", "kill HUP", "cannot kill container: web: container ID is not running", "exited"},
	{"exited", "pause", "container ID is not running", "exited"},
	{"exited", "unpause", "Container ID is not paused", "exited"},
	{"exited", "rm", "", "gone"},
	{"exited", "rm -f", "", "gone"},
	{"exited", "rename", "", "exited"},
	{"exited", "wait", "", "exited"},
	{"exited", "exec", "container ID is not running", "exited"},
	{"exited", "top", "container ID is not running", "exited"},
	{"exited", "commit", "", "exited"},
	{"exited", "diff", "", "exited"},
	{"exited", "export", "", "exited"},
	{"exited", "logs", "", "exited"},
	{"exited", "attach", "container ID is not running", "exited"},
	{"exited", "attach", "container ID is not running", "exited"},

	{"removing", "start", "container is marked for removal and cannot be started", "removing"},
	{"removing", "stop", "", "removing"},
	{"removing", "restart", "container is marked for removal and cannot be started", "removing"},
	{"removing", "kill", "cannot kill container: web: container ID is not running", "removing"},
	{"removing", "pause", "container ID is not running", "removing"},
	{"removing", "unpause", "Container ID is not paused", "removing"},
	{"removing", "rm", "", "gone"}, // it goes on where another process died
	{"removing", "rename", "container is marked for removal and cannot be renamed", "removing"},
	{"removing", "exec", "container ID is not running", "removing"},
	{"removing", "commit", "You cannot commit container ID which is being removed", "removing"},

	// A dead container is one whose record can't be read: all that can be done is to remove it.
	{"dead", "start", "BROKEN", "dead"},
	{"dead", "stop", "BROKEN", "dead"},
	{"dead", "restart", "BROKEN", "dead"},
	{"dead", "kill", "cannot kill container: web: container ID is not running", "dead"},
	{"dead", "pause", "BROKEN", "dead"},
	{"dead", "unpause", "BROKEN", "dead"},
	{"dead", "rename", "BROKEN", "dead"},
	{"dead", "wait", "BROKEN", "dead"},
	{"dead", "exec", "BROKEN", "dead"},
	{"dead", "top", "BROKEN", "dead"},
	{"dead", "commit", "BROKEN", "dead"},
	{"dead", "diff", "BROKEN", "dead"},
	{"dead", "export", "BROKEN", "dead"},
	{"dead", "rm", "", "gone"},
	{"dead", "rm -f", "", "gone"},
}

// TestCommandInState holds every command against every state.
func TestCommandInState(t *testing.T) {
	for _, tt := range legality {
		t.Run(tt.state+"/"+tt.command, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, oci.ImageConfig{})
			b.t = t
			id := b.bring(tt.state)
			err := commands()[tt.command](b)
			if got := b.refusal(err, id); got != tt.message {
				t.Errorf("message:\n got %q\nwant %q", got, tt.message)
			}
			if tt.after == "restarting" {
				b.awaitEnd(id) // it may have been started
			}
			if after := b.status(id); after != tt.after {
				t.Errorf("state is %s, want %s", after, tt.after)
			}
			if p := b.Verify(b.ctx); len(p) > 0 && tt.state != "dead" && tt.after != "removing" {
				t.Errorf("Verify: %v", p)
			}
		})
	}
}

// refusal is the message of a refused command, with what differs from run to run named.
func (b *bench) refusal(err error, id string) string {
	b.t.Helper()
	if err == nil {
		return ""
	}
	got := strings.ReplaceAll(err.Error(), id, "ID")
	if strings.Contains(got, "remove the container with: docker rm") {
		return "BROKEN"
	}
	if !errors.As(err, new(*container.ConflictError)) {
		b.t.Errorf("error is %T, want a *ConflictError", err)
	}
	return got
}

// bring makes a container "web" and brings it into a state.
func (b *bench) bring(state string) (id string) {
	b.t.Helper()
	if state == "restarting" {
		return b.restarting("web", api.RestartPolicy{Name: "always"}, 3)
	}
	id = b.create("web", "sleep").ID
	switch state {
	case "created":
		return id
	case "removing":
		b.edit(id, "state.json", `"Status": "created"`, `"Status": "removing", "Removing": true`)
		return id
	case "dead":
		b.edit(id, "config.json", "{", "{{")
		return id
	}
	b.start("web")
	switch state {
	case "paused":
		b.must(b.Pause(b.ctx, "web"))
	case "exited":
		b.must(b.Kill(b.ctx, "web", "KILL"))
	}
	return id
}

// edit changes a file of a container behind the manager's back. A state that was never written is that of a new one.
func (b *bench) edit(id, name, old, now string) {
	b.t.Helper()
	path := filepath.Join(b.home.Containers(), id, name)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte(`{"Status": "created", "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}`), nil
	}
	b.must(err)
	b.must(os.WriteFile(path, []byte(strings.Replace(string(text), old, now, 1)), 0o600))
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
	b.must(b.Stop(b.ctx, "web", container.StopOptions{Timeout: &zero}))
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
		"stop": func(b *bench, id string) error { return b.Stop(b.ctx, id, container.StopOptions{Timeout: &zero}) },
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
			err := b.Restart(b.ctx, id, container.StopOptions{})
			if s := b.status(id); s != "running" {
				t.Errorf("after restart it is %s", s)
			}
			return errors.Join(err, b.Stop(b.ctx, id, container.StopOptions{}))
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
