package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

const tableDir = "testdata/dockerfiles"

// TestDockerfiles builds the whole table on the kernel, and every second file of it on the simulator; LEARN_TEST_LONG=1 builds all on both. Each
// file has a home of its own; its cases are built in order, as later ones may stand on images of earlier ones.
func TestDockerfiles(t *testing.T) {
	table, err := readTable(tableDir)
	check(t, err)
	total := 0
	for _, cases := range table {
		total += len(cases)
	}
	if total < 250 {
		t.Errorf("the table has %d cases, expected at least 250", total)
	}
	onBothDrivers(t, func(t *testing.T, driver string) {
		if driver == nativeName {
			needRoot(t)
		}
		for i, file := range slices.Sorted(maps.Keys(table)) {
			if driver == simName && i%2 == 1 && !whole() {
				continue
			}
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				runTable(t, driver, table[file])
			})
		}
	})
}

func runTable(t *testing.T, driver string, cases []*dockerfileCase) {
	m := newMachine(t, driver)
	m.must("inspect", "learn/base") // makes it
	l := learnBuilder{m}
	var base baseImages
	img, err := l.image("learn/base")
	check(t, err)
	check(t, base.learn(img))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.has("needs linux") && driver != nativeName {
				t.Skip("needs a Linux kernel")
			}
			runCase(t, l, &base, c)
		})
	}
}

func runCase(t *testing.T, l learnBuilder, base *baseImages, c *dockerfileCase) {
	if len(c.edits) > 0 {
		l.must("builder", "prune", "-af")
	}
	b := newContext(t, c, l)
	if c.want == nil {
		t.Fatal("no want section")
	}
	verify(t, l, base, c, b, *c.want, true)
	for _, e := range c.edits {
		t.Run(e.name, func(t *testing.T) {
			check(t, b.apply(e.verbs))
			verify(t, l, base, c, b, e.outcome, false)
		})
	}
}

// newContext lays out a case's context and serves what lies in ../www beside it.
func newContext(t *testing.T, c *dockerfileCase, builder imageBuilder) *buildContext {
	dir := t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(dir, "www"))))
	t.Cleanup(server.Close)
	b := &buildContext{dir: filepath.Join(dir, "context"), url: server.URL, builder: builder}
	check(t, b.lay(c))
	return b
}

// verify builds once. whole says that want lists everything; otherwise what it lists must be among what is there.
func verify(t *testing.T, l learnBuilder, base *baseImages, c *dockerfileCase, b *buildContext, want outcome, whole bool) {
	t.Helper()
	r := l.build(b, c.tag())
	if want.err != nil {
		if r.code == 0 || !want.err.MatchString(r.err) {
			t.Errorf("exit code %d, expected a failure that matches %s\n%s", r.code, want.err, r.err)
		}
		verifyPlace(t, b, r.err)
		return
	}
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.err)
	}
	got, layers, err := describe(l, base, c)
	check(t, err)
	verifyLines(t, want.lines, got, whole)
	if want.layers >= 0 && want.layers != layers {
		t.Errorf("%d layers on the base, expected %d", layers, want.layers)
	}
	if want.cache != nil || !whole {
		steps, err := l.cached()
		check(t, err)
		compareCache(t, b.expandAll(want.cache), steps)
	}
}

var place = regexp.MustCompile(`(?m)^ERROR: (\S+):(\d+):(\d+): `)

// verifyPlace wants the source line below an error that names its place.
func verifyPlace(t *testing.T, b *buildContext, errs string) {
	t.Helper()
	m := place.FindStringSubmatch(errs)
	if m == nil {
		return
	}
	data, err := os.ReadFile(b.path(m[1]))
	check(t, err)
	n, err := strconv.Atoi(m[2])
	check(t, err)
	lines := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
	if n < 1 || n > len(lines) {
		t.Errorf("%s names line %d of %d", m[0], n, len(lines))
		return
	}
	if source := fmt.Sprintf("\n%4d | %s", n, lines[n-1]); !strings.Contains(errs, source) && strings.TrimSpace(lines[n-1]) != "" {
		t.Errorf("no source line%s\nin %s", source, errs)
	}
}

func verifyLines(t *testing.T, want, got []string, whole bool) {
	t.Helper()
	if whole {
		if !sameLines(want, got) {
			t.Errorf("config and tree (-want +got)\n%s", gocmp.Diff(want, got))
		}
		return
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return sameLines([]string{w}, []string{g}) }) {
			t.Errorf("no line %s in\n%s", w, strings.Join(got, "\n"))
		}
	}
}

// compareCache holds the steps against the table in any order: stages may be built side by side. What the table says of an instruction
// is its beginning.
func compareCache(t *testing.T, want, got []string) {
	t.Helper()
	left := slices.Clone(got)
	for _, w := range slices.SortedFunc(slices.Values(want), func(a, b string) int { return cmp.Compare(len(b), len(a)) }) {
		i := slices.IndexFunc(left, func(g string) bool { return strings.HasPrefix(g, w) })
		if i < 0 {
			t.Errorf("no step %q in %q", w, got)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		t.Errorf("more steps than expected: %q", left)
	}
}

// describe tells what a builder made of a case: config and tree, and the number of layers beyond the base.
func describe(b imageBuilder, base *baseImages, c *dockerfileCase) ([]string, int, error) {
	img, err := b.image(c.tag())
	if err != nil {
		return nil, 0, err
	}
	lines, err := base.lines(img, c.has("times"))
	layers := len(img.diffIDs)
	if layers > 0 && img.diffIDs[0] == base.id {
		layers--
	}
	return lines, layers, err
}
