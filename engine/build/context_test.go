package build

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/patternmatcher"
	"pgregory.net/rapid"
)

func makeFiles(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		p := filepath.Join(dir, n)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte(n), 0o644))
	}
}

func TestContextHonoursIgnoreFile(t *testing.T) {
	all := []string{"Dockerfile", "a.go", "a.log", "dir/b.go", "dir/b.log", "dir/deep/c.log", "vendor/keep/x", "vendor/y"}
	tests := []struct {
		name, ignore string
		want         []string
		ignored      int
	}{
		{"none", "", []string{"Dockerfile", "a.go", "a.log", "dir", "dir/b.go", "dir/b.log", "dir/deep", "dir/deep/c.log", "vendor", "vendor/keep", "vendor/keep/x", "vendor/y"}, 0},
		{"top only", "*.log", []string{"Dockerfile", "a.go", "dir", "dir/b.go", "dir/b.log", "dir/deep", "dir/deep/c.log", "vendor", "vendor/keep", "vendor/keep/x", "vendor/y"}, 1},
		{"everywhere", "**/*.log\nvendor", []string{"Dockerfile", "a.go", "dir", "dir/b.go", "dir/deep"}, 4},
		{"exception", "vendor\n!vendor/keep", []string{"Dockerfile", "a.go", "a.log", "dir", "dir/b.go", "dir/b.log", "dir/deep", "dir/deep/c.log", "vendor", "vendor/keep", "vendor/keep/x"}, 1},
		{"all but", "*\n!a.go", []string{"a.go"}, 11},
		{"comments, blanks, slashes", "# vendor\n\n  /vendor/  \n./dir\n", []string{"Dockerfile", "a.go", "a.log"}, 2},
		{"BOM and carriage returns", "\ufeffvendor\r\ndir\r\n", []string{"Dockerfile", "a.go", "a.log"}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			makeFiles(t, dir, all...)
			ignoreFile := filepath.Join(t.TempDir(), "Dockerfile")
			must(t, os.WriteFile(ignoreFile+".dockerignore", []byte(tt.ignore), 0o644))
			c, err := openContext(dir, ignoreFile, t.TempDir())
			must(t, err)
			defer c.close()
			delete(c.nodes, ".")
			if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(c.nodes))); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if c.ignored != tt.ignored {
				t.Errorf("%d names left out, want %d", c.ignored, tt.ignored)
			}
		})
	}
}

func TestIgnoreFileOfTheDockerfileComesFirst(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir, "a", "b")
	must(t, os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte("a"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "My.dockerignore"), []byte("b"), 0o644))
	c, err := openContext(dir, filepath.Join(dir, "My"), t.TempDir())
	must(t, err)
	defer c.close()
	if c.nodes["a"] == nil || c.nodes["b"] != nil {
		t.Errorf("names %v, want a and not b", slices.Sorted(maps.Keys(c.nodes)))
	}
}

