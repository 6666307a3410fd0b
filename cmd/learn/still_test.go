package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStill(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	check(t, os.MkdirAll(path("deep/er"), 0o755))
	for _, name := range []string{"changed", "gone", "deep/same"} {
		check(t, os.WriteFile(path(name), []byte("as it was"), 0o640))
	}
	large := make([]byte, stillLimit+1)
	check(t, os.WriteFile(path("large"), large, 0o640))
	s, err := takeStill(dir)
	check(t, err)

	check(t, os.WriteFile(path("changed"), []byte("another"), 0o640))
	check(t, os.Remove(path("gone")))
	check(t, os.MkdirAll(path("new/folder"), 0o755))
	check(t, os.WriteFile(path("new/folder/file"), nil, 0o640))
	check(t, s.restore())
	for _, name := range []string{"changed", "gone", "deep/same"} {
		if data, err := os.ReadFile(path(name)); err != nil || string(data) != "as it was" {
			t.Errorf("%s has %q, %v", name, data, err)
		}
	}
	if _, err := os.Stat(path("new")); !os.IsNotExist(err) {
		t.Errorf("new is still there: %v", err)
	}

	for name, spoil := range map[string]func() error{
		"large": func() error { return os.Truncate(path("large"), 3) },
		"deep":  func() error { return os.RemoveAll(path("deep")) },
	} {
		check(t, spoil())
		if err := s.restore(); err == nil || !strings.Contains(err.Error(), "restore folder") {
			t.Errorf("%s was spoiled: error is %v", name, err)
		}
		check(t, os.WriteFile(path("large"), large, 0o640))
		check(t, os.Chtimes(path("large"), s.entries[path("large")].info.ModTime(), s.entries[path("large")].info.ModTime()))
	}
}
