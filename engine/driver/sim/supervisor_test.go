package sim

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
)

// A second command on the same home does to a container what the first can.
func TestTwoCommandsShareAContainer(t *testing.T) {
	l := newLab(t, false)
	tk := l.background(t, "trap 'exit 5' TERM; while true; do sleep 1; done")
	eventually(t, "trap", func() bool { // it is set when the first sleep runs
		list, err := tk.Processes(t.Context())
		must(t, err)
		return len(list) == 2
	})
	other := openLab(t, l.home, false)
	loaded, err := other.Runtime.Load(t.Context(), tk.id)
	must(t, err)
	if got := state(t, loaded); got != driver.Running {
		t.Fatalf("state = %s", got)
	}
	exit, err := loaded.(driver.Execer).Exec(limited(t), driver.Process{Args: []string{"sh", "-c", "echo hi > /from-exec"}, Env: []string{"PATH=/bin"}}, driver.Streams{})
	if err != nil || exit.Code != 0 {
		t.Fatalf("exec: %+v, %v", exit, err)
	}
	changes, err := other.Snapshots.Changes(t.Context(), tk.id)
	must(t, err)
	if len(changes) != 1 || changes[0].Path != "/from-exec" {
		t.Errorf("changes = %v", changes)
	}
	must(t, loaded.Signal(t.Context(), 15))
	for _, w := range []driver.Task{tk, loaded} {
		if exit, err := w.Wait(limited(t)); err != nil || exit.Code != 5 {
			t.Errorf("exit = %+v, %v, want 5", exit, err)
		}
	}
}

func TestLostSupervisor(t *testing.T) {
	l := newLab(t, false)
	tk := l.background(t, "sleep 1000")
	rec, ok := readRecord(tk.dir)
	if !ok {
		t.Fatal("no record")
	}
	p, err := os.FindProcess(rec.Supervisor)
	must(t, err)
	must(t, p.Kill())
	eventually(t, "loss", func() bool { return state(t, tk) == driver.Lost })
	if _, err := tk.Wait(limited(t)); !isNotRunning(err) || !strings.Contains(err.Error(), "its supervisor died") {
		t.Errorf("Wait = %v", err)
	}
	if err := tk.Signal(t.Context(), 15); !isNotRunning(err) {
		t.Errorf("Signal = %v", err)
	}
	must(t, tk.Delete(limited(t)))
	if got := state(t, tk); got != driver.Ready {
		t.Errorf("after Delete: %s", got)
	}
}

// A lost supervisor is noticed by who waits.
func TestLossEndsAWait(t *testing.T) {
	l := newLab(t, false)
	tk := l.background(t, "while true; do sleep 100000; done")
	rec, _ := readRecord(tk.dir)
	go func() {
		time.Sleep(50 * time.Millisecond)
		if p, err := os.FindProcess(rec.Supervisor); err == nil {
			_ = p.Kill()
		}
	}()
	if _, err := tk.Wait(limited(t)); err == nil {
		t.Error("Wait gave an exit status")
	}
}

func TestSupervisorEndsWithItsContainer(t *testing.T) {
	l := newLab(t, false)
	spec := l.spec(t, "true")
	tk := l.create(t, spec)
	must(t, tk.Start(limited(t), driver.Streams{}))
	_, err := tk.Wait(limited(t))
	must(t, err)
	eventually(t, "end of the supervisor", func() bool { return !lives(tk.dir) })
	for _, name := range []string{socketName, stderrFile} {
		if _, err := os.Lstat(filepath.Join(tk.dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

// The command at exit runs when nobody got to know the end, and only then.
func TestOnExit(t *testing.T) {
	l := newLab(t, false)
	for _, attended := range []bool{false, true} {
		mark := filepath.Join(t.TempDir(), "mark")
		touch := []string{os.Args[0], "-test.run=^TestHelperTouch$"}
		t.Setenv("LEARN_TEST_TOUCH", mark)
		spec := l.spec(t, "true")
		spec.OnExit = touch
		tk := l.create(t, spec)
		streams := driver.Streams{}
		if attended {
			streams.Stdout = &buffer{}
		}
		must(t, tk.Start(limited(t), streams))
		_, err := tk.Wait(limited(t))
		must(t, err)
		if attended {
			eventually(t, "end of the supervisor", func() bool { return !lives(tk.dir) })
			time.Sleep(50 * time.Millisecond)
			if _, err := os.Lstat(mark); err == nil {
				t.Error("the command ran although somebody was told")
			}
			continue
		}
		_ = mark // whether Wait came before the end decides who was told; either is right
	}
	t.Run("nobody", func(t *testing.T) {
		mark := filepath.Join(t.TempDir(), "mark")
		t.Setenv("LEARN_TEST_TOUCH", mark)
		spec := l.spec(t, "true")
		spec.OnExit = []string{os.Args[0], "-test.run=^TestHelperTouch$"}
		must(t, l.create(t, spec).Start(limited(t), driver.Streams{}))
		eventually(t, "the command", func() bool { _, err := os.Lstat(mark); return err == nil })
	})
}

// TestHelperTouch is the command of TestOnExit.
func TestHelperTouch(t *testing.T) {
	if name := os.Getenv("LEARN_TEST_TOUCH"); name != "" {
		must(t, os.WriteFile(name, nil, 0o600))
	}
}

// A home whose path is too long for a socket's name has its sockets elsewhere, and they go, too.
func TestLongPaths(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d/", 10)+strings.Repeat("e", 120))
	h, err := home.Open(long)
	must(t, err)
	l := openLab(t, h, false)
	key := "long"
	must(t, l.Snapshots.Prepare(t.Context(), key, ""))
	dir := filepath.Join(h.Containers(), key)
	must(t, os.MkdirAll(dir, 0o700))
	listener, remove, err := listen(h.Root(), dir)
	must(t, err)
	address := listener.Addr().String()
	if len(address) > maxAddress || strings.HasPrefix(address, long) {
		t.Errorf("address = %q", address)
	}
	rec := record{Address: address}
	if got := rec.farFolder(h.Root()); got != filepath.Dir(address) {
		t.Errorf("far folder = %q", got)
	}
	must(t, listener.Close())
	remove()
	if _, err := os.Lstat(filepath.Dir(address)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
}

// What one process skips has passed for all others of the home.
func TestTimeIsShared(t *testing.T) {
	l := newLab(t, false)
	other := openLab(t, l.home, false)
	before := other.Now()
	must(t, l.Sleep(limited(t), 100*time.Second))
	if passed := other.Now().Sub(before); passed < 100*time.Second {
		t.Errorf("%v passed for the other process, want 100 s", passed)
	}
	tk := l.background(t, "sleep 300; exit 6")
	must(t, other.Sleep(limited(t), 301*time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	eventually(t, "end of what slept", func() bool { return state(t, tk) == driver.Stopped })
	if exit, err := tk.Wait(ctx); err != nil || exit.Code != 6 {
		t.Errorf("exit = %+v, %v", exit, err)
	}
}

func TestPIDsAreUnique(t *testing.T) {
	l := newLab(t, false)
	other := openLab(t, l.home, false)
	seen := map[int]bool{}
	for range 200 {
		for _, m := range []*machine{l.machine, other.machine} {
			n := m.nextPID()
			if seen[n] || n < firstPID {
				t.Fatalf("pid %d was given twice", n)
			}
			seen[n] = true
		}
	}
}
