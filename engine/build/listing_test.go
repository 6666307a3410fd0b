package build

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/home"
	"pgregory.net/rapid"
)

func TestContextListing(t *testing.T) {
	l := newLab(t)
	for _, name := range []string{"a.log", "keep.log", "src/x.go", "src/x.tmp", "node/m/i.js", "node/m/LICENSE", ".git/HEAD"} {
		l.write(name, name)
	}
	l.write(".dockerignore", "# logs\n*.log\n!keep.log\n\n**/*.tmp\nnode\n!**/LICENSE\n/.git/\nunused\n")
	got, err := l.builder.Context(l.ctx, Options{ContextDir: l.dir})
	must(t, err)
	lines := map[string]int{}
	for _, n := range got.Sent {
		lines["+"+n.Path] = 0
		if n.Rule != nil {
			lines["+"+n.Path] = n.Rule.Line
		}
	}
	for _, n := range got.Left {
		lines["-"+n.Path] = n.Rule.Line
	}
	want := map[string]int{"-a.log": 2, "+keep.log": 3, "+src": 0, "+src/x.go": 0, "-src/x.tmp": 5, "+node": 0, "+node/m": 0, "-node/m/i.js": 6, "+node/m/LICENSE": 7, "-.git": 8, "-.git/HEAD": 8, "+.dockerignore": 0}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("deciding lines (-want +got):\n%s", diff)
	}
	if got.IgnoreFile != ".dockerignore" || got.Files != 4 || got.LeftFiles != 4 || got.LeftBytes != int64(len("a.logsrc/x.tmpnode/m/i.js.git/HEAD")) {
		t.Errorf("totals %+v", got)
	}
	if diff := cmp.Diff([]IgnoreRule{{".dockerignore", 9, "unused"}}, got.UnusedRules); diff != "" {
		t.Errorf("unused lines (-want +got):\n%s", diff)
	}
}

// TestListingIsWhatABuildSees: for random trees and ignore files the listing, the context of a build and a plain reading of the rules
// agree.
func TestListingIsWhatABuildSees(t *testing.T) {
	root := t.TempDir()
	n := 0
	pattern := rapid.SampledFrom([]string{"a", "b", "a/b", "*", "**", "*a", "a*", "**/b", "a/**", "?", "[ab]", "a/*", "**/a/*", "b/a", "/a", "./b/", "a/../b", "*/b"})
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir := filepath.Join(root, string(rune('a'+n%26)), rapid.StringMatching(`[a-z]{12}`).Draw(rt, "dir"))
		for _, name := range rapid.SliceOfN(rapid.StringMatching(`[ab]{1,2}(/[ab]{1,2}){0,3}`), 1, 8).Draw(rt, "files") {
			p := filepath.Join(dir, name+"/"+"f")
			if os.MkdirAll(filepath.Dir(p), 0o755) != nil || os.WriteFile(p, []byte("x"), 0o644) != nil {
				rt.Fatal("write context")
			}
		}
		var text string
		for range rapid.IntRange(0, 5).Draw(rt, "lines") {
			text += rapid.SampledFrom([]string{"", "", "!"}).Draw(rt, "sign") + pattern.Draw(rt, "pattern") + "\n"
		}
		dockerfile := filepath.Join(dir, "Dockerfile")
		if os.WriteFile(dockerfile+".dockerignore", []byte(text), 0o644) != nil {
			rt.Fatal("write ignore file")
		}
		c, err := openContext(dir, dockerfile, dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer c.root.Close()
		b := &Builder{home: mustHome(rt, root)}
		list, err := b.Context(t.Context(), Options{ContextDir: dir})
		if err != nil {
			rt.Fatal(err)
		}
		checkListing(rt, c, list, text)
	})
}

func mustHome(rt *rapid.T, root string) *home.Home {
	h, err := home.Open(filepath.Join(root, "home"))
	if err != nil {
		rt.Fatal(err)
	}
	return h
}

func checkListing(rt *rapid.T, c *contextTree, list ContextListing, text string) {
	if len(list.Sent) != c.count() {
		rt.Fatalf("%d names are listed as sent, a build sees %d", len(list.Sent), c.count())
	}
	for _, n := range slices.Concat(list.Sent, list.Left) {
		out, err := leftOut(c.ignore, n.Path)
		if err != nil {
			rt.Fatal(err)
		}
		sent := c.nodes[n.Path] != nil
		if sent && out && n.Type != "dir" || !sent && !out {
			rt.Fatalf("%s: sent %t, left out %t by\n%s", n.Path, sent, out, text)
		}
		if !sent && (n.Rule == nil || strings.HasPrefix(n.Rule.Pattern, "!")) || sent && n.Rule != nil && !strings.HasPrefix(n.Rule.Pattern, "!") {
			rt.Fatalf("%s: sent %t, by %v", n.Path, sent, n.Rule)
		}
		any := slices.ContainsFunc(c.ignore.rules, func(r ignoreRule) bool { return covers(r.pattern, n.Path) })
		if !strings.Contains(text, "!") && any == sent {
			rt.Fatalf("%s: sent %t by\n%s", n.Path, sent, text)
		}
		if n.Rule == nil {
			continue
		}
		if rule, ok := c.ignore.rule(n.Path); !sent && (!ok || rule.line != n.Rule.Line) {
			rt.Fatalf("%s: listed as decided by %v, and by %v", n.Path, n.Rule, rule)
		}
		if !covers(strings.TrimPrefix(n.Rule.Pattern, "!"), n.Path) {
			rt.Fatalf("%s is said to match %s", n.Path, n.Rule.Pattern)
		}
	}
}

// covers is the simplest reading of a pattern: some folder on the way, or the name itself, matches; ** stands for any number of names.
func covers(pattern, name string) bool {
	names := strings.Split(name, "/")
	for i := range names {
		if matchParts(strings.Split(strings.Trim(pattern, "/"), "/"), names[:i+1]) {
			return true
		}
	}
	return false
}

func matchParts(pattern, names []string) bool {
	if len(pattern) == 0 {
		return len(names) == 0
	}
	if pattern[0] == "**" {
		if len(pattern) == 1 {
			return len(names) > 0
		}
		for i := range len(names) + 1 {
			if matchParts(pattern[1:], names[i:]) {
				return true
			}
		}
		return false
	}
	if len(names) == 0 {
		return false
	}
	ok, _ := path.Match(pattern[0], names[0])
	return ok && matchParts(pattern[1:], names[1:])
}
