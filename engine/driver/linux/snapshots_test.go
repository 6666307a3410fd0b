//go:build linux

package linux

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/drivertest"
)

// base is a chain of two layers to work on.
func (s *store) base() digest.Digest {
	low := s.apply("", archive(s.t, folder("etc"), file("etc/passwd", "root\n"), file("etc/group", "g\n"), folder("d"), file("d/one", "1"),
		folder("d/deep"), file("d/deep/two", "2"), file("plain", "p")))
	return s.apply(low, archive(s.t, file("etc/hosts", "h\n"), file("d/three", "3"), link(tar.TypeSymlink, "ln", "etc/passwd")))
}

func (s *store) shell(dir, script string) {
	s.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

func TestSnapshotChangesAndDiff(t *testing.T) {
	tests := []struct {
		name, script string
		changes      []string
		diff         []string // names and types in the archive
	}{
		{"nothing", "cat etc/passwd >/dev/null", nil, nil},
		{"append", "echo x >> etc/passwd", []string{"C /etc", "C /etc/passwd"}, []string{"5 etc/", "0 etc/passwd"}},
		{"open for writing", ": >> etc/passwd", []string{"C /etc", "C /etc/passwd"}, []string{"5 etc/", "0 etc/passwd"}},
		{"create", "mkdir -p new/sub; echo x > new/sub/f", []string{"A /new", "A /new/sub", "A /new/sub/f"},
			[]string{"5 new/", "5 new/sub/", "0 new/sub/f"}},
		{"delete", "rm etc/hosts plain", []string{"C /etc", "D /etc/hosts", "D /plain"}, []string{"5 etc/", "0 etc/.wh.hosts", "0 .wh.plain"}},
		{"delete a folder", "rm -r d", []string{"D /d"}, []string{"0 .wh.d"}},
		{"chmod a folder", "chmod 700 etc", []string{"C /etc"}, []string{"5 etc/"}},
		{"replace a folder", "rm -r d; mkdir d; echo n > d/one; echo m > d/new", []string{"C /d", "D /d/deep", "A /d/new", "C /d/one", "D /d/three"},
			[]string{"5 d/", "0 d/.wh..wh..opq", "0 d/new", "0 d/one"}},
		{"create and delete", "echo x > t; rm t", nil, nil},
		{"hard link", "echo x > t; ln t u", []string{"A /t", "A /u"}, []string{"0 t", "1 u"}},
		{"file becomes folder", "rm plain; mkdir plain", []string{"C /plain"}, []string{"5 plain/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			s.t = t
			s.prepare("k", s.base())
			root, unmount := s.mount("k")
			s.shell(root, tt.script)
			unmount()
			if diff := cmp.Diff(tt.changes, s.changes("k")); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			var names []string
			for _, line := range listing(t, s.diff("k")) {
				f := strings.SplitN(line, "|", 3)
				names = append(names, f[0]+" "+f[1])
			}
			less := func(lines []string) map[string]bool {
				set := map[string]bool{}
				for _, l := range lines {
					set[l] = true
				}
				return set
			}
			if diff := cmp.Diff(less(tt.diff), less(names)); diff != "" {
				t.Errorf("archive (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSnapshotLifecycle(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	base := s.base()
	s.prepare("k", base)
	if err := s.snapshots.Prepare(ctx, "k", base); !errors.Is(err, driver.ErrExists) {
		t.Errorf("prepare again: %v, want ErrExists", err)
	}
	if err := s.snapshots.Prepare(ctx, "l", digest.FromString("nowhere")); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("prepare on an unknown chain: %v, want ErrNotFound", err)
	}
	if err := s.snapshots.Prepare(ctx, "../k", base); err == nil {
		t.Error("prepare accepts a key that leads elsewhere")
	}
	root, unmount := s.mount("k")
	s.shell(root, "echo x > made; rm plain; chmod 2755 d")
	unmount()
	before := s.exportKey("k")
	data := s.diff("k")
	if !bytes.Equal(data, s.diff("k")) {
		t.Error("two diffs of the same changes differ")
	}
	diffID := digest.FromBytes(data)
	chain := digest.FromString(base.String() + " " + diffID.String())
	if err := s.snapshots.Commit(ctx, "k", chain, diffID); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.snapshots.List(ctx); err != nil || len(keys) != 0 {
		t.Errorf("keys after commit: %v, %v", keys, err)
	}
	if diff := cmp.Diff(listing(t, before), listing(t, s.exportChain(chain))); diff != "" {
		t.Errorf("tree after commit (-want +got):\n%s", diff)
	}
	if err := s.snapshots.Remove(ctx, "k"); err != nil {
		t.Errorf("remove what is gone: %v", err)
	}
	s.prepare("m", chain)
	if err := s.snapshots.Remove(ctx, "m"); err != nil {
		t.Error(err)
	}
	s.noScratch()
}

func TestSnapshotOnNothing(t *testing.T) {
	s := newStore(t)
	s.prepare("k", "")
	root, unmount := s.mount("k")
	s.shell(root, "echo x > f")
	unmount()
	if diff := cmp.Diff([]string{"A /f"}, s.changes("k")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"0|f||-rw-r--r--|x\n"}, listing(t, s.exportKey("k"))); diff != "" {
		t.Error(diff)
	}
}

func TestTreeStaysInside(t *testing.T) {
	s := newStore(t)
	chain := s.apply(s.base(), archive(t, link(tar.TypeSymlink, "out", "/etc/passwd"), link(tar.TypeSymlink, "up", "../../../../etc/hosts"),
		header{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "pipe", Mode: 0o644, ModTime: when}}, link(tar.TypeSymlink, "loop", "loop")))
	tree, err := s.snapshots.OpenChain(context.Background(), chain)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	for name, want := range map[string]string{"/out": "root\n", "up": "h\n", "/ln": "root\n", "/../../etc/group": "g\n"} {
		f, err := tree.Open(name)
		if err != nil {
			t.Errorf("open %s: %v", name, err)
			continue
		}
		got, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"/pipe", "/etc", "/loop"} {
		if f, err := tree.Open(name); err == nil {
			f.Close()
			t.Errorf("open %s: no error", name)
		}
	}
	if _, err := tree.Stat("/nothing"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("stat of nothing: %v, want ErrNotFound", err)
	}
}

func TestTreeOfRunningContainer(t *testing.T) {
	s := newStore(t)
	s.prepare("k", s.base())
	root, _ := s.mount("k")
	s.shell(root, "echo live > etc/passwd")
	tree, err := s.snapshots.OpenKey(context.Background(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	f, err := tree.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, _ := io.ReadAll(f); string(got) != "live\n" {
		t.Errorf("got %q", got)
	}
}

func TestTreeOfManyLayers(t *testing.T) {
	s := newStore(t)
	var chain digest.Digest
	for i := range 130 {
		chain = s.apply(chain, archive(t, file(fmt.Sprintf("f%d", i), "x")))
	}
	if got := len(listing(t, s.exportChain(chain))); got != 130 {
		t.Errorf("%d files, want 130", got)
	}
}

// What older kernels need works on all of them, so it is tested on all of them.
func TestTreeMountedTheClassicWay(t *testing.T) {
	s := newStore(t)
	base := t.TempDir()
	var dirs []string
	for i := range 130 {
		dir := filepath.Join(base, fmt.Sprintf("a folder with a long name, a comma and a colon: %d", i))
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d", i)), []byte("x"), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "same"), []byte(fmt.Sprint(i)), 0o644))
		dirs = append(dirs, dir)
	}
	fd, err := -1, error(unix.EPERM)
	inOwnMounts(func() { fd, err = mountClassic(dirs, s.mode.UserXattr, unix.EINVAL) })
	must(t, err)
	tr := &tree{fd, "classic"}
	defer tr.Close()
	f, err := tr.Open("/same")
	must(t, err)
	defer f.Close()
	text, err := io.ReadAll(f)
	must(t, err)
	if got := len(listing(t, s.export(func(context.Context) (driver.Tree, error) { return tr, nil }))); got != 131 || string(text) != "0" {
		t.Errorf("%d files, want 131; the top folder's file holds %q", got, text)
	}
	if entries, err := os.ReadDir(dirs[0]); err != nil || len(entries) != 2 {
		t.Errorf("the folder that it was mounted on shows %v, %v", entries, err)
	}
}

// TestRandomTrees does random things in a mounted overlay, and expects that the archive of the changes, applied somewhere
// else, gives the same tree: types, modes, owners, times, links, attributes and content.
func TestRandomTrees(t *testing.T) {
	s := newStore(t)
	base := s.base()
	n := 0
	drivertest.Checks(t, "40")
	rapid.Check(t, func(r *rapid.T) {
		n++
		key := fmt.Sprintf("k%d", n)
		s.prepare(key, base)
		root, unmount := s.mount(key)
		r.Repeat(operations(root, s.mode))
		unmount()
		data := s.diff(key)
		diffID := digest.FromBytes(data)
		chain := digest.FromString(base.String() + " " + diffID.String())
		err := s.layers.Apply(context.Background(), chain, base, diffID, bytes.NewReader(data))
		if err != nil && !errors.Is(err, driver.ErrExists) {
			r.Fatalf("apply: %v", err)
		}
		want, got := s.exportKey(key), s.exportChain(chain)
		if !bytes.Equal(want, got) {
			r.Fatalf("trees differ:\n%s\nchanges: %v", cmp.Diff(listing(t, want), listing(t, got)), listing(t, data))
		}
		if err := s.snapshots.Remove(context.Background(), key); err != nil {
			r.Fatal(err)
		}
	})
	s.noScratch()
}

// operations are things that programs do to files; what can't be done at the moment does nothing.
func operations(root string, mode Mode) map[string]func(*rapid.T) {
	names := rapid.SampledFrom([]string{"etc", "etc/passwd", "etc/hosts", "d", "d/one", "d/deep", "d/deep/two", "plain", "ln", "n", "n/a", "n/b", "x"})
	at := func(r *rapid.T) string { return filepath.Join(root, names.Draw(r, "name")) }
	return map[string]func(*rapid.T){
		"write": func(r *rapid.T) {
			p := at(r)
			if st, err := os.Lstat(p); err == nil && !st.Mode().IsRegular() {
				return
			}
			_ = os.WriteFile(p, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(r, "content"), 0o640)
		},
		"mkdir": func(r *rapid.T) { _ = os.Mkdir(at(r), 0o750) },
		"remove": func(r *rapid.T) {
			p := at(r)
			if st, err := os.Lstat(filepath.Dir(p)); err == nil && st.IsDir() { // RemoveAll would open a pipe that stands there
				_ = os.RemoveAll(p)
			}
		},
		"rename":  func(r *rapid.T) { _ = os.Rename(at(r), at(r)) },
		"link":    func(r *rapid.T) { _ = os.Link(at(r), at(r)) },
		"symlink": func(r *rapid.T) { _ = os.Symlink("/etc/passwd", at(r)) },
		"fifo":    func(r *rapid.T) { _ = unix.Mkfifo(at(r), 0o600) },
		"chmod": func(r *rapid.T) {
			p := at(r)
			if st, err := os.Lstat(p); err == nil && st.Mode()&os.ModeSymlink == 0 {
				_ = unix.Chmod(p, rapid.Uint32Range(0, 0o7777).Draw(r, "mode"))
			}
		},
		"chown": func(r *rapid.T) {
			if !mode.SquashOwners {
				_ = os.Lchown(at(r), rapid.IntRange(0, 70000).Draw(r, "uid"), rapid.IntRange(0, 70000).Draw(r, "gid"))
			}
		},
		"xattr": func(r *rapid.T) { _ = unix.Lsetxattr(at(r), "user.x", []byte("v"), 0) },
		"time": func(r *rapid.T) {
			ts := unix.Timespec{Sec: rapid.Int64Range(0, 1<<32).Draw(r, "s"), Nsec: rapid.Int64Range(0, 999_999_999).Draw(r, "ns")}
			_ = unix.UtimesNanoAt(unix.AT_FDCWD, at(r), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
		},
	}
}
