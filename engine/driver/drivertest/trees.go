package drivertest

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
)

func timeOf(t testing.TB, data []byte) time.Time {
	t.Helper()
	h, err := tar.NewReader(bytes.NewReader(data)).Next()
	must(t, err)
	return h.ModTime
}

func readAll(t testing.TB, tree driver.Tree, name string) string {
	t.Helper()
	f, err := tree.Open(name)
	must(t, err)
	defer f.Close()
	text, err := io.ReadAll(f)
	must(t, err)
	return string(text)
}

// openTree is a tree of two layers with links of every sort.
func openTree(t testing.TB, l *lab) driver.Tree {
	t.Helper()
	chain := l.stack(t, "", []entry{dir("etc"), file("etc/passwd", "root\n"), file("etc/gone", "x"), dir("d"), symlink("d/rel", "../etc/passwd"), symlink("up", "../../../../etc/passwd")},
		[]entry{whiteout("etc/gone"), file("etc/hosts", "h\n").mode(0o4600).owner(3, 4), symlink("abs", "/etc/hosts"), symlink("dirlink", "etc"), symlink("loop", "loop"),
			symlink("dangling", "/nowhere"), symlink("hostfile", "/proc/self/exe"), symlink("two", "abs"), fifo("pipe"), device("dev", 1, 5)})
	tree, err := l.Trees.OpenChain(t.Context(), chain)
	must(t, err)
	t.Cleanup(func() { _ = tree.Close() })
	return tree
}

// openCase is a name and what Open gives for it.
type openCase struct {
	rule, name, text string
	missing          bool // ErrNotFound
}

func testTrees(t *testing.T, l *lab) {
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		tree := openTree(t, l)
		for _, c := range openCases() {
			t.Run(c.rule, func(t *testing.T) { c.check(t, tree) })
		}
	})
	l.tests(t, treeTests(), exportTests())
}

func openCases() []openCase {
	return []openCase{
		{"a file", "/etc/passwd", "root\n", false},
		{"a relative name", "etc/passwd", "root\n", false},
		{"a name with dots goes no higher than the root", "/../../etc/./passwd", "root\n", false},
		{"a relative link", "/d/rel", "root\n", false},
		{"an absolute link stays inside", "/abs", "h\n", false},
		{"a link with too many dots stays inside", "/up", "root\n", false},
		{"a link to a link", "/two", "h\n", false},
		{"through a link to a folder", "/dirlink/hosts", "h\n", false},
		{"a name that is not there", "/nothing", "", true},
		{"a folder that is not there", "/nothing/at/all", "", true},
		{"a name that a layer deleted", "/etc/gone", "", true},
		{"a link that leads nowhere", "/dangling", "", true},
		{"a link to a file of the host's", "/hostfile", "", true},
	}
}

func (c openCase) check(t *testing.T, tree driver.Tree) {
	f, err := tree.Open(c.name)
	_, serr := tree.Stat(c.name)
	if c.missing {
		if !errors.Is(err, driver.ErrNotFound) || !errors.Is(serr, driver.ErrNotFound) {
			t.Errorf("open: %v, stat: %v; want ErrNotFound", err, serr)
		}
		return
	}
	must(t, errors.Join(err, serr))
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != c.text {
		t.Errorf("%q, %v; want %q", text, err, c.text)
	}
}

func treeTests() []test {
	return []test{
		{"only regular files are opened", func(t *testing.T, l *lab) {
			tree := openTree(t, l)
			for _, name := range []string{"/etc", "/pipe", "/dev", "/loop", "/"} {
				if f, err := tree.Open(name); err == nil {
					t.Errorf("%s: opened, %v", name, f.Close())
				}
			}
		}},
		{"stat tells type, mode, size and time", func(t *testing.T, l *lab) {
			tree := openTree(t, l)
			for name, want := range map[string]fs.FileMode{"/abs": fs.ModeSetuid | 0o600, "/etc": fs.ModeDir | 0o755, "/dirlink": fs.ModeDir | 0o755, "/": fs.ModeDir | 0o755,
				"/pipe": fs.ModeNamedPipe | 0o644, "/dev": fs.ModeDevice | fs.ModeCharDevice | 0o644} {
				info, err := tree.Stat(name)
				must(t, err)
				if info.Mode() != want || info.IsDir() != want.IsDir() {
					t.Errorf("%s: %v, want %v", name, info.Mode(), want)
				}
			}
			info, err := tree.Stat("/two")
			must(t, err)
			if info.Size() != 2 || !info.ModTime().Equal(when()) {
				t.Errorf("size %d, time %v", info.Size(), info.ModTime())
			}
		}},
		{"a link that leads to itself is an error", func(t *testing.T, l *lab) {
			if _, err := openTree(t, l).Stat("/loop"); err == nil {
				t.Error("no error")
			}
		}},
		{"a chain that is not here is ErrNotFound", func(t *testing.T, l *lab) {
			if _, err := l.Trees.OpenChain(t.Context(), chainOf("", "sha256:"+zeros)); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("error %v", err)
			}
		}},
		{"a writable layer that is not here is ErrNotFound", func(t *testing.T, l *lab) {
			if _, err := l.Trees.OpenKey(t.Context(), "nosuchkey"); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("error %v", err)
			}
		}},
		{"a running container's tree shows what it has written", func(t *testing.T, l *lab) {
			b := l.started(t, "echo live > /tmp/f; rm /etc/issue; echo done; read x")
			b.says("done\n")
			tree, err := l.Trees.OpenKey(t.Context(), b.spec.Key)
			must(t, err)
			defer tree.Close()
			if text := readAll(t, tree, "/tmp/f"); text != "live\n" {
				t.Errorf("%q", text)
			}
			if _, err := tree.Stat("/etc/issue"); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("a deleted file: %v", err)
			}
		}},
	}
}

func exportTests() []test {
	return []test{
		{"the empty chain is an empty tree", func(t *testing.T, l *lab) {
			tree, err := l.Trees.OpenChain(t.Context(), "")
			if lines := listing(t, export(t, tree, err), everything); lines != nil {
				t.Errorf("%q", lines)
			}
		}},
		{"an untouched writable layer has the tree of what it stands on", func(t *testing.T, l *lab) {
			chain := l.stack(t, "", []entry{dir("a"), file("a/b", "x").mode(0o4711)}, []entry{whiteout("a/b"), file("c", "y")})
			if !bytes.Equal(l.exportChain(t, chain), l.exportKey(t, l.prepare(t, chain))) {
				t.Error("the trees differ")
			}
		}},
		{"an export twice gives the same bytes", func(t *testing.T, l *lab) {
			chain := l.apply(t, "", dir("a"), file("a/b", "x"), hardlink("c", "a/b"), symlink("d", "a"), fifo("e"))
			if !bytes.Equal(l.exportChain(t, chain), l.exportChain(t, chain)) {
				t.Error("the archives differ")
			}
		}},
		{"hard links across folders are exported as links to the first name", func(t *testing.T, l *lab) {
			chain := l.apply(t, "", file("z", "x"), hardlink("m/b", "z"), hardlink("a", "z"))
			want := []string{`- 0644 a "x"`, "d 0755 m/", "h m/b = a", "h z = a"}
			if diff := cmp.Diff(want, listing(t, l.exportChain(t, chain), everything)); diff != "" {
				t.Error(diff)
			}
		}},
	}
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
