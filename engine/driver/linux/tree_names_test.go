//go:build linux

package linux

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// names is what a tree offers to those who look at names (the builder).
type names interface {
	Lstat(path string) (fs.FileInfo, error)
	ReadLink(path string) (string, error)
	ReadDir(path string) ([]fs.DirEntry, error)
	Xattrs(path string) (map[string]string, error)
}

func TestTreeNames(t *testing.T) {
	s := newStore(t)
	base := s.apply("", archive(t, folder("d"), file("d/b", "bb"), file("d/a", "a"), link(tar.TypeSymlink, "abs", "/d"),
		link(tar.TypeSymlink, "out", "/etc/passwd"), file("gone", "x")))
	top := s.apply(base, archive(t, file(".wh.gone", ""), file("d/c", "c")))
	for _, chain := range []digest.Digest{base, top} {
		tree, err := s.snapshots.OpenChain(context.Background(), chain)
		must(t, err)
		defer tree.Close()
		n := tree.(names)
		var got []string
		for _, dir := range []string{".", "/", "d", "abs/../d"} {
			entries, err := n.ReadDir(dir)
			must(t, err)
			var list []string
			for _, e := range entries {
				list = append(list, e.Type().String()[:1]+e.Name())
			}
			got = append(got, dir+": "+strings.Join(list, " "))
		}
		root, d := "Labs dd -gone Lout", "-a -b"
		if chain == top {
			root, d = "Labs dd Lout", "-a -b -c"
		}
		want := []string{".: " + root, "/: " + root, "d: " + d, "abs/../d: " + d}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		testNamesOf(t, n)
	}
}

func testNamesOf(t *testing.T, n names) {
	t.Helper()
	for name, want := range map[string]string{"abs": "L", "out": "L", "abs/a": "-", "d": "d", ".": "d", "/../..": "d"} {
		fi, err := n.Lstat(name)
		if err != nil || fi.Mode().String()[:1] != want {
			t.Errorf("lstat %s: %v, %v; want %s", name, fi, err, want)
			continue
		}
		if _, ok := fi.Sys().(*syscall.Stat_t); !ok {
			t.Errorf("lstat %s: Sys is %T", name, fi.Sys())
		}
	}
	if to, err := n.ReadLink("/out"); err != nil || to != "/etc/passwd" {
		t.Errorf("read link: %q, %v", to, err)
	}
	if x, err := n.Xattrs("out"); err != nil || len(x) != 0 {
		t.Errorf("attributes: %v, %v", x, err)
	}
	for what, f := range map[string]func() error{
		"lstat":      func() error { _, err := n.Lstat("nope/x"); return err },
		"read link":  func() error { _, err := n.ReadLink("nope"); return err },
		"list":       func() error { _, err := n.ReadDir("nope"); return err },
		"attributes": func() error { _, err := n.Xattrs("nope"); return err },
		"inside":     func() error { _, err := n.Lstat("out/x"); return err },
	} {
		if err := f(); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%s of nothing: %v", what, err)
		}
	}
	for what, f := range map[string]func() error{
		"link of a file":   func() error { _, err := n.ReadLink("d"); return err },
		"list of a link":   func() error { _, err := n.ReadDir("abs"); return err },
		"list of one file": func() error { _, err := n.ReadDir("d/a"); return err },
	} {
		if err := f(); err == nil || errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestLayerParents(t *testing.T) {
	s := newStore(t)
	base := s.apply("", archive(t, file("a", "a")))
	top := s.apply(base, archive(t, file("b", "b")))
	got := fmt.Sprint(s.layers.Parent(top))
	if want := fmt.Sprint(base, nil); got != want {
		t.Errorf("parent of the upper layer: %s, want %s", got, want)
	}
	if p, err := s.layers.Parent(base); p != "" || err != nil {
		t.Errorf("parent of the lowest layer: %q, %v", p, err)
	}
	if _, err := s.layers.Parent(digest.FromString("none")); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("parent of nothing: %v", err)
	}
}
