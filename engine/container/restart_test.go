package container_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/oci"
)

// withPolicy makes a container that ends at once with code.
func (b *bench) withPolicy(name string, p api.RestartPolicy, args ...string) string {
	b.t.Helper()
	c, err := b.Create(b.ctx, container.CreateOptions{Name: name, Image: "img", Config: api.Config{Cmd: args}, HostConfig: api.HostConfig{RestartPolicy: p}})
	b.must(err)
	return c.ID
}

// restarting makes a container that has ended with code and rests.
func (b *bench) restarting(name string, p api.RestartPolicy, code int) string {
	b.t.Helper()
	id := b.withPolicy(name, p, "exit", itoa(code))
	b.start(id)
	b.awaitEnd(id)
	return id
}

func itoa(n int) string { return string(rune('0' + n)) }

// awaitEnd waits until the present task of a container has ended.
func (b *bench) awaitEnd(id string) {
	b.t.Helper()
	_, err := b.task(id).awaitEnd(b.ctx)
	b.must(err)
}

// told lists docker's events of a container from the log, as action and exit code.
func (b *bench) told(id string) []string {
	b.t.Helper()
	var got []string
	err := b.Manager.Events.Follow(b.ctx, func(m events.Message) error {
		if m.Actor.ID == id {
			got = append(got, strings.TrimSpace(string(m.Action)+" "+m.Actor.Attributes["exitCode"]+m.Actor.Attributes["signal"]))
		}
		return nil
	}, func() error { return io.EOF })
	b.must(err)
	return got
}

func TestPolicies(t *testing.T) {
	for _, tt := range []struct {
		policy string
		max    int
		code   int
		want   []string // states after each end
		count  int
	}{
		{"no", 0, 1, []string{"exited"}, 0},
		{"always", 0, 0, []string{"restarting", "restarting"}, 2},
		{"unless-stopped", 0, 0, []string{"restarting", "restarting"}, 2},
		{"on-failure", 0, 0, []string{"exited"}, 0},
		{"on-failure", 0, 1, []string{"restarting", "restarting", "restarting"}, 3},
		{"on-failure", 2, 1, []string{"restarting", "restarting", "exited"}, 2},
	} {
		t.Run(tt.policy+"/"+itoa(tt.max)+"/"+itoa(tt.code), func(t *testing.T) {
			b := newBench(t, oci.ImageConfig{})
			id := b.withPolicy("web", api.RestartPolicy{Name: api.RestartPolicyMode(tt.policy), MaximumRetryCount: tt.max}, "exit", itoa(tt.code))
			b.start(id)
			for i, want := range tt.want {
				b.awaitEnd(id)
				s := b.state(id)
				if string(s.Status) != want || s.ExitCode != tt.code || s.Pid != 0 || s.Restarting != (want == "restarting") || s.Running != s.Restarting {
					t.Fatalf("after end %d: %+v", i+1, s)
				}
				if i+1 < len(tt.want) {
					b.must(b.Again(b.ctx, id))
				}
			}
			if s := b.state(id); s.RestartCount != tt.count {
				t.Errorf("it was started again %d times, want %d", s.RestartCount, tt.count)
			}
			b.must(b.Again(b.ctx, id)) // of what does not restart it is nothing
			b.must(b.Remove(b.ctx, id, true))
			b.empty()
		})
	}
}

func TestRestDoubles(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	id := b.restarting("web", api.RestartPolicy{Name: "always"}, 1)
	for _, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		if got := b.state(id).Rested; got != want {
			t.Errorf("it rests for %v, want %v", got, want)
		}
		b.must(b.Again(b.ctx, id))
		if got := b.task(id).spec.Rested; got != want {
			t.Errorf("the next supervisor is told that it rested %v, want %v", got, want)
		}
		b.awaitEnd(id)
	}
}

