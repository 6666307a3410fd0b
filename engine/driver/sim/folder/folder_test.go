package folder_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver/sim/folder"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/home"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func noon() time.Time { return time.Unix(1_700_000_000, 0).UTC() }

// open makes a folder and opens it n times, as n processes do.
func open(t testing.TB, n int) (dir string, all []*folder.FS) {
	t.Helper()
	h, err := home.Open(t.TempDir())
	must(t, err)
	dir = filepath.Join(h.Root(), "folder")
	must(t, os.Mkdir(dir, 0o700))
	must(t, folder.Make(dir, 0, 0, 0o755, noon()))
	for range n {
		f, err := folder.Open(h, dir, noon)
		must(t, err)
		all = append(all, f)
	}
	return dir, all
}

// machine is what both file systems can do.
type machine interface {
	fsys.FS
	fsys.Maker
	fsys.Remover
	fsys.Setter
}

func names() []string {
	return []string{"a", "A", "d", "d/a", "d/B", "d/e", "d/e/x", "con.", "ä", strings.Repeat("n", 255), "e", "e/f", "."}
}

// step is one random call, which gives what can be seen of its outcome.
func step(r *rand.Rand) (what string, do func(machine) string) {
	all := names()
	a, b := all[r.IntN(len(all))], all[r.IntN(len(all))]
	kinds := []fsys.Kind{fsys.File, fsys.File, fsys.Dir, fsys.Dir, fsys.Symlink, fsys.Pipe}
	kind, mode, text := kinds[r.IntN(len(kinds))], uint32(r.IntN(0o10000)), fmt.Sprint(r.Int())
	said := func(err error) string { return fmt.Sprint(err) }
	switch r.IntN(8) {
	case 0, 1, 2:
		return fmt.Sprintf("make %s %c", a, kind), func(m machine) string {
			return said(m.Make(a, fsys.New{Kind: kind, Mode: mode & 0o777, UID: 1, GID: 2, Target: "t"}))
		}
	case 3:
		return "rename " + a + " " + b, func(m machine) string { return said(m.Rename(a, b)) }
	case 4:
		return "remove " + a, func(m machine) string { return said(m.Remove(a)) + said(m.RemoveDir(a)) }
	case 5:
		return "link " + a + " " + b, func(m machine) string { return said(m.Link(a, b)) }
	case 6:
		mode &^= 0o2000 // a group that is handed on is more than a tmpfs of this machine knows
		return "chmod " + a, func(m machine) string { return said(m.Set(a, fsys.Change{Mode: &mode})) }
	}
	return "append " + a, func(m machine) string {
		if at, err := m.Lstat(a); err != nil || at.Kind != fsys.File {
			return said(err)
		}
		h, err := m.Open(a, fsys.How{Write: true})
		if err != nil {
			return said(err)
		}
		_, err = h.WriteAt([]byte(text), -1)
		return said(errors.Join(err, h.Close()))
	}
}

// tell lists a tree with everything that can be seen in it.
func tell(t testing.TB, m machine, name string) []string {
	t.Helper()
	a, err := m.Lstat(name)
	must(t, err)
	line := fmt.Sprintf("%s %c %o %d:%d %d", name, a.Kind, a.Mode, a.UID, a.GID, a.Links)
	if a.Kind == fsys.Symlink {
		line = fmt.Sprintf("%s %c", name, a.Kind) // its mode is the file system's affair
	}
	if a.Kind == fsys.File {
		h, err := m.Open(name, fsys.How{})
		must(t, err)
		data := make([]byte, a.Size)
		_, err = h.ReadAt(data, 0)
		line += fmt.Sprintf(" %q %v", data, err)
		must(t, h.Close())
	}
	lines := []string{line}
	if a.Kind != fsys.Dir {
		return lines
	}
	list, err := m.ReadDir(name)
	must(t, err)
	for _, d := range list {
		at := d.Name
		if name != "." {
			at = name + "/" + d.Name
		}
		lines = append(lines, tell(t, m, at)...)
	}
	return lines
}

// Whatever is done by several at once in turn, a folder is like the file system in memory.
func TestLikeTmpfs(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		_, all := open(t, 2)
		model := vfs.NewTmpfs(0, 0o755, noon, nil)
		var done []string
		for range 150 {
			what, do := step(r)
			done = append(done, what)
			if got, want := do(all[r.IntN(len(all))]), do(model); got != want {
				t.Fatalf("seed %d: %s: %s, want %s, after\n%s", seed, what, got, want, strings.Join(done, "\n"))
			}
		}
		for _, f := range all {
			if diff := cmp.Diff(tell(t, model, "."), tell(t, f, ".")); diff != "" {
				t.Fatalf("seed %d (-tmpfs +folder):\n%s", seed, diff)
			}
		}
	}
}

