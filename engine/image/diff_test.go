package image

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
)

func TestDiffFiles(t *testing.T) {
	long := strings.Repeat("x", 300)
	base := []ent{dirEnt("etc"), fileEnt("etc/a", "one"), fileEnt("etc/b", "two"), dirEnt("etc/sub"), fileEnt("etc/sub/c", "three")}
	for _, c := range []struct {
		name string
		a, b layers
		want []string
	}{
		{"the same in one layer and in two", layers{{dirEnt("d"), fileEnt("d/x", "1"), fileEnt("d/y", "2")}},
			layers{{dirEnt("d"), fileEnt("d/x", "1")}, {dirEnt("d"), fileEnt("d/y", "2")}}, nil},
		{"added and deleted", layers{{fileEnt("x", "1"), dirEnt("d")}}, layers{{fileEnt("y", "12")}},
			[]string{"D /d dir 0", "D /x file 1", "A /y file 2"}},
		{"content of one size", layers{{fileEnt("x", "1")}}, layers{{fileEnt("x", "2")}}, []string{"C /x content"}},
		{"size, mode, owner", layers{{fileEnt("x", "1")}}, layers{{fileEnt("x", "12").mode(0o4755).owner(7, 8)}},
			[]string{"C /x size 1>2, mode 0644>4755, owner 0:0>7:8"}},
		{"mode of a folder", layers{{dirEnt("d"), fileEnt("d/x", "1")}}, layers{{dirEnt("d").mode(0o1777), fileEnt("d/x", "1")}}, []string{"C /d mode 0755>1777"}},
		{"root", layers{{dirEnt(".")}}, layers{{dirEnt(".").mode(0o700)}}, []string{"C / mode 0755>0700"}},
		{"file becomes folder", layers{{fileEnt("x", "1")}}, layers{{dirEnt("x"), fileEnt("x/y", "1")}},
			[]string{"C /x type file>dir, mode 0644>0755", "A /x/y file 1"}},
		{"folder becomes link", layers{{dirEnt("x"), fileEnt("x/y", "1")}}, layers{{linkEnt("x", "/etc")}},
			[]string{"C /x type dir>symlink", "D /x/y file 1"}},
		{"target", layers{{linkEnt("l", "a")}}, layers{{linkEnt("l", "b").mode(0o644)}}, []string{"C /l target a>b"}},
		{"devices", layers{{devEnt("n", layer.Char, 1, 3), devEnt("p", layer.Fifo, 0, 0), devEnt("q", layer.Block, 8, 0)}},
			layers{{devEnt("n", layer.Char, 1, 5), devEnt("p", layer.Fifo, 0, 0), devEnt("q", layer.Char, 8, 0)}},
			[]string{"C /n device 1:3>1:5", "C /q type block>char"}},
		{"xattrs", layers{{fileEnt("x", "1").xattr("user.a", "1"), fileEnt("y", "1").xattr("user.a", "1"), fileEnt("z", "1").xattr("user.a", "1")}},
			layers{{fileEnt("x", "1").xattr("user.a", "2"), fileEnt("y", "1"), fileEnt("z", "1").xattr("user.b", "1")}},
			[]string{`C /x xattr user.a "1">"2"`, `C /y xattr user.a "1">`, `C /z xattr user.a "1">, xattr user.b >"1"`}},
		{"long xattrs", layers{{fileEnt("x", "1").xattr("user.a", long), fileEnt("y", "1").xattr("user.a", long)}},
			layers{{fileEnt("x", "1").xattr("user.a", long+"y"), fileEnt("y", "1").xattr("user.a", long)}},
			[]string{"C /x xattr user.a " + oci.Sum([]byte(long)).String() + ">" + oci.Sum([]byte(long+"y")).String()}},
		{"the digest of a long xattr is not the value", layers{{fileEnt("x", "1").xattr("user.a", long)}},
			layers{{fileEnt("x", "1").xattr("user.a", oci.Sum([]byte(long)).String())}},
			[]string{"C /x xattr user.a " + oci.Sum([]byte(long)).String() + `>"` + oci.Sum([]byte(long)).String() + `"`}},
		{"hard links", layers{{fileEnt("x", "1"), hardEnt("y", "x")}}, layers{{fileEnt("x", "1"), fileEnt("y", "1")}},
			[]string{"C /x links /x /y>", "C /y links /x /y>"}},
		{"hard link to other content", layers{{fileEnt("x", "1"), hardEnt("y", "x")}}, layers{{fileEnt("x", "2"), hardEnt("y", "x")}},
			[]string{"C /x content", "C /y content"}},
		{"content of another layer", layers{{fileEnt("x", "1")}, {fileEnt("z", "3")}}, layers{{fileEnt("z", "3")}, {fileEnt("x", "1")}}, nil},

		{"whiteout on one side", layers{base}, layers{base, {gone("etc/a")}}, []string{"D /etc/a file 3"}},
		{"whiteout of a folder", layers{base}, layers{base, {gone("etc/sub")}}, []string{"D /etc/sub dir 0", "D /etc/sub/c file 5"}},
		{"whiteout on both sides", layers{base, {gone("etc/a"), fileEnt("x", "1")}}, layers{base, {gone("etc/a"), fileEnt("x", "2")}}, []string{"C /x content"}},
		{"whiteout of nothing", layers{base}, layers{base, {gone("nothing")}}, nil},
		{"whiteout, then the same again", layers{base}, layers{base, {gone("etc/a")}, {dirEnt("etc"), fileEnt("etc/a", "one")}}, nil},
		{"whiteout and the folder in one layer", layers{base}, layers{base, {gone("etc"), dirEnt("etc"), fileEnt("etc/n", "")}},
			[]string{"D /etc/a file 3", "D /etc/b file 3", "A /etc/n file 0", "D /etc/sub dir 0", "D /etc/sub/c file 5"}},
		{"opaque on one side", layers{base}, layers{base, {dirEnt("etc"), opaqueEnt("etc"), fileEnt("etc/a", "one")}},
			[]string{"D /etc/b file 3", "D /etc/sub dir 0", "D /etc/sub/c file 5"}},
		{"opaque after its content", layers{base}, layers{base, {dirEnt("etc"), fileEnt("etc/a", "one"), opaqueEnt("etc")}},
			[]string{"D /etc/b file 3", "D /etc/sub dir 0", "D /etc/sub/c file 5"}},
		{"opaque on both sides", layers{base, {dirEnt("etc"), opaqueEnt("etc"), fileEnt("etc/a", "one")}}, layers{base, {dirEnt("etc"), opaqueEnt("etc")}},
			[]string{"D /etc/a file 3"}},
		{"opaque root", layers{base}, layers{base, {opaqueEnt("."), fileEnt("n", "")}},
			[]string{"D /etc dir 0", "D /etc/a file 3", "D /etc/b file 3", "D /etc/sub dir 0", "D /etc/sub/c file 5", "A /n file 0"}},
		{"hidden on one side, rewritten on the other", layers{base, {dirEnt("etc"), fileEnt("etc/a", "ONE")}}, layers{base, {gone("etc")}},
			[]string{"D /etc dir 0", "D /etc/a file 3", "D /etc/b file 3", "D /etc/sub dir 0", "D /etc/sub/c file 5"}},
		{"a file in a folder's place", layers{base}, layers{base, {fileEnt("etc", "1")}},
			[]string{"C /etc type dir>file, mode 0755>0644", "D /etc/a file 3", "D /etc/b file 3", "D /etc/sub dir 0", "D /etc/sub/c file 5"}},
		{"a folder again in a file's place shows nothing from below", layers{base}, layers{base, {fileEnt("etc", "1")}, {dirEnt("etc"), fileEnt("etc/a", "one")}},
			[]string{"D /etc/b file 3", "D /etc/sub dir 0", "D /etc/sub/c file 5"}},
		{"a folder without an entry is as below", layers{{dirEnt("etc").mode(0o700)}}, layers{{dirEnt("etc").mode(0o700)}, {fileEnt("etc/n", "1")}},
			[]string{"A /etc/n file 1"}},
		{"a folder that nobody describes", layers{{}}, layers{{fileEnt("new/n", "1")}}, []string{"A /new dir 0", "A /new/n file 1"}},
		{"through a link from below", layers{{dirEnt("usr"), dirEnt("usr/lib"), linkEnt("lib", "usr/lib")}},
			layers{{dirEnt("usr"), dirEnt("usr/lib"), linkEnt("lib", "usr/lib")}, {fileEnt("lib/n", "1"), gone("lib/x")}}, []string{"A /usr/lib/n file 1"}},
		{"no layers", nil, layers{{fileEnt("x", "1")}}, []string{"A /x file 1"}},
		{"an entry twice", layers{{fileEnt("x", "1"), fileEnt("x", "2")}}, layers{{fileEnt("x", "2")}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkshop(t)
			if c.want == nil {
				c.want = []string{}
			}
			a, b := w.stackOf(oci.Image{}, c.a.archives()...), w.stackOf(oci.Image{}, c.b.archives()...)
			if d := cmp.Diff(c.want, w.diffOf(a, b).lines()); d != "" {
				t.Error(d)
			}
			// How the layers are stored makes no difference.
			z := w.storedAs(oci.Image{}, gzipped, c.b.archives()...)
			if d := cmp.Diff(c.want, w.diffOf(a, z).lines()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDiffTimes(t *testing.T) {
	w := newWorkshop(t)
	later := monday.Add(time.Hour)
	a := w.stackOf(oci.Image{}, layerOf(dirEnt("d"), fileEnt("d/x", "1"), fileEnt("d/y", "1")))
	b := w.stackOf(oci.Image{}, layerOf(dirEnt("d"), fileEnt("d/x", "1").at(later), fileEnt("d/y", "2").at(later)))
	d := w.diffOf(a, b)
	if diff := cmp.Diff([]string{"C /d/y content"}, d.lines()); diff != "" {
		t.Error(diff)
	}
	want := []DiffMoment{{"/d/x", monday.UTC(), later.UTC()}, {"/d/y", monday.UTC(), later.UTC()}}
	if diff := cmp.Diff(want, d.FileTimes); diff != "" {
		t.Error(diff)
	}
}

func TestDiffOfItself(t *testing.T) {
	w := newWorkshop(t)
	a := w.stackOf(oci.Image{}, layerOf(fileEnt("x", "1")))
	d := w.diffOf(a, a)
	if !d.Same || d.Differs(true) || len(d.Shared) != 1 || d.Verdict() != "identical: same config digest" {
		t.Errorf("%+v: %s", d, d.Verdict())
	}
}

// TestDiffReadsNothingShared takes the shared layers away: what differs above them is found without.
func TestDiffReadsNothingShared(t *testing.T) {
	w := newWorkshop(t)
	base := layerOf(dirEnt("app"), fileEnt("app/old", "1"))
	a := w.stackOf(oci.Image{}, base, layerOf(dirEnt("app"), fileEnt("app/x", "1"), gone("app/old")))
	b := w.stackOf(oci.Image{}, base, layerOf(dirEnt("app"), fileEnt("app/x", "2"), gone("app/old")))
	c := w.stackOf(oci.Image{}, base, layerOf(dirEnt("app"), fileEnt("app/x", "2")))
	if err := w.blobs.Remove(w.ctx, oci.Sum(base)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"C /app/x content"}, w.diffOf(a, b).lines()); d != "" {
		t.Error(d)
	}
	if _, err := w.Diff(w.ctx, a, c); err == nil || !strings.Contains(err.Error(), oci.Sum(base).String()) {
		t.Errorf("whether app/old is there can't be known without the base, yet the error is %v", err)
	}
}

func TestDiffNamesWhatIsDamaged(t *testing.T) {
	good := layerOf(fileEnt("x", "1"), fileEnt("big", strings.Repeat("b", 100_000)), fileEnt("last", "1"))
	cut := good[:len(good)-50_000]
	garbled := bytes.Clone(good)
	copy(garbled[1024:], "garbage instead of a header")
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut off in a file", cut, `entry "big": `},
		{"cut off in a file, compressed", gzipped(cut), `entry "big": `},
		{"gzip cut off", gzipped(good)[:200], "read gzip: "},
		{"a header that is none", garbled, `entry "x": `},
		{"no archive", []byte(strings.Repeat("no tar ", 200)), "at its first entry: "},
		{"a name that leads out", tarFiles(file{name: "a"}, file{name: "../x"}), `layer entry "../x": name leads out of the layer`},
		{"hard link to nothing", layerOf(hardEnt("h", "nothing")), `entry "h" (hardlink): hard link target "nothing" is not a file in this layer`},
		{"hard link to a file below", layerOf(hardEnt("h", "below")), `hard link target "below" is not a file in this layer`},
		{"hard link into its own place", layerOf(dirEnt("d"), fileEnt("d/x", ""), hardEnt("d", "d/x")), `was in the folder that the link replaces`},
		{"a file as a folder", layerOf(fileEnt("f", ""), fileEnt("f/x", "")), `entry "f/x" (file): open folder "f": not a directory`},
		{"links in a circle", layerOf(linkEnt("a", "b"), linkEnt("b", "a"), fileEnt("a/x", "")), "too many levels of symbolic links"},
		{"links that lead ever deeper", deeper(), "longer than 4096 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkshop(t)
			a := w.stackOf(oci.Image{}, layerOf(fileEnt("below", "1")))
			b := w.stackOf(oci.Image{}, layerOf(fileEnt("below", "1")), c.data)
			_, err := w.Diff(w.ctx, a, b)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), oci.Sum(c.data).String()) {
				t.Errorf("error is %v, want one with %q and the layer's digest", err, c.want)
			}
			if _, err := w.Waste(w.ctx, b); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Waste: error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// deeper is an archive whose real paths grow with every link, beyond what trees are walked by.
func deeper() []byte {
	deep := strings.Repeat("d/", 1000)
	list := []ent{linkEnt("l0", ".")}
	at := ""
	for range 4 {
		at += deep
		list = append(list, linkEnt("l", strings.TrimSuffix(at, "/")[:min(len(at)-1, 4000)]), fileEnt("l/"+deep+"x", ""))
	}
	return layerOf(list...)
}

// TestDiffVerifiesContents flips a byte of a content that is compared: that is damage, not a change of the file.
func TestDiffVerifiesContents(t *testing.T) {
	w := newWorkshop(t)
	one, two := layerOf(fileEnt("x", "1"), fileEnt("y", "1")), layerOf(fileEnt("x", "1"), fileEnt("y", "2"))
	a, b := w.stackOf(oci.Image{}, one), w.stackOf(oci.Image{}, two)
	damaged := bytes.Replace(two, []byte("1\x00"), []byte("7\x00"), 1)
	w.overwrite(oci.Sum(two), damaged)
	if _, err := w.Diff(w.ctx, a, b); err == nil || !strings.Contains(err.Error(), oci.Sum(two).String()) {
		t.Errorf("error is %v, want one about the digest", err)
	}
}

func TestDiffVerdict(t *testing.T) {
	field := func(names ...string) (list []DiffField) {
		for _, n := range names {
			list = append(list, DiffField{Kind: DiffChanged, Field: n})
		}
		return list
	}
	one, two := make([]DiffFile, 1), make([]DiffFile, 2)
	for _, c := range []struct {
		d            Diff
		want         string
		files, times bool
	}{
		{Diff{Same: true}, "identical: same config digest", false, false},
		{Diff{Reencoded: true}, "same: the same layers and settings, in a config that is written differently", false, false},
		{Diff{LayersA: make([]DiffLayer, 1)}, "same: the same files and config, in layers that are cut or stored differently (0 shared, then 1 and 0)", false, false},
		{Diff{FileTimes: make([]DiffMoment, 2), ConfigTimes: field("Created", "History")},
			"same but for times (of 2 files, of the image, of 1 step of the history)", false, true},
		{Diff{Files: one}, "different: 1 file", true, true},
		{Diff{Files: two, Config: field("Env", "Env", "Cmd"), FileTimes: make([]DiffMoment, 1)}, "different: 2 files; config (Env, Cmd); and times", true, true},
		{Diff{Config: field("Env")}, "same files, different config (Env)", true, true},
	} {
		if got := c.d.Verdict(); got != c.want {
			t.Errorf("verdict %q, want %q", got, c.want)
		}
		if c.d.Differs(false) != c.files || c.d.Differs(true) != c.times {
			t.Errorf("%s: differs %v, with times %v", c.want, c.d.Differs(false), c.d.Differs(true))
		}
	}
}