func TestEventsOfARestart(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	id := b.restarting("web", api.RestartPolicy{Name: "on-failure", MaximumRetryCount: 1}, 1)
	b.must(b.Again(b.ctx, id))
	b.awaitEnd(id)
	b.must(b.Rename(b.ctx, "web", "www"))
	if s := b.status("www"); s != "exited" {
		t.Fatalf("it is %s", s)
	}
	b.must(b.Remove(b.ctx, id, false))
	want := []string{"create", "start", "die 1", "start", "die 1", "rename", "destroy"}
	if d := cmp.Diff(want, b.told(id)); d != "" {
		t.Error(d)
	}
	states := []string{"created running 0 false", "running restarting 1 false", "restarting running 0 false", "running exited 1 false"}
	if d := cmp.Diff(states, b.events.kinds("container.state")); d != "" {
		t.Error(d)
	}
}

// TestStoppedByHandStaysDown: whatever the policy, what somebody stopped or sent a signal does not come back by itself.
func TestStoppedByHandStaysDown(t *testing.T) {
	for name, end := range map[string]func(b *bench) error{
		"stop": func(b *bench) error { return b.Stop(b.ctx, "web", container.StopOptions{}) },
		"kill": func(b *bench) error { return b.Kill(b.ctx, "web", "") },
		"term": func(b *bench) error {
			err := b.Kill(b.ctx, "web", "TERM")
			_, werr := b.Wait(b.ctx, "web")
			return errors.Join(err, werr)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, oci.ImageConfig{})
			b.withPolicy("web", api.RestartPolicy{Name: "always"}, "sleep")
			b.start("web")
			b.must(end(b))
			if s := b.state("web"); s.Status != api.StateExited || !s.HasBeenManuallyStopped {
				t.Errorf("state: %+v", s)
			}
			if st, _ := b.task(b.find("web").ID).Status(b.ctx); st.Resting {
				t.Error("its supervisor rests on")
			}
			b.start("web")
			if s := b.state("web"); s.HasBeenManuallyStopped || s.StaysDown || s.RestartCount != 0 {
				t.Errorf("started again: %+v", s)
			}
		})
	}
}

// TestSignalThatIsNotTheStopSignal: with a stop signal of its own, another one is not taken as meant to end it.
func TestSignalThatIsNotTheStopSignal(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}, StopSignal: "QUIT"},
		HostConfig: api.HostConfig{RestartPolicy: api.RestartPolicy{Name: "always"}}})
	b.must(err)
	b.start("web")
	b.must(b.Kill(b.ctx, "web", "TERM"))
	b.awaitEnd(c.ID)
	if s := b.status("web"); s != "restarting" {
		t.Errorf("it is %s", s)
	}
}

// TestSupervisorDiedWhileItRested: a look finds that nobody will start it, and --restart-policies does.
func TestSupervisorDiedWhileItRested(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	id := b.restarting("web", api.RestartPolicy{Name: "on-failure", MaximumRetryCount: 5}, 2)
	if s := b.status(id); s != "restarting" {
		t.Fatalf("it is %s", s)
	}
	b.must(b.task(id).Dismiss(b.ctx))
	if s := b.state(id); s.Status != api.StateExited || s.Running || s.Restarting || s.ExitCode != 2 {
		t.Errorf("after its supervisor died: %+v", s)
	}
	started, err := b.StartByPolicy(b.ctx)
	b.must(err)
	if d := cmp.Diff([]string{"web"}, started); d != "" {
		t.Error(d)
	}
}

// TestAfterAReboot starts what each policy wants after the machine lost its power.
func TestAfterAReboot(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	for _, p := range []string{"no", "always", "unless-stopped", "on-failure"} {
		for _, how := range []string{"up", "stopped", "new"} {
			name := p + "-" + how
			b.withPolicy(name, api.RestartPolicy{Name: api.RestartPolicyMode(p)}, "sleep")
			if how == "new" {
				continue
			}
			b.start(name)
			if how == "stopped" {
				b.must(b.Stop(b.ctx, name, container.StopOptions{}))
			}
		}
	}
	b.restarting("rests", api.RestartPolicy{Name: "always"}, 0)
	b.status("rests")
	b.crash()
	b.must(b.ResumeRemovals(b.ctx))
	started, err := b.StartByPolicy(b.ctx)
	b.must(err)
	slices.Sort(started)
	// What was stopped by a signal has failed for on-failure, as in docker.
	want := []string{"always-stopped", "always-up", "on-failure-stopped", "on-failure-up", "rests", "unless-stopped-up"}
	if d := cmp.Diff(want, started); d != "" {
		t.Error(d)
	}
	if more, err := b.StartByPolicy(b.ctx); err != nil || len(more) > 1 { // "rests" may have ended already
		t.Errorf("again: %v, %v", more, err)
	}
}