func TestBadIgnorePatternNamesItsLine(t *testing.T) {
	for text, want := range map[string]string{"ok\n[\n": `.dockerignore:2: pattern "[":`, "a\n\xff\n": ".dockerignore:2: the line is not UTF-8 text", "\x00": ".dockerignore:1: the line is not UTF-8 text"} {
		if _, err := parseIgnore(".dockerignore", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestLinksStayInside(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir, "in/file")
	for link, to := range map[string]string{"abs": "/in/file", "rel": "in/file", "up": "../../in/file", "loop": "loop", "dir": "in"} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	c, err := openContext(dir, filepath.Join(dir, "Dockerfile"), t.TempDir())
	must(t, err)
	defer c.close()
	for _, p := range []string{"abs", "rel", "up", "dir/file", "/dir/../dir/file"} {
		if n, err := get(c, p); err != nil || n.path != "in/file" {
			t.Errorf("%s leads to %q, %v, want in/file", p, n.path, err)
		}
	}
	if _, err := get(c, "loop"); err == nil || !strings.Contains(err.Error(), "too many levels") {
		t.Errorf("loop: %v", err)
	}
}

// TestSumsAreKept shows that an unchanged file is not read again, and that every kind of change is noticed.
func TestSumsAreKept(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	makeFiles(t, dir, "old", "odd name\n\"x\"")
	time.Sleep(2 * settleFine)
	open := func() *contextTree {
		c, err := openContext(dir, filepath.Join(dir, "Dockerfile"), cache)
		must(t, err)
		return c
	}
	sum := func(c *contextTree, p string) string {
		must(t, c.digest([]*node{c.nodes[p]}))
		return string(c.nodes[p].sum)
	}
	first := open()
	want := sum(first, "old")
	sum(first, "odd name\n\"x\"")
	must(t, first.close())

	second := open()
	if len(second.sums.known) != 2 || second.sums.get(second.nodes["old"]) == "" || second.sums.get(second.nodes["odd name\n\"x\""]) == "" {
		t.Errorf("known: %v", second.sums.known)
	}
	must(t, second.close())

	// Same length, same modification time: only the change time tells.
	fi, err := os.Stat(filepath.Join(dir, "old"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "old"), []byte("new"), 0o644))
	must(t, os.Chtimes(filepath.Join(dir, "old"), fi.ModTime(), fi.ModTime()))
	third := open()
	if got := sum(third, "old"); got == want {
		t.Error("a changed file has its old digest")
	}
	must(t, third.close())
	fourth := open() // the file was written just before it was read: it is not vouched for
	if fourth.sums.get(fourth.nodes["old"]) != "" {
		t.Error("a file that may still have been changing is vouched for")
	}
	must(t, fourth.close())

	text, err := os.ReadFile(first.sums.path)
	must(t, err)
	must(t, os.WriteFile(first.sums.path, text[:len(text)-3], 0o600))
	if torn := loadSums(cache, dir); len(torn.known) != 0 {
		t.Error("a torn file is believed")
	}
}

func TestChangeDuringBuildIsAnError(t *testing.T) {
	dir := t.TempDir()
	makeFiles(t, dir, "f")
	c, err := openContext(dir, filepath.Join(dir, "Dockerfile"), t.TempDir())
	must(t, err)
	defer c.close()
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("longer now"), 0o644))
	if err := c.digest([]*node{c.nodes["f"]}); err == nil || !strings.Contains(err.Error(), "changed while the build read it") {
		t.Errorf("error %v", err)
	}
}

// TestKeyDependsOnContentOnly: neither times nor the order in which names were made change the digest of inputs.
func TestKeyDependsOnContentOnly(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		contents := rapid.MapOfN(rapid.StringMatching(`[a-c]{1,2}(/[a-c]{3})?`), rapid.StringN(0, 8, 8), 1, 8).Draw(rt, "files")
		var digests []string
		for range 2 {
			n++
			dir := filepath.Join(root, string(rune('a'+n%26)), time.Now().Format("150405.000000000"))
			order := rapid.Permutation(slices.Sorted(maps.Keys(contents))).Draw(rt, "order")
			for _, name := range order {
				p := filepath.Join(dir, name+".txt")
				if os.MkdirAll(filepath.Dir(p), 0o755) != nil || os.WriteFile(p, []byte(contents[name]), 0o644) != nil {
					rt.Fatal("write context")
				}
				at := time.Unix(rapid.Int64Range(0, 1<<32).Draw(rt, "mtime"), 0)
				_ = os.Chtimes(p, at, at)
				_ = os.Chtimes(filepath.Dir(p), at, at)
			}
			c, err := openContext(dir, filepath.Join(dir, "Dockerfile"), dir)
			if err != nil {
				rt.Fatal(err)
			}
			spec := copySpec{name: "COPY", paths: []string{"."}, dest: "/x"}
			sel, err := spec.choose(c)
			if err != nil {
				rt.Fatal(err)
			}
			d := inputsDigest(sel.inputs(spec))
			_ = c.root.Close()
			digests = append(digests, d.String())
		}
		if digests[0] != digests[1] {
			rt.Fatalf("same content, different inputs: %v", digests)
		}
	})
}

func FuzzIgnore(f *testing.F) {
	for _, seed := range []string{"", "*\n!a\n", "**", "**/x/**\r\n#c", "[a-z]", "\ufeff/x", "!", "a\\", "**/**", "\x00"} {
		f.Add([]byte(seed), "a/b/c")
	}
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		l, err := parseIgnore(".dockerignore", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), ".dockerignore") {
				t.Errorf("error without its place: %v", err)
			}
			return
		}
		out, err := leftOut(l, rooted(name))
		if err != nil {
			return
		}
		if rule, ok := l.rule(rooted(name)); ok != out {
			t.Errorf("match(%q) = %v, but the deciding rule is %v, %v", name, out, rule, ok)
		}
	})
}

// leftOut asks the matcher as a walk does: folder by folder.
func leftOut(l *ignoreList, name string) (out bool, err error) {
	var info patternmatcher.MatchInfo
	at := ""
	for part := range strings.SplitSeq(name, "/") {
		at = strings.TrimPrefix(at+"/"+part, "/")
		if out, info, err = l.match(at, info); err != nil {
			return out, err
		}
	}
	return out, nil
}
