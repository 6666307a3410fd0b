//go:build linux

package linux

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHostileLayers unpacks archives that try to reach a file outside. Whether one is refused or tamed, the file outside stays as
// it is, nothing new is beside it, and a refused layer leaves nothing.
func TestHostileLayers(t *testing.T) {
	outside := t.TempDir()
	canary := filepath.Join(outside, "canary")
	device := header{Header: tar.Header{Typeflag: tar.TypeChar, Name: "dev", Mode: 0o644, ModTime: when}}
	whole := file("x", "x")
	whole.Uid = 1<<32 - 1
	tests := []struct {
		name    string
		entries []header
		refused bool
	}{
		{"dots", []header{file("../../../../../../../.."+canary, "evil")}, true},
		{"absolute name", []header{file(canary, "evil")}, false},
		{"link then file through it", []header{link(tar.TypeSymlink, "l", outside), file("l/canary", "evil"), file("l/new", "evil")}, false},
		{"dots link then file", []header{link(tar.TypeSymlink, "l", strings.Repeat("../", 20)+outside), file("l/canary", "evil")}, false},
		{"file over link", []header{link(tar.TypeSymlink, "l", canary), file("l", "evil")}, false},
		{"hard link out", []header{link(tar.TypeLink, "l", "../../../../../../.."+canary), file("l", "evil")}, true},
		{"hard link absolute", []header{link(tar.TypeLink, "l", canary)}, true},
		{"hard link through link", []header{link(tar.TypeSymlink, "d", outside), link(tar.TypeLink, "l", "d/canary")}, true},
		{"hard link to link to outside", []header{link(tar.TypeSymlink, "s", canary), link(tar.TypeLink, "l", "s"), file("l", "evil")}, false},
		{"folder replaced by link", []header{folder("d"), file("d/a", "a"), link(tar.TypeSymlink, "d", outside), file("d/canary", "evil")}, false},
		{"root is a link", []header{link(tar.TypeSymlink, ".", outside)}, true},
		{"whiteout of parent", []header{file("d/.wh...", "")}, true},
		{"whiteout of self", []header{file("d/.wh..", "")}, true},
		{"bare whiteout", []header{file(".wh.", "")}, true},
		{"whiteout folder", []header{file(".wh.../x", "")}, true},
		{"whiteout under link", []header{link(tar.TypeSymlink, "l", outside), file("l/.wh.canary", "")}, false},
		{"opaque under link", []header{link(tar.TypeSymlink, "l", outside), file("l/.wh..wh..opq", "")}, false},
		{"made whiteout device", []header{device}, true},
		{"child of file", []header{file("f", "x"), file("f/x", "x")}, true},
		{"link loop", []header{link(tar.TypeSymlink, "a", "b"), link(tar.TypeSymlink, "b", "a"), file("a/x", "x")}, true},
		{"owner is no id", []header{whole}, true},
		{"duplicates", []header{file("f", "1"), folder("f"), file("f/x", "x"), file("f", "2"), link(tar.TypeLink, "f", "f2"), file("f2", "")}, true},
		{"folder metadata through link", []header{folder("d"), link(tar.TypeSymlink, "d", outside)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			before := fingerprint(t, outside, canary)
			chain, err := s.tryApply("", archive(t, tt.entries...))
			if (err != nil) != tt.refused {
				t.Errorf("apply: %v; refused should be %v", err, tt.refused)
			}
			if err != nil && s.layers.Has(chain) {
				t.Error("a refused layer is there")
			}
			if after := fingerprint(t, outside, canary); after != before {
				t.Errorf("outside changed: %s, was %s", after, before)
			}
			s.noScratch()
		})
	}
}

func fingerprint(t *testing.T, dir, canary string) string {
	t.Helper()
	if _, err := os.Lstat(canary); err != nil {
		if err := os.WriteFile(canary, []byte("alive"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(canary)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	file, _ := os.Stat(canary)
	names, _ := os.ReadDir(dir)
	return fmt.Sprint(sha256.Sum256(data), st.Mode(), st.ModTime(), file.ModTime(), file.Mode(), names)
}
