package drivertest

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// partCase is a container with a part of a tree mounted on /mnt, a script, and what comes of it.
type partCase struct {
	rule, source string
	readOnly     bool
	script       string
	out, errs    string
	fails        string // what the error of a start that fails says
}

// buildStage is a tree as a build's stage leaves it, of three layers.
func (l *lab) buildStage(t testing.TB) digest.Digest {
	t.Helper()
	return l.stack(t, l.Base,
		[]entry{dir("src"), file("src/a", "low\n"), file("src/gone", "x"), dir("src/old"), file("src/old/f", "x"), symlink("root", "/"), symlink("up", "../../.."),
			symlink("src/abs", "/src/a"), symlink("loop", "loop"), symlink("nowhere", "/not/there")},
		[]entry{file("src/a", "high\n"), whiteout("src/gone"), opaque("src/old"), file("src/old/g", "y\n")},
		[]entry{fifo("src/p")})
}

func partCases() []partCase {
	return []partCase{
		{rule: "all layers together are seen", source: "src", script: "cat /mnt/a /mnt/old/g; ls /mnt /mnt/old", out: "high\ny\n/mnt:\na\nabs\nold\np\n\n/mnt/old:\ng\n"},
		{rule: "the whole tree", source: "/", script: "cat /mnt/src/a; ls -d /mnt/etc", out: "high\n/mnt/etc\n"},
		{rule: "no source is the whole tree", script: "cat /mnt/src/a", out: "high\n"},
		{rule: "a tree of layers can't be written", source: "src", script: "echo x > /mnt/a; rm /mnt/a; mkdir /mnt/d; chmod 700 /mnt", errs: strings.Repeat(readOnlyFS, 4)},
		{rule: "a file goes on a file", source: "src/a", script: "cat /mnt; echo x > /mnt", out: "high\n", errs: readOnlyFS},
		{rule: "a link is followed", source: "src/abs", script: "cat /mnt", out: "high\n"},
		{rule: "a source that is a link to the root is the tree's root", source: "root", script: "cat /mnt/src/a", out: "high\n"},
		{rule: "a source that leads up stays in the tree", source: "up", script: "cat /mnt/src/a", out: "high\n"},
		{rule: "dots do not lead out of the tree", source: "../../../src", script: "cat /mnt/a", out: "high\n"},
		{rule: "links inside lead where the container's root says", source: "src", script: "cat /mnt/abs", errs: noEntry},
		{rule: "a missing source is named", source: "src/none", fails: "/src/none"},
		{rule: "a source that leads nowhere is named", source: "nowhere", fails: "/nowhere"},
		{rule: "a source below a file is named", source: "src/a/b", fails: "/src/a/b"},
		{rule: "a link that leads to itself is an error", source: "loop", fails: "mount /mnt"},
	}
}

func testTreeMounts(t *testing.T, l *lab) {
	chain := l.buildStage(t)
	each(t, partCases(), func(c partCase) string { return c.rule }, func(t *testing.T, c partCase) {
		spec := l.spec(t, script(c.script)...)
		target := "/mnt"
		if strings.HasPrefix(c.script, "cat /mnt;") || c.script == "cat /mnt" {
			target, spec.Process.Args[2] = "/file", strings.ReplaceAll(c.script, "/mnt", "/file")
		}
		spec.Mounts = []driver.Mount{{Type: "tree", Chain: chain, Source: c.source, Target: target, ReadOnly: c.readOnly}}
		if c.fails != "" {
			if err := l.create(t, spec).Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
			return
		}
		if r := l.run(t, spec); r.out != c.out || !complaints(r.errs, c.errs) {
			t.Errorf("%+v, want output %q, errors %q", r, c.out, c.errs)
		}
		l.unchanged(t, spec.Key)
	})
	l.tests(t, keyTreeTests())
}

// unchanged fails if the writable layer has any change.
func (l *lab) unchanged(t testing.TB, key string) {
	t.Helper()
	if got := l.changes(t, key); got != nil {
		t.Errorf("changes %q", got)
	}
	if _, stats := l.archiveOf(t, key); stats != (driver.DiffStats{}) {
		t.Errorf("the archive of the changes has %+v", stats)
	}
}

func keyTreeTests() []test {
	return []test{
		{"an empty tree", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("ls -A /mnt; echo x > /mnt/f")...)
			spec.Mounts = []driver.Mount{{Type: "tree", Target: "/mnt"}}
			if r := l.run(t, spec); r.out != "" || !complaints(r.errs, readOnlyFS) {
				t.Errorf("%+v", r)
			}
		}},
		{"a chain that is not here fails the start", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Mounts = []driver.Mount{{Type: "tree", Chain: digest.FromString("nowhere"), Target: "/mnt"}}
			if err := l.create(t, spec).Start(t.Context(), driver.Streams{}); err == nil {
				t.Error("no error")
			}
		}},
		{"what is written into a writable layer stays there and nowhere else", func(t *testing.T, l *lab) {
			key := l.prepare(t, l.buildStage(t))
			spec := l.spec(t, script("cat /mnt/a; echo x > /mnt/n; rm /mnt/a; echo y > /other/new; cat /other/src/n")...)
			spec.Mounts = []driver.Mount{{Type: "tree", Key: key, Source: "src", Target: "/mnt"}, {Type: "tree", Key: key, Target: "/other"}}
			if r := l.run(t, spec); r.out != "high\nx\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
			l.unchanged(t, spec.Key)
			same(t, "changes of the tree", []string{"A /new", "C /src", "D /src/a", "A /src/n"}, l.changes(t, key))
		}},
		{"a writable layer may be mounted read-only", func(t *testing.T, l *lab) {
			key := l.written(t, l.Base, "echo w > /w")
			spec := l.spec(t, script("cat /mnt/w; echo x > /mnt/w")...)
			spec.Mounts = []driver.Mount{{Type: "tree", Key: key, Target: "/mnt", ReadOnly: true}}
			if r := l.run(t, spec); r.out != "w\n" || !complaints(r.errs, readOnlyFS) {
				t.Errorf("%+v", r)
			}
			same(t, "changes", []string{"A /w"}, l.changes(t, key))
		}},
		{"the container's own root can't be mounted inside it", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Mounts = []driver.Mount{{Type: "tree", Key: spec.Key, Target: "/mnt"}}
			if _, err := l.Runtime.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "/mnt") {
				t.Errorf("error %v", err)
			}
		}},
	}
}
