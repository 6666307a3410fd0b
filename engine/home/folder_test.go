package home_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/home"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if names, err := home.Names(dir); names != nil || err != nil {
		t.Errorf("of nothing: %v, %v", names, err)
	}
	must(t, home.MakeFolders(dir, filepath.Join(dir, "b"), filepath.Join(dir, ".new"), filepath.Join(dir, "a")))
	names, err := home.Names(dir)
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if home.MakeFolders(dir) == nil {
		t.Error("a folder was made twice")
	}
	must(t, home.WritePlainJSON(filepath.Join(dir, "c"), []int{1}))
	if text, err := os.ReadFile(filepath.Join(dir, "c")); string(text) != "[\n  1\n]\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := home.Names(filepath.Join(dir, "c")); err == nil {
		t.Error("a file has names")
	}
}

// locked is a folder whose owner may write neither it nor what is in it.
func locked(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dir")
	inner := filepath.Join(dir, "work", "work")
	must(t, os.MkdirAll(inner, 0o700))
	must(t, os.WriteFile(filepath.Join(inner, "f"), nil, 0o400))
	must(t, os.Chmod(inner, 0))
	must(t, os.Chmod(filepath.Dir(inner), 0o500))
	return dir
}

func TestRemoveTree(t *testing.T) {
	dir := locked(t)
	must(t, home.RemoveTree(dir))
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	must(t, home.RemoveTree(dir))
}

func TestDiscard(t *testing.T) {
	h := open(t)
	dir := filepath.Join(h.Root(), "thing")
	if gone, err := h.Discard("test.remove", "test.remove", dir); gone || err != nil {
		t.Errorf("of nothing: %v, %v", gone, err)
	}
	must(t, os.Rename(locked(t), dir))
	if gone, err := h.Discard("test.remove", "test.remove", dir); !gone || err != nil {
		t.Errorf("%v, %v", gone, err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(h.Root(), "tmp"))
	if len(left) != 0 || err != nil {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

func TestEndOfAnOperationThatHoldsALockedFolder(t *testing.T) {
	h := open(t)
	op, err := h.Begin("test.make")
	must(t, err)
	must(t, os.Rename(locked(t), filepath.Join(op.Dir(), "made")))
	must(t, op.End())
	if left, err := os.ReadDir(filepath.Join(h.Root(), "tmp")); len(left) != 0 || err != nil {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}
