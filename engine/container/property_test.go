package container_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	api "github.com/moby/moby/api/types/container"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/oci"
)

// fold rebuilds the containers and their states from the events alone.
func (e *events) fold() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	world := map[string]string{}
	for _, ev := range e.all {
		id := ev.Attr("container").Str()
		switch ev.Kind {
		case "container.create":
			world[id] = "created 0"
		case "container.state":
			if from, _, _ := cut(world[id]); from != ev.Attr("from").Str() {
				world[id] = fmt.Sprintf("impossible: was %q, event says it was %q", world[id], ev.Attr("from").Str())
				continue
			}
			world[id] = fmt.Sprintf("%s %d", ev.Attr("to").Str(), ev.Attr("exit_code").Int())
		case "container.remove":
			delete(world, id)
		}
	}
	return world
}

func cut(s string) (state, code string, ok bool) {
	for i := range s {
		if s[i] == ' ' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// view is the same as fold, as the manager tells it.
func (b *bench) view(t *rapid.T) map[string]string {
	all, err := b.List(b.ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	world := map[string]string{}
	for _, c := range all {
		world[c.ID] = fmt.Sprintf("%s %d", c.State.Status, c.State.ExitCode)
	}
	return world
}

// model says what each command does to a container in a state: the state after, or "" when it is refused.
var model = map[string]map[string]string{
	"start":   {"created": "running", "running": "running", "exited": "running"},
	"stop":    {"created": "created", "running": "exited", "paused": "exited", "exited": "exited"},
	"restart": {"created": "running", "running": "running", "paused": "running", "exited": "running"},
	"kill":    {"running": "exited", "paused": "exited"},
	"pause":   {"running": "paused"},
	"unpause": {"paused": "running"},
	"rm":      {"created": "gone", "exited": "gone"},
	"rm -f":   {"created": "gone", "running": "gone", "paused": "gone", "exited": "gone"},
	"exec":    {"running": "running"},
	"commit":  {"created": "created", "running": "running", "paused": "paused", "exited": "exited"},
}

// TestRandomCommands plays 500 random commands on a few names: the state machine stays legal, refused commands change
// nothing, and the trace alone tells the same as the manager.
func TestRandomCommands(t *testing.T) {
	names := []string{"web", "sql", "www", "job"} // none could be the beginning of an id
	var verbs []string
	for v := range model {
		verbs = append(verbs, v)
	}
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, oci.ImageConfig{})
		expected := map[string]string{"web": "gone", "sql": "gone", "www": "gone", "job": "gone"}
		for range rapid.SampledFrom([]int{10, 20, 50, 20, 10, 500}).Draw(rt, "commands") {
			name := rapid.SampledFrom(names).Draw(rt, "name")
			verb := rapid.SampledFrom(append(verbs, "create", "create", "start")).Draw(rt, "verb")
			err := b.play(verb, name)
			want, legal := model[verb][expected[name]], model[verb][expected[name]] != ""
			if verb == "create" {
				want, legal = "created", expected[name] == "gone"
			}
			if (err == nil) != legal {
				rt.Fatalf("%s of %s container %s: error %v", verb, expected[name], name, err)
			}
			if legal {
				expected[name] = want
			}
			if got := b.status(name); got != expected[name] {
				rt.Fatalf("%s is %s after %s, want %s", name, got, verb, expected[name])
			}
		}
		if d := cmp.Diff(b.view(rt), b.events.fold()); d != "" {
			rt.Fatalf("manager (-) and trace (+) tell different things:\n%s", d)
		}
		if p := b.Verify(b.ctx); len(p) > 0 {
			rt.Fatal(p)
		}
		for _, name := range names {
			b.must(orGone(b.Remove(b.ctx, name, true)))
		}
		if len(b.keys) != 0 || len(b.tasks) != 0 {
			rt.Fatalf("left: %d writable layers, %d tasks", len(b.keys), len(b.tasks))
		}
	})
}

func orGone(err error) error {
	if errors.As(err, new(*container.NotFoundError)) {
		return nil
	}
	return err
}

func (b *bench) play(verb, name string) (err error) {
	switch verb {
	case "create":
		_, err = b.Create(b.ctx, container.CreateOptions{Name: name, Image: "img", Config: api.Config{Cmd: []string{"sleep"}}})
	case "start":
		err = b.Start(b.ctx, name, container.StartOptions{})
	case "stop":
		err = b.Stop(b.ctx, name, nil)
	case "restart":
		err = b.Restart(b.ctx, name, nil)
	case "kill":
		err = b.Kill(b.ctx, name, "")
	case "pause":
		err = b.Pause(b.ctx, name)
	case "unpause":
		err = b.Unpause(b.ctx, name)
	case "rm":
		err = b.Remove(b.ctx, name, false)
	case "rm -f":
		err = b.Remove(b.ctx, name, true)
	case "exec":
		_, err = b.Exec(b.ctx, name, container.ExecOptions{Cmd: []string{"ls"}})
	case "commit":
		_, err = b.Commit(b.ctx, name, container.CommitOptions{})
	}
	return err
}

// TestFiftyFightForThreeNames lets 50 goroutines make, run and remove containers of the same three names.
func TestFiftyFightForThreeNames(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	var wg sync.WaitGroup
	for i := range 50 {
		name := fmt.Sprintf("name%d", i%3)
		wg.Go(func() {
			c, err := b.Create(b.ctx, container.CreateOptions{Name: name, Image: "img", Config: api.Config{Cmd: []string{"sleep"}}})
			if err != nil {
				if !errors.As(err, new(*container.ConflictError)) {
					t.Errorf("create %s: %v", name, err)
				}
				if err := b.Remove(b.ctx, name, true); orGone(err) != nil {
					t.Errorf("remove %s: %v", name, err)
				}
				return
			}
			if err := b.Start(b.ctx, c.ID, container.StartOptions{}); err != nil && orGone(err) != nil && !errors.As(err, new(*container.ConflictError)) {
				t.Errorf("start %s: %v", name, err)
			}
		})
	}
	wg.Wait()
	all, err := b.List(b.ctx, true)
	b.must(err)
	seen := map[string]bool{}
	for _, c := range all {
		if seen[c.Name] {
			t.Errorf("two containers are called %s", c.Name)
		}
		seen[c.Name] = true
		b.must(b.Remove(b.ctx, c.ID, true))
	}
	if p := b.Verify(b.ctx); len(p) > 0 {
		t.Error(p)
	}
	if len(b.keys) != 0 || len(b.tasks) != 0 {
		t.Errorf("left: %d writable layers, %d tasks", len(b.keys), len(b.tasks))
	}
}
