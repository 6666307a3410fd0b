package container_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	api "github.com/moby/moby/api/types/container"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace/world"
)

// fold rebuilds the containers from the events alone.
func (e *recorded) fold() []world.Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	return byID(world.Fold(e.all).Containers)
}

// view is the same as fold, as the manager tells it.
func (b *bench) view(t failer) []world.Container {
	all, err := b.List(b.ctx, true)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	var list []world.Container
	for _, c := range all {
		list = append(list, world.Container{Exists: true, ID: c.ID, Name: c.Name, Image: c.Image.String(), Command: append([]string{c.Path}, c.Args...),
			State: string(c.State.Status), PID: int64(c.State.Pid), ExitCode: int64(c.State.ExitCode), OOMKilled: c.State.OOMKilled})
	}
	return byID(list)
}

// byID sorts and leaves out what only the machine below tells.
func byID(list []world.Container) []world.Container {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b world.Container) int { return strings.Compare(a.ID, b.ID) })
	for i := range list {
		list[i].CreatedSeq, list[i].Chain, list[i].Changes = 0, "", nil
	}
	return list
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

var names = []string{"web", "sql", "www", "job"} // none could be the beginning of an id

var verbs = []string{"create", "create", "create", "start", "start", "stop", "restart", "kill", "pause", "unpause", "rm", "rm -f", "exec", "commit"}

// failer is what a session needs of a test.
type failer interface {
	Fatalf(format string, args ...any)
}

// session plays n commands that pick chooses: the state machine stays legal, refused commands change nothing, and the trace
// alone tells the same as the manager.
func session(t failer, b *bench, n int, pick func(what string, from []string) string) {
	expected := map[string]string{}
	for _, name := range names {
		expected[name] = "gone"
	}
	for range n {
		name, verb := pick("name", names), pick("verb", verbs)
		err := b.play(verb, name)
		want := model[verb][expected[name]]
		if verb == "create" && expected[name] == "gone" {
			want = "created"
		}
		if (err == nil) != (want != "") {
			t.Fatalf("%s of %s container %s: error %v", verb, expected[name], name, err)
		}
		if want != "" {
			expected[name] = want
		}
		if got := b.status(name); got != expected[name] {
			t.Fatalf("%s is %s after %s, want %s", name, got, verb, expected[name])
		}
	}
	if d := cmp.Diff(b.view(t), b.events.fold(), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("manager (-) and trace (+) tell different things:\n%s", d)
	}
	if p := b.Verify(b.ctx); len(p) > 0 {
		t.Fatalf("Verify: %v", p)
	}
	for _, name := range names {
		if err := b.Remove(b.ctx, name, true); orGone(err) != nil {
			t.Fatalf("remove %s: %v", name, err)
		}
	}
	if len(b.keys) != 0 || len(b.tasks) != 0 {
		t.Fatalf("left: %d writable layers, %d tasks", len(b.keys), len(b.tasks))
	}
}

func TestRandomCommands(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		session(rt, newBench(t, oci.ImageConfig{}), 12, func(what string, from []string) string {
			return rapid.SampledFrom(from).Draw(rt, what)
		})
	})
}

func TestSessionOf500Commands(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	session(t, newBench(t, oci.ImageConfig{}), 500, func(_ string, from []string) string { return from[r.IntN(len(from))] })
}

// TestManyWatchersAnnounceOnce: whoever looks first after a container ended tells it, and nobody else does.
func TestManyWatchersAnnounceOnce(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	for range 20 {
		c := b.create("", "sleep")
		b.start(c.ID)
		b.task(c.ID).end(driver.Exit{Code: 4})
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := b.List(b.ctx, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ends := slices.DeleteFunc(b.events.kinds("container.state"), func(s string) bool { return s != "running exited 4 false" })
	if len(ends) != 20 {
		t.Errorf("%d ends of 20 containers were told", len(ends))
	}
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
		err = b.Stop(b.ctx, name, container.StopOptions{})
	case "restart":
		err = b.Restart(b.ctx, name, container.StopOptions{})
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