// What is open stays usable when its name goes, and nothing of it is left afterwards.
func TestOpenFileWithoutName(t *testing.T) {
	dir, all := open(t, 2)
	must(t, all[0].Make("f", fsys.New{Kind: fsys.File, Mode: 0o600}))
	h, err := all[0].Open("f", fsys.How{Write: true})
	must(t, err)
	must(t, all[1].Remove("f"))
	_, err = h.WriteAt([]byte("text"), -1)
	must(t, err)
	data := make([]byte, 4)
	_, err = h.ReadAt(data, 0)
	must(t, err)
	if a, err := h.Attr(); string(data) != "text" || err != nil || a.Links != 0 || a.Size != 4 {
		t.Errorf("%q, %+v, %v", data, a, err)
	}
	must(t, h.Close())
	if size, err := folder.Size(t.Context(), dir); size != 0 || err != nil {
		t.Errorf("size %d, %v", size, err)
	}
	for _, sub := range []string{"n", "c"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		must(t, err)
		if want := map[string]int{"n": 1}[sub]; len(entries) != want {
			t.Errorf("%s has %v", sub, entries)
		}
	}
}

// Appending and making from many sides at once loses nothing.
func TestConcurrentChanges(t *testing.T) {
	_, all := open(t, 4)
	must(t, all[0].Make("log", fsys.New{Kind: fsys.File, Mode: 0o600}))
	var wg sync.WaitGroup
	for n, f := range all {
		wg.Go(func() {
			h, err := f.Open("log", fsys.How{Write: true})
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Close()
			for i := range 10 {
				if _, err := h.WriteAt([]byte("x"), -1); err != nil {
					t.Error(err)
				}
				if err := f.Make(fmt.Sprintf("f%d-%d", n, i), fsys.New{Kind: fsys.File}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	a, err := all[0].Lstat("log")
	list, lerr := all[0].ReadDir(".")
	if a.Size != 40 || err != nil || len(list) != 41 || lerr != nil {
		t.Errorf("%d bytes, %v; %d names, %v", a.Size, err, len(list), lerr)
	}
}

// What a dead process left half done does no harm: a name without an inode can be removed or replaced.
func TestNameWithoutInode(t *testing.T) {
	dir, all := open(t, 1)
	f := all[0]
	for _, name := range []string{"a", "b"} {
		must(t, f.Make(name, fsys.New{Kind: fsys.File}))
	}
	must(t, os.Remove(filepath.Join(dir, "n", "2")))
	must(t, os.WriteFile(filepath.Join(dir, "d", "1", ".half"), []byte("?"), 0o600))
	if _, err := f.Lstat("a"); err != syscall.ENOENT {
		t.Errorf("lstat: %v", err)
	}
	must(t, f.Rename("b", "a"))
	if list, err := f.ReadDir("."); len(list) != 1 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	must(t, f.Remove("a"))
}

// Files that somebody damaged give errors.
func FuzzDamage(f *testing.F) {
	f.Add([]byte("2 -\n"), []byte(`{"kind":45,"mode":420,"links":1}`), []byte("3\n"))
	f.Add([]byte("1 d\nname"), []byte(`{"kind":100}`), []byte("0"))
	f.Fuzz(func(t *testing.T, entry, meta, next []byte) {
		dir, all := open(t, 1)
		fs := all[0]
		must(t, fs.Make("x", fsys.New{Kind: fsys.File}))
		must(t, os.WriteFile(filepath.Join(dir, "d", "1", "=x"), entry, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "n", "2"), meta, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "next"), next, 0o600))
		_, _ = fs.Lstat("x/x")
		_, _ = fs.ReadDir("x")
		_, _ = fs.Readlink("x")
		_, _ = fs.Xattr("x")
		if h, err := fs.Open("x", fsys.How{Write: true}); err == nil {
			_, _ = h.Attr()
			_ = h.Close()
		}
		_ = fs.Make("y", fsys.New{Kind: fsys.Dir})
		_ = fs.Rename("x", "y")
		_ = fs.Remove("x")
	})
}
