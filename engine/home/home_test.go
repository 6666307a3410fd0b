package home_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
		if os.Getenv("HOME_TEST_BESIDE") != "" {
			home.LocksBeside(h)
		}
		h.Serve(os.Getenv("HOME_TEST_OWNER"))
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
	t.Run("inside", func(t *testing.T) { liveOperation(t, open(t)) })
	t.Run("beside", beside(liveOperation))
}

func TestDeadOperationHandsOverItsClaims(t *testing.T) {
	t.Run("inside", func(t *testing.T) { deadOperation(t, open(t)) })
	t.Run("beside", func(t *testing.T) {
		h := open(t)
		home.LocksBeside(h)
		deadOperation(t, h, "HOME_TEST_BESIDE=1")
	})
}

// A claim names things that only the driver which made them can undo.
func TestOperationOfAnotherOwnerIsLeftToIt(t *testing.T) {
	h := open(t)
	die(t, h, "HOME_TEST_OWNER=linux")
	h.Serve("sim")
	if found, err := h.Orphans(); err != nil || len(found) != 0 {
		t.Fatalf("Orphans() = %v, %v for another owner", found, err)
	}
	h.Serve("linux")
	if found, err := h.Orphans(); err != nil || len(found) != 1 {
		t.Fatalf("Orphans() = %v, %v for the owner, want one", found, err)
	}
}

func beside(test func(*testing.T, *home.Home)) func(*testing.T) {
	return func(t *testing.T) {
		h := open(t)
		home.LocksBeside(h)
		test(t, h)
	}
}

func liveOperation(t *testing.T, h *home.Home) {
	op, err := h.Begin("load")
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Claim("container", "abc"); err != nil {
		t.Fatal(err)
	}
	if found, err := h.Orphans(); err != nil || len(found) != 0 {
		t.Fatalf("Orphans() = %v, %v while the operation runs", found, err)
	}
	if err := op.End(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(h.Root(), "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left in tmp after End: %v, %v", left, err)
	}
}

func die(t *testing.T, h *home.Home, env ...string) (pid int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "HOME_TEST_DIE="+h.Root()), env...)
	_ = cmd.Run()
	return cmd.Process.Pid
}

func deadOperation(t *testing.T, h *home.Home, env ...string) {
	pid := die(t, h, env...)
	found, err := h.Orphans()
	if err != nil || len(found) != 1 {
		t.Fatalf("Orphans() = %v, %v, want the one that died", found, err)
	}
	o := found[0]
	want := home.Orphan{Name: "build", Pid: pid, Claims: []home.Claim{{What: "container", ID: "abc"}, {What: "snapshot", ID: "def"}}}
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

// TestOperationWithoutJournalIsTakenOver: a power cut may leave the folder of an operation and nothing, or half a line, of its journal.
func TestOperationWithoutJournalIsTakenOver(t *testing.T) {
	for title, journal := range map[string]string{"none": "", "empty": "-", "torn": `{"operation":"lo`} {
		h := open(t)
		h.Serve("linux")
		tmp := filepath.Join(h.Root(), "tmp")
		dir := filepath.Join(tmp, "op-12345")
		if err := os.MkdirAll(filepath.Join(dir, "scratch"), 0o700); err != nil {
			t.Fatal(err)
		}
		if journal != "" {
			if err := os.WriteFile(filepath.Join(dir, "journal"), []byte(strings.TrimPrefix(journal, "-")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		found, err := h.Orphans()
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", title, found, err)
		}
		if err := found[0].Settle(); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(tmp); len(left) != 0 {
			t.Errorf("%s: left %v", title, left)
		}
	}
}

func TestSystemWithoutFileLocks(t *testing.T) {
	h := open(t)
	path := filepath.Join(h.Root(), "locks", "index")
	one, ok := home.Solo(h, path, false)
	if !ok {
		t.Fatal("a free lock was not given")
	}
	two, ok := home.Solo(h, path, false)
	if !ok {
		t.Fatal("a shared lock was not shared")
	}
	if _, ok := home.Solo(h, path, true); ok {
		t.Fatal("an exclusive lock was given while it is shared")
	}
	one()
	two()
	three, ok := home.Solo(h, path, true)
	if !ok {
		t.Fatal("a lock that was given back was not given again")
	}
	if _, ok := home.Solo(h, path, false); ok {
		t.Fatal("an exclusive lock was shared")
	}
	three()
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

// TestWriteVolatileAtOnce writes one path from many sides: each write is whole, none fails, and nothing is left beside it.
func TestWriteVolatileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fact")
	var going sync.WaitGroup
	for i := range 8 {
		going.Go(func() {
			for range 100 {
				if err := home.WriteVolatile(path, bytes.Repeat([]byte{byte('a' + i)}, 5000), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	going.Wait()
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 5000 || bytes.Count(got, got[:1]) != 5000 {
		t.Errorf("the file has %d bytes of more than one writer (%v)", len(got), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%d files are there, want one (%v)", len(entries), err)
	}
}
