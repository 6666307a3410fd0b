package docker

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/image"
)

// node is a path under test: files have no kids.
func node(p string, m image.Mark, kids ...*image.LensNode) *image.LensNode {
	f := &image.LensFile{Type: "file", Mode: "0644", Layer: 1}
	if len(kids) > 0 {
		f.Type, f.Mode = "dir", "0755"
	}
	n := &image.LensNode{LensChange: image.LensChange{Path: p, Mark: m, File: f}, Kids: kids}
	if m == image.MarkDeleted {
		n.File, n.Before = nil, f
	}
	return n
}

func newViewer(t *testing.T) *viewer {
	t.Helper()
	root := node("/", "", node("/a", "", node("/a/new", "A"), node("/a/old", "")), node("/b", "D", node("/b/x", "D")), node("/c\x1b[2J\x9b", "C"))
	v := &viewer{lens: &lens{Lens: &image.Lens{Layers: []image.LensLayer{{Number: 1}, {Number: 2, CreatedBy: "RUN \x1b]0;x\x07"}}}}, closed: map[string]bool{}, hide: map[string]bool{},
		load: func(int) (*image.LensNode, error) { return root, nil }}
	v.resize(80, 24)
	if err := v.choose(2); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *viewer) shown() string {
	var list []string
	for i, l := range v.lines {
		p, _, _ := strings.Cut(l.node.Path, "\x1b")
		if i == v.at {
			p = ">" + p
		}
		list = append(list, p)
	}
	return strings.Join(list, " ")
}

func TestViewerKeys(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"", ">/a /a/new /a/old /b /b/x /c"},
		{"\x01", ">/a /a/old /b /b/x /c"},
		{"\x12", ">/a /a/new /a/old /c"},
		{"\r", ">/a /a/new /a/old /b /b/x"},
		{"\x15", ">/a /a/new /b /b/x /c"},
		{"\x01\x12\r\x15", ""},
		{"\x15\x15", ">/a /a/new /a/old /b /b/x /c"},
		{"\t\x1b[B\x1b[B", "/a /a/new >/a/old /b /b/x /c"},
		{"\tjjjjjjjjjjj", "/a /a/new /a/old /b /b/x >/c"},
		{"\tk", ">/a /a/new /a/old /b /b/x /c"},
		{"\t ", ">/a /b /b/x /c"},
		{"\t  ", ">/a /a/new /a/old /b /b/x /c"},
		{"\t \x15\x01", ">/b /b/x /c"},
		{"\x00", ">/a /b /c"},
		{"\x00\x00", ">/a /a/new /a/old /b /b/x /c"},
		{"\t\x1b[6~", "/a /a/new /a/old /b /b/x >/c"},
		{"\x1b[C\x1b[Bh\x1b[A", ">/a /a/new /a/old /b /b/x /c"},
	} {
		v := newViewer(t)
		keys, rest := splitKeys(c.keys)
		for _, key := range keys {
			if quit, err := v.key(key); quit || err != nil || rest != "" {
				t.Fatal(quit, err, rest)
			}
		}
		if got := v.shown(); got != c.want {
			t.Errorf("%q: %s, want %s", c.keys, got, c.want)
		}
	}
	for _, key := range []string{"q", "\x03"} {
		if quit, _ := newViewer(t).key(key); !quit {
			t.Errorf("%q doesn't leave", key)
		}
	}
}

func TestSplitKeys(t *testing.T) {
	keys, rest := splitKeys("a\x1b[B\x1b[5~\x1bOAz\x1b[")
	if !slices.Equal(keys, []string{"a", "\x1b[B", "\x1b[5~", "\x1bOA", "z"}) || rest != "\x1b[" {
		t.Errorf("%q, rest %q", keys, rest)
	}
}

// TestViewerDraws: on a screen of any size, every line is in it, and nothing of the image steers the terminal.
func TestViewerDraws(t *testing.T) {
	ours := regexp.MustCompile(`\x1b\[(\d+;\d+H|2K|K|\d*m)`)
	for cols := range 100 {
		for _, rows := range []int{0, 1, 2, 5, 24, 60} {
			v := newViewer(t)
			v.colour = true
			v.resize(uint16(cols), uint16(rows))
			_, _ = v.key("\t")
			frame := v.frame()
			if left := ours.ReplaceAllString(frame, ""); strings.ContainsAny(left, "\x1b\x07\u009b\n") {
				t.Fatalf("%dx%d: %q", cols, rows, left)
			}
			for _, m := range regexp.MustCompile(`\x1b\[(\d+);`).FindAllStringSubmatch(frame, -1) {
				if n := m[1]; len(n) > len(fmt.Sprint(v.rows))+1 {
					t.Fatalf("%dx%d: line %s", cols, rows, n)
				}
			}
		}
	}
}

func TestHarmlessOutput(t *testing.T) {
	for _, split := range []int{0, 1, 2, 3, 4, 5, 6, 7} {
		text := "é\tx\x1b[2J\n\x9bß€"
		var b bytes.Buffer
		h := &harmless{w: &b}
		for _, part := range []string{text[:split], text[split:]} {
			if n, err := h.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if d := cmp.Diff("é\tx\\x1b[2J\n\\x9bß€", b.String()); d != "" {
			t.Errorf("cut at %d: %s", split, d)
		}
	}
}

func TestCIRules(t *testing.T) {
	l := &lens{Lens: &image.Lens{Dive: image.DiveScore{Efficiency: 0.8, WastedBytes: 2_000_000, UserWastedPercent: 0.5}}}
	for _, c := range []struct {
		rules ciRules
		want  string
	}{
		{ciRules{"0.9", "disabled", "0.1"}, "FAIL SKIP FAIL"},
		{ciRules{"0.8", "2MB", "0.5"}, "PASS PASS PASS"},
		{ciRules{"0.81", "1.9MB", "disabled"}, "SKIP FAIL FAIL"},
	} {
		var got []string
		for _, v := range l.results(c.rules) {
			got = append(got, v.Result)
		}
		if s := strings.Join(got, " "); s != c.want || c.rules.check() != nil {
			t.Errorf("%v: %s, want %s", c.rules, s, c.want)
		}
	}
	for _, bad := range []ciRules{{"1.5", "1MB", "0"}, {"x", "1MB", "0"}, {"1", "many", "0"}, {"1", "1", "-1"}, {"NaN", "1", "1"}} {
		if bad.check() == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
