package tree

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
)

const crashHome = "TREE_TEST_HOME"

// TestMain plays the process that dies.
func TestMain(m *testing.M) {
	if root := os.Getenv(crashHome); root != "" {
		work(root)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work does everything that has a failpoint. Errors count for nothing: what a dead process left is looked at.
func work(root string) {
	h, err := home.Open(root)
	if err != nil {
		os.Exit(1)
	}
	ctx := context.Background()
	now := func() time.Time { return when }
	l := NewLayers(h, now)
	s := NewSnapshots(h, l, now)
	data := crashArchive()
	chain, diffID := chainOf("", data)
	_ = l.Apply(ctx, chain, "", diffID, bytes.NewReader(data))
	_ = s.Prepare(ctx, "k", chain)
	if u, err := s.Open(ctx, "k", nil); err == nil {
		_ = write(u, "etc/new", "new", false)
		_ = u.Remove("etc/passwd")
		_ = u.Close()
	}
	var diff bytes.Buffer
	_, _ = s.Diff(ctx, "k", &diff)
	top, topID := chainOf(chain, diff.Bytes())
	_ = s.Commit(ctx, "k", top, topID)
	_ = s.Prepare(ctx, "k2", chain)
	_ = s.Remove(ctx, "k2")
	_ = l.Drop(ctx, top)
}

func crashArchive() []byte {
	data, err := pack(folder("etc"), file("etc/passwd", "root\n"), file("etc/group", "g\n"))
	if err != nil {
		panic(err)
	}
	return data
}

// TestKilledAnywhere kills the process at each of its failpoints. What it leaves must be whole or not there, and the work can be done again.
func TestKilledAnywhere(t *testing.T) {
	points := reached(t)
	if len(points) < 12 {
		t.Fatalf("only %q are reached", points)
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "home")
			if err := child(root, failpoint.Variable+"="+point).Run(); err == nil {
				t.Fatal("the process did not die")
			}
			s := reopen(t, root)
			s.wholeOrAbsent()
			work(root)
			s = reopen(t, root)
			s.wholeOrAbsent()
			s.noScratch()
			if keys, err := s.snapshots.List(context.Background()); err != nil || len(keys) > 1 {
				t.Errorf("keys after all was done: %v, %v", keys, err)
			}
		})
	}
}

func child(root string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), crashHome+"="+root), env...)
	return cmd
}

// reached lists the failpoints that the work passes.
func reached(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	must(t, child(filepath.Join(dir, "home"), failpoint.Variable+"=log:"+log).Run())
	text, err := os.ReadFile(log)
	must(t, err)
	var points []string
	for _, p := range strings.Fields(string(text)) {
		if !strings.Contains(strings.Join(points, " ")+" ", p+" ") {
			points = append(points, p)
		}
	}
	return points
}

// reopen opens a home as the next process does: what dead ones left is removed.
func reopen(t *testing.T, root string) *store {
	t.Helper()
	h, err := home.Open(root)
	must(t, err)
	orphans, err := h.Orphans()
	must(t, err)
	for _, o := range orphans {
		must(t, o.Settle())
	}
	s := &store{t: t, home: h, clock: when}
	return s.again()
}

// wholeOrAbsent reads everything that is there.
func (s *store) wholeOrAbsent() {
	s.t.Helper()
	chains, err := s.layers.List(context.Background())
	must(s.t, err)
	for _, chain := range chains {
		if !s.layers.Has(chain) {
			s.t.Errorf("%s has a name but is not whole", chain)
			continue
		}
		s.exportChain(chain)
	}
	keys, err := s.snapshots.List(context.Background())
	must(s.t, err)
	for _, key := range keys {
		if _, err := os.Lstat(filepath.Join(s.snapshots.dir(key), filesDir)); err == nil { // or it was being committed
			s.exportKey(key)
		}
	}
}

// A layer that was written before the machine stopped is checked at its next use, once.
func TestSeal(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"sound":   func(string) error { return nil },
		"cut off": func(dir string) error { return os.Truncate(filepath.Join(dir, "files", "etc", "passwd"), 0) },
		"changed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "files", "etc", "passwd"), []byte("toor\n"), 0o600)
		},
		"missing":  func(dir string) error { return os.Remove(filepath.Join(dir, "files", "etc", "passwd")) },
		"no tree":  func(dir string) error { return os.Truncate(filepath.Join(dir, "tree.jsonl"), 0) },
		"half":     func(dir string) error { return os.Truncate(filepath.Join(dir, "tree.jsonl"), 100) },
		"no proof": func(dir string) error { return os.Truncate(filepath.Join(dir, "layer.json"), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			s.layers.boot = "before"
			data := crashArchive()
			chain := s.apply("", data)
			must(t, damage(s.layers.dir(chain)))
			after := s.again()
			after.layers.boot = "after"
			if got, want := after.layers.Has(chain), name == "sound"; got != want {
				t.Fatalf("has it: %v, want %v", got, want)
			}
			if name == "sound" {
				if rec, err := after.layers.read(chain); err != nil || rec.Boot != "" {
					t.Errorf("not sealed: %+v, %v", rec, err)
				}
				return
			}
			if err := after.snapshots.Prepare(context.Background(), "k", chain); err == nil {
				t.Error("a container can stand on it")
			} else if name == "changed" && (!errors.Is(err, driver.ErrNotFound) || !strings.Contains(err.Error(), "load or pull")) {
				t.Errorf("the error does not help: %v", err)
			}
			if again := after.apply("", data); again != chain || !after.layers.Has(chain) {
				t.Error("it can't be unpacked again")
			}
			must(t, after.snapshots.Prepare(context.Background(), "k", chain))
			after.noScratch()
		})
	}
}

// A container whose machine was killed keeps what it wrote.
func TestKilledMachineLosesNothing(t *testing.T) {
	s := newStore(t)
	s.prepare("k", s.base())
	u, err := s.snapshots.Open(context.Background(), "k", nil)
	must(t, err)
	shell(t, u, "mkdir a; > a/f one; rm plain; mv a b; >> etc/passwd more")
	h, err := u.Open("b/f", fsys.How{Write: true})
	must(t, err)
	_, err = h.WriteAt([]byte(" two"), -1)
	must(t, err)
	next := s.again() // without any Close or Sync
	v := next.open("k", nil)
	if got := read(t, v, "b/f") + "," + read(t, v, "etc/passwd"); got != "one two,root\nmore" {
		t.Errorf("contents %q", got)
	}
	if a, err := v.Lstat("b/f"); err != nil || a.Size != 7 {
		t.Errorf("size %d, %v", a.Size, err)
	}
	if _, err := v.Lstat("plain"); err == nil {
		t.Error("what was deleted is there again")
	}
}
