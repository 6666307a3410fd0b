//go:build linux

package linux

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/trace"
)

// watched is a traced container that runs commands, and what was told since it was last asked.
type watched struct {
	t    *testing.T
	l    *lab
	tk   driver.Task
	sink *trace.Collect
	seen int
}

func (w *watched) told() []string {
	var got []string
	events := w.sink.Events()
	for _, e := range events[w.seen:] {
		if !strings.HasPrefix(e.Kind, "cow.") {
			continue
		}
		line := strings.TrimPrefix(e.Kind, "cow.")
		for _, a := range e.Attrs {
			if a.Key != "key" && a.Key != "layer" {
				line += " " + a.Value.String()
			}
		}
		got = append(got, line)
	}
	w.seen = len(events)
	return got
}

// step runs script in the container and expects to be told just this.
func (w *watched) step(script string, want ...string) {
	w.t.Helper()
	ctx := trace.With(w.t.Context(), trace.New(w.sink))
	exit, err := w.tk.(driver.Execer).Exec(ctx, driver.Process{Args: []string{"sh", "-c", script}, Env: []string{"PATH=/bin"}}, driver.Streams{})
	if err != nil || exit.Code != 0 {
		w.t.Fatalf("exec %q: %+v, %v", script, exit, err)
	}
	if diff := cmp.Diff(want, w.told()); diff != "" {
		w.t.Fatalf("%s:\n%s", script, diff)
	}
}

// A step's trace must hold what the step did when it returns: not a moment later, and not twice.
func TestExecReturnsWithItsCopyOnWrite(t *testing.T) {
	l := newLab(t)
	times := drivertest.Times(50, 200)
	if testing.Short() || l.mode.Rootless {
		times = drivertest.Times(20, 40)
	}
	must(t, os.Mkdir(filepath.Join(l.lower, "library"), 0o755))
	for n := range times {
		must(t, os.WriteFile(filepath.Join(l.lower, "library", fmt.Sprint("a", n)), []byte("book\n"), 0o644))
		must(t, os.MkdirAll(filepath.Join(l.lower, "library", fmt.Sprint("d", n), "sub"), 0o755))
	}
	w := &watched{t: t, l: l, tk: l.create(t, l.spec(t, "sleep", "1000")), sink: &trace.Collect{}}
	must(t, w.tk.Start(trace.With(t.Context(), trace.New(w.sink)), driver.Streams{}))
	w.told()
	for n := range times {
		a, d, made := fmt.Sprintf("/library/a%d", n), fmt.Sprintf("/library/d%d", n), fmt.Sprintf("/new%d", n)
		w.step("echo x >> "+a, "copyup "+a+" 5 2 content")
		w.step("echo new > "+made, "create "+made+" file 4")
		if n%10 == 0 {
			w.step("echo yy >> "+a, "write "+a+" 10")
			w.step("rm -r "+d+"/sub", "whiteout "+d+"/sub")
			w.step("mkdir "+d+"/sub", "opaque "+d+"/sub")
		}
		w.step("rm "+a+" "+made, "whiteout "+a, "remove "+made)
	}
}

func TestTraceEventsSettleFirst(t *testing.T) {
	l := newLab(t)
	sink := &trace.Collect{}
	ctx := trace.With(t.Context(), trace.New(sink))
	tk := l.create(t, l.spec(t, "sh", "-c", "exec 3>/big; echo some >&3; exec sleep 1000"))
	must(t, tk.Start(ctx, driver.Streams{}))
	file := filepath.Join(l.home.Snapshots(), tk.(*task).id, "upper/big")
	eventually(t, "the file is written", func() bool { st, err := os.Stat(file); return err == nil && st.Size() == 5 })
	begin := time.Now()
	must(t, tk.(driver.Eventer).Events(ctx))
	if took := time.Since(begin); took > 500*time.Millisecond {
		t.Errorf("took %s", took)
	}
	w := &watched{t: t, sink: sink}
	if diff := cmp.Diff([]string{"create /big file 5"}, w.told()); diff != "" {
		t.Error(diff)
	}
}

func TestTraceDoesNotTellOldChangesAgain(t *testing.T) {
	l := newLab(t)
	sink := &trace.Collect{}
	ctx := trace.With(t.Context(), trace.New(sink))
	w := &watched{t: t, sink: sink}
	spec := l.spec(t, "sh", "-c", "echo x >> /runs; exit 0")
	spec.Ephemeral = false
	run := func(traced bool, want ...string) {
		t.Helper()
		c := t.Context()
		if traced {
			c = ctx
		}
		tk := l.create(t, spec)
		must(t, tk.Start(c, driver.Streams{Stdout: t.Output()}))
		_, err := tk.Wait(c)
		must(t, err)
		if diff := cmp.Diff(want, w.told()); diff != "" {
			t.Error(diff)
		}
		must(t, tk.Delete(c))
	}
	run(true, "create /runs file 2")
	run(true, "write /runs 4")
	run(false)
	run(true, "create /runs file 8")
}
