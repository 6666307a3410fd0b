package home_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/learn-containers/learn/engine/home"
)

func open(t *testing.T) *home.Home {
	t.Helper()
	h, err := home.Open(filepath.Join(t.TempDir(), "h"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestMain plays the process that dies in the middle of an operation.
func TestMain(m *testing.M) {
	if root := os.Getenv("HOME_TEST_DIE"); root != "" {
		h, _ := home.Open(root)
		op, _ := h.Begin("build")
		_ = op.Claim("container", "abc")
		_ = op.Claim("snapshot", "def")
		_ = os.WriteFile(filepath.Join(op.Dir(), "half"), []byte("x"), 0o600)
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	}
	os.Exit(m.Run())
}

func TestLiveOperationIsNoOrphan(t *testing.T) {
	h := open(t)
	op, err := h.Begin("load")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := h.Orphans(); err != nil || len(found) != 0 {
		t.Fatalf("Orphans() = %v, %v while the operation runs", found, err)
	}
	if err := op.End(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(op.Dir()); !os.IsNotExist(err) {
		t.Errorf("scratch folder is still there after End: %v", err)
	}
}

func TestDeadOperationHandsOverItsClaims(t *testing.T) {
	h := open(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HOME_TEST_DIE="+h.Root())
	_ = cmd.Run()
	found, err := h.Orphans()
	if err != nil || len(found) != 1 {
		t.Fatalf("Orphans() = %v, %v, want the one that died", found, err)
	}
	o := found[0]
	want := home.Orphan{Name: "build", Pid: cmd.Process.Pid, Claims: []home.Claim{{What: "container", ID: "abc"}, {What: "snapshot", ID: "def"}}}
	if d := cmp.Diff(want, o, cmpopts.IgnoreUnexported(home.Orphan{})); d != "" {
		t.Error(d)
	}
	if again, _ := h.Orphans(); len(again) != 0 {
		t.Error("a second process was given the same orphan")
	}
	if err := o.Settle(); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(filepath.Join(h.Root(), "tmp"))
	if len(left) != 0 {
		t.Errorf("left in tmp: %v", left)
	}
}

func TestLockExcludes(t *testing.T) {
	h := open(t)
	unlock, err := h.Lock(context.Background(), "index", true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Lock(ctx, "index", false); err == nil {
		t.Fatal("shared lock was given while the exclusive one is held")
	}
	unlock()
	one, err := h.Lock(context.Background(), "index", false)
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.Lock(context.Background(), "index", false)
	if err != nil {
		t.Fatal(err)
	}
	one()
	two()
}

func TestWriteJSONReplacesWhole(t *testing.T) {
	p := filepath.Join(t.TempDir(), "a.json")
	for _, v := range []map[string]string{{"a": "long value to be replaced"}, {"a": "b"}} {
		if err := home.WriteJSON(p, v, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(p)
	if want := "{\n  \"a\": \"b\"\n}\n"; string(got) != want {
		t.Errorf("file holds %q, want %q", got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(p), "*")); len(left) != 1 {
		t.Errorf("temporary files are left: %v", left)
	}
}