func TestPolicyThatMakesNoSense(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	for _, tt := range []struct {
		host api.HostConfig
		want string
	}{
		{api.HostConfig{RestartPolicy: api.RestartPolicy{Name: "foo"}}, "invalid restart policy 'foo'"},
		{api.HostConfig{RestartPolicy: api.RestartPolicy{Name: "always", MaximumRetryCount: 2}}, "maximum retry count cannot be used with restart policy 'always'"},
		{api.HostConfig{RestartPolicy: api.RestartPolicy{Name: "on-failure", MaximumRetryCount: -1}}, "maximum retry count cannot be negative"},
		{api.HostConfig{AutoRemove: true, RestartPolicy: api.RestartPolicy{Name: "always"}}, "can't create 'AutoRemove' container with restart policy"},
	} {
		if _, err := b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: tt.host}); err == nil || err.Error() != tt.want {
			t.Errorf("%+v: %v, want %s", tt.host, err, tt.want)
		}
	}
}

func TestWaitConditions(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	b.create("web", "exit", "3")
	type outcome struct {
		code int
		err  error
	}
	wait := func(c api.WaitCondition) chan outcome {
		done := make(chan outcome, 1)
		go func() {
			code, err := b.WaitFor(b.ctx, "web", c)
			done <- outcome{code, err}
		}()
		return done
	}
	if o := <-wait(api.WaitConditionNotRunning); o.code != 0 || o.err != nil {
		t.Errorf("not-running, of a new one: %+v", o)
	}
	next, removed := wait(api.WaitConditionNextExit), wait(api.WaitConditionRemoved)
	time.Sleep(5 * time.Millisecond)
	select {
	case o := <-next:
		t.Fatalf("next-exit returned before there was one: %+v", o)
	default:
	}
	b.start("web")
	if o := <-next; o.code != 3 || o.err != nil {
		t.Errorf("next-exit: %+v", o)
	}
	b.must(b.Remove(b.ctx, "web", true))
	if o := <-removed; o.err != nil { // the code is that of the last look
		t.Errorf("removed: %+v", o)
	}
	if _, err := b.WaitFor(b.ctx, "web", "tomorrow"); err == nil {
		t.Error("a condition that does not exist")
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	b.restarting("again", api.RestartPolicy{Name: "always"}, 1)
	if _, err := b.Wait(ctx, "again"); !errors.Is(err, context.Canceled) {
		t.Errorf("wait for one that rests: %v", err)
	}
}

func (b *bench) find(ref string) *container.Container {
	b.t.Helper()
	c, err := b.Find(b.ctx, ref)
	b.must(err)
	return c
}

// TestStartedAgainButCannotRun: it stays down, with the reason.
func TestStartedAgainButCannotRun(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	id := b.restarting("web", api.RestartPolicy{Name: "always"}, 1)
	b.status(id)
	b.edit(id, "config.json", `"Path": "exit"`, `"Path": "nope"`)
	if err := b.Again(b.ctx, id); !errors.Is(err, driver.ErrCommand) {
		t.Fatalf("Again() = %v", err)
	}
	if s := b.state(id); s.Status != api.StateExited || s.Running || s.Restarting || s.ExitCode != 127 || s.Error == "" {
		t.Errorf("state: %+v", s)
	}
}

// TestPolicyChangedWhileItRuns: the supervisor that runs already learns of it.
func TestPolicyChangedWhileItRuns(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	id := b.create("web", "sleep").ID
	b.start("web")
	_, err := b.Update(b.ctx, "web", api.UpdateConfig{RestartPolicy: api.RestartPolicy{Name: "always"}})
	b.must(err)
	b.task(id).end(driver.Exit{Code: 1})
	if s := b.status("web"); s != "restarting" {
		t.Errorf("it is %s", s)
	}
}
