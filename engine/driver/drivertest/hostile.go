package drivertest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostileCase is an archive that tries to get out of its layer. It is refused, leaving nothing, or tamed: then this is its tree.
type hostileCase struct {
	rule    string
	lower   []entry
	entries func(outside string) []entry
	tree    []string // nil: refused
}

// The folder outside is on the host's disk; OUTSIDE stands for it in a tree.
const outsideWord = "OUTSIDE"

func testHostile(t *testing.T, l *lab) {
	cases := slices.Concat(escapeCases(), misuseCases())
	each(t, cases, func(c hostileCase) string { return c.rule }, func(t *testing.T, c hostileCase) {
		outside := t.TempDir()
		canary := filepath.Join(outside, "canary")
		must(t, os.WriteFile(canary, []byte("alive"), 0o600))
		parent := l.apply(t, "", c.lower...)
		chain, err := l.tryApply(t, parent, c.entries(filepath.ToSlash(outside))...)
		if names, _ := os.ReadDir(outside); len(names) != 1 || names[0].Name() != "canary" {
			t.Errorf("the folder outside holds %v", names)
		}
		if text, err := os.ReadFile(canary); err != nil || string(text) != "alive" {
			t.Errorf("the file outside: %q, %v", text, err)
		}
		if c.tree == nil {
			if err == nil || l.Layers.Has(chain) {
				t.Errorf("error %v, and the layer is there: %v; want it refused", err, l.Layers.Has(chain))
			}
			return
		}
		must(t, err)
		// An absolute link makes the folder that it names, inside.
		imitation := strings.TrimPrefix(filepath.ToSlash(outside), "/")
		inside := func(name string) bool {
			return !under(imitation)(name) && !strings.HasPrefix(imitation, strings.TrimSuffix(name, "/")+"/")
		}
		lines := listing(t, l.exportChain(t, chain), inside)
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], filepath.ToSlash(outside), outsideWord)
		}
		if diff := cmp.Diff(c.tree, lines); diff != "" {
			t.Errorf("tree (-want +got):\n%s", diff)
		}
	})
}

func fixed(entries ...entry) func(string) []entry { return func(string) []entry { return entries } }

func escapeCases() []hostileCase {
	up := strings.Repeat("../", 20)
	return []hostileCase{
		{"a name with dots is refused", nil, func(o string) []entry { return []entry{file(up+o+"/canary", "evil")} }, nil},
		{"dots in the middle of a name are refused", nil, fixed(file("a/../../b", "evil")), nil},
		{"an absolute name is inside", nil, fixed(file("/etc/new", "x")), []string{"d 0755 etc/", `- 0644 etc/new "x"`}},
		{"a file through a link stays inside", nil, func(o string) []entry { return []entry{symlink("l", o), file("l/canary", "evil")} }, []string{"l l -> " + outsideWord}},
		{"a file through a link with dots stays inside", nil, func(o string) []entry { return []entry{symlink("l", up+o), file("l/canary", "evil")} },
			[]string{"l l -> " + up + outsideWord}},
		{"a file through a lower layer's link stays inside", []entry{dir("t"), symlink("l", up+"t")}, fixed(file("l/f", "x")),
			[]string{"l l -> " + up + "t", "d 0755 t/", `- 0644 t/f "x"`}},
		{"a file replaces a link instead of writing through it", nil, func(o string) []entry { return []entry{symlink("l", o+"/canary"), file("l", "mine")} },
			[]string{`- 0644 l "mine"`}},
		{"a file replaces a lower layer's link", []entry{file("t", "kept"), symlink("l", "t")}, fixed(file("l", "mine")), []string{`- 0644 l "mine"`, `- 0644 t "kept"`}},
		{"a folder's metadata does not reach through a link", nil, func(o string) []entry { return []entry{dir("d").mode(0o777), symlink("d", o)} }, []string{"l d -> " + outsideWord}},
		{"a hard link with dots is refused", nil, func(o string) []entry { return []entry{hardlink("l", up+o+"/canary")} }, nil},
		{"a hard link to an absolute name is inside, where nothing is", nil, func(o string) []entry { return []entry{hardlink("l", o+"/canary")} }, nil},
		{"a hard link through a link stays inside", nil, func(o string) []entry { return []entry{symlink("d", o), hardlink("l", "d/canary")} }, nil},
		{"a hard link to a link that leads out is only another link", nil, func(o string) []entry {
			return []entry{symlink("s", o+"/canary"), hardlink("l", "s"), file("l", "mine")}
		}, []string{`- 0644 l "mine"`, "l s -> " + outsideWord + "/canary"}},
		{"a whiteout through a link stays inside", nil, func(o string) []entry { return []entry{symlink("l", o), whiteout("l/canary")} }, []string{"l l -> " + outsideWord}},
		{"an opaque mark through a link stays inside", nil, func(o string) []entry { return []entry{symlink("l", o), opaque("l")} }, []string{"l l -> " + outsideWord}},
		{"links that lead to each other end", nil, fixed(symlink("a", "b"), symlink("b", "a"), file("a/x", "x")), nil},
	}
}

func misuseCases() []hostileCase {
	return []hostileCase{
		{"the root as a link is refused", nil, fixed(symlink(".", "/etc")), nil},
		{"the root as a file is refused", nil, fixed(file(".", "x")), nil},
		{"a whiteout of the folder itself is refused", nil, fixed(file("d/.wh..", "")), nil},
		{"a whiteout of the folder above is refused", nil, fixed(file("d/.wh...", "")), nil},
		{"a whiteout without a name is refused", nil, fixed(file(".wh.", "")), nil},
		{"a folder that is called like a whiteout is refused", nil, fixed(dir(".wh.d"), file(".wh.d/x", "x")), nil},
		{"a device that is a whiteout is refused", nil, fixed(device("w", 0, 0)), nil},
		{"a file as a folder is refused", nil, fixed(file("f", "x"), file("f/x", "x")), nil},
		{"a hard link to nothing is refused", nil, fixed(hardlink("l", "nothing")), nil},
		{"a hard link to a folder is refused", nil, fixed(dir("d"), hardlink("l", "d")), nil},
		{"a hard link to a lower layer's file is refused", []entry{file("low", "x")}, fixed(hardlink("l", "low")), nil},
		{"a hard link to what this layer deletes is refused", nil, fixed(whiteout("w"), hardlink("l", "w")), nil},
		{"an owner that stands for none is refused", nil, fixed(file("f", "x").owner(1<<32-1, 0)), nil},
		{"a name of 256 bytes is refused", nil, fixed(file(strings.Repeat("n", 256), "x")), nil},
		{"a hard link to itself is refused", nil, fixed(file("f", "x"), hardlink("f", "f")), nil},
	}
}
