package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"pgregory.net/rapid"
)

func (w *workshop) look(img Image) *Lens {
	w.Helper()
	l, err := w.Look(w.ctx, img)
	if err != nil {
		w.Fatal(err)
	}
	return l
}

// marks are the changes of all layers, each as "layer mark path how by".
func (w *workshop) marks(l *Lens) []string {
	w.Helper()
	list := []string{}
	for n := range l.Layers {
		err := l.Each(w.ctx, n+1, false, func(c LensChange) {
			words := []string{fmt.Sprint(n + 1), string(c.Mark), c.Path}
			if c.Mark == MarkDeleted {
				words = append(words, c.How, c.By)
			}
			if c.Opaque {
				words = append(words, "opaque")
			}
			if c.Path != "/" && (c.Mark != MarkUntouched || c.Opaque) {
				list = append(list, strings.Join(words, " "))
			}
		})
		if err != nil {
			w.Fatal(err)
		}
	}
	return list
}

func TestLensMarks(t *testing.T) {
	base := []ent{dirEnt("d"), fileEnt("d/x", "xx"), fileEnt("d/y", "yyy"), fileEnt("k", "kk")}
	first := []string{"1 A /d", "1 A /d/x", "1 A /d/y", "1 A /k"}
	for _, c := range []struct {
		name  string
		upper []ent
		want  []string
	}{
		{"added", []ent{dirEnt("d"), fileEnt("d/z", "1"), linkEnt("l", "d")}, []string{"2 A /d/z", "2 A /l"}},
		{"other content of the same size", []ent{fileEnt("k", "KK")}, []string{"2 C /k"}},
		{"other size", []ent{fileEnt("k", "kkk")}, []string{"2 C /k"}},
		{"mode", []ent{fileEnt("k", "kk").mode(0o600)}, []string{"2 M /k"}},
		{"time", []ent{fileEnt("k", "kk").at(monday.Add(time.Hour))}, []string{"2 M /k"}},
		{"attribute", []ent{fileEnt("k", "kk").xattr("user.a", strings.Repeat("1", 300))}, []string{"2 M /k"}},
		{"once more", []ent{fileEnt("k", "kk")}, []string{"2 = /k"}},
		{"a folder's mode, but not its time", []ent{dirEnt("d").mode(0o700)}, []string{"2 M /d"}},
		{"a folder's time", []ent{dirEnt("d").at(monday.Add(time.Hour))}, []string{}},
		{"no entry for the folder", []ent{fileEnt("d/z", "1")}, []string{"2 A /d/z"}},
		{"whiteout", []ent{gone("d/x")}, []string{"2 D /d/x deleted /d/x"}},
		{"whiteout of a folder", []ent{gone("d")}, []string{"2 D /d deleted /d", "2 D /d/x deleted /d", "2 D /d/y deleted /d"}},
		{"whiteout of nothing", []ent{gone("never")}, []string{"2 D /never deleted /never"}},
		{"opaque", []ent{dirEnt("d"), opaqueEnt("d"), fileEnt("d/x", "xx"), fileEnt("d/new", "")},
			[]string{"2  /d opaque", "2 A /d/new", "2 = /d/x", "2 D /d/y hidden /d"}},
		{"opaque in vain", []ent{dirEnt("new"), opaqueEnt("new")}, []string{"2 A /new"}},
		{"a file for a folder", []ent{fileEnt("d", "1")}, []string{"2 C /d", "2 D /d/x replaced /d", "2 D /d/y replaced /d"}},
		{"a folder for a file", []ent{dirEnt("k"), fileEnt("k/a", "1")}, []string{"2 C /k", "2 A /k/a"}},
		{"a link for a file", []ent{linkEnt("k", "d")}, []string{"2 C /k"}},
		{"hard links", []ent{fileEnt("a", "1"), hardEnt("b", "a")}, []string{"2 A /a", "2 A /b"}},
		{"twice in one archive", []ent{fileEnt("a", "1"), fileEnt("a", "22")}, []string{"2 A /a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkshop(t)
			img := w.quickly(oci.Image{}, layers{base, c.upper}.archives()...)
			if d := cmp.Diff(slices.Concat(first, c.want), w.marks(w.look(img))); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(slices.Concat(first, c.want), w.marks(w.look(img))); d != "" {
				t.Errorf("the second time: %s", d)
			}
		})
	}
}

func TestLensFigures(t *testing.T) {
	w := newWorkshop(t)
	sink := w.traced()
	img := w.quickly(oci.Image{}, layers{
		{dirEnt("d"), fileEnt("d/x", "xx"), fileEnt("d/y", "yyy"), fileEnt("k", "kk"), hardEnt("h", "k")},
		{fileEnt("k", "kk").mode(0o600), fileEnt("new", "12345"), hardEnt("new2", "new"), gone("d/x"), gone("never")},
		{dirEnt("d"), opaqueEnt("d"), fileEnt("new", "1")},
	}.archives()...)
	l := w.look(img)
	type figures struct{ A, C, M, D, Folders, White, Vain, Opaque, Content, Copied, Wasted int }
	var got []figures
	for _, r := range l.Layers {
		got = append(got, figures{r.Added, r.Changed, r.Metadata, r.Deleted, r.Folders, r.Whiteouts, r.Vain, r.Opaque, int(r.Content), int(r.Copied), int(r.Wasted)})
	}
	want := []figures{
		{A: 4, Folders: 1, Content: 7, Wasted: 5}, // k is seen as h
		{A: 2, M: 1, D: 1, White: 2, Vain: 1, Content: 7, Copied: 2},
		{C: 1, D: 1, Opaque: 1, Content: 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var kinds []string
	for _, e := range sink.events {
		if e.Kind == vocab.LayerLook {
			kinds = append(kinds, fmt.Sprint(e.Attr("number").Int(), e.Attr("cached").Bool(), e.Attr("whiteouts").Int(), e.Attr("opaque").Int()))
		}
	}
	if d := cmp.Diff([]string{"1 false 0 0", "2 false 2 0", "3 false 0 1"}, kinds); d != "" {
		t.Error(d)
	}
}

// TestDiveScore has figures that dive 0.12 gives for such an image.
func TestDiveScore(t *testing.T) {
	w := newWorkshop(t)
	l := w.look(w.quickly(oci.Image{}, layers{
		{dirEnt("d"), fileEnt("d/a", strings.Repeat("a", 10)), fileEnt("d/b", strings.Repeat("b", 20)), fileEnt("c", strings.Repeat("c", 30)), fileEnt("e", strings.Repeat("e", 40))},
		{fileEnt("c", strings.Repeat("C", 50)), gone("d"), gone("e")},
	}.archives()...))
	// paths: /d/a 10, /d/b 20, /c 30+50, /e 40+0, /d 30 (the whiteout); least: 10+20+30+0+30 = 90 of 180
	want := DiveScore{Efficiency: 0.5, WastedBytes: 120, UserBytes: 50, UserWastedPercent: 2.4, Files: []DivePath{{"/c", 2, 80}, {"/e", 2, 40}}}
	if d := cmp.Diff(want, l.Dive); d != "" {
		t.Error(d)
	}
	if l.Waste.Bytes != 100 {
		t.Errorf("no container sees %d bytes, want 100", l.Waste.Bytes)
	}
}

func TestLensBiography(t *testing.T) {
	w := newWorkshop(t)
	l := w.look(w.quickly(oci.Image{}, layers{
		{dirEnt("d"), linkEnt("l", "d"), fileEnt("d/x", "1")}, {fileEnt("o", "")}, {fileEnt("d/x", "1").mode(0o600)}, {gone("d/x")}, {fileEnt("d/x", "22")}, {dirEnt("d"), opaqueEnt("d")},
	}.archives()...))
	b, err := l.Biography(w.ctx, "/l/x")
	if err != nil {
		t.Fatal(err)
	}
	var life []string
	for _, e := range b.Life {
		life = append(life, fmt.Sprint(e.Layer.Number, e.Mark, e.How))
	}
	if d := cmp.Diff([]string{"1A", "3M", "4Ddeleted", "5A", "6Dhidden"}, life); d != "" {
		t.Error(d)
	}
	if b.Path != "/d/x" || b.From != 0 || b.File != nil || !slices.Equal(b.Copies, []int{1, 3, 5}) {
		t.Errorf("%+v", b)
	}
	if b, err := l.Biography(w.ctx, "o"); err != nil || b.From != 2 || b.Path != "/o" {
		t.Errorf("%+v, %v", b, err)
	}
	if b, err := l.Biography(w.ctx, "/never/was"); err != nil || len(b.Life) != 0 || b.File != nil {
		t.Errorf("%+v, %v", b, err)
	}
}

func (w *workshop) cat(l *Lens, p string, n int, follow bool) (string, error) {
	f, err := l.Find(w.ctx, p, n, follow)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = l.Copy(w.ctx, &b, f)
	return b.String(), err
}

func TestLensCat(t *testing.T) {
	binary := string([]byte{0, 1, 0xff, '\n', 0x1b})
	stack := layers{
		{dirEnt("etc"), fileEnt("etc/secret", "token"), linkEnt("bin", "usr/bin"), dirEnt("usr"), dirEnt("usr/bin"), fileEnt("usr/bin/x", binary), hardEnt("usr/bin/y", "usr/bin/x")},
		{linkEnt("out", "../../../etc/conf"), linkEnt("abs", "/etc/conf"), fileEnt("etc/conf", "conf"), linkEnt("loop", "loop"), devEnt("null", layer.Char, 1, 3)},
		{gone("etc/secret"), fileEnt("usr/bin/x", "new")},
	}
	for pack, name := range map[int]string{0: "plain", 1: "gzip", 2: "zstd"} {
		t.Run(name, func(t *testing.T) {
			w := newWorkshop(t)
			img := w.storedAs(oci.Image{}, []func([]byte) []byte{func(b []byte) []byte { return b }, gzipped, zstded}[pack], stack.archives()...)
			l := w.look(img)
			for _, c := range []struct {
				path   string
				layer  int
				follow bool
				want   string // content, or part of the error
				fails  bool
			}{
				{"/etc/secret", 1, false, "token", false},
				{"etc/secret", 2, false, "token", false},
				{"/etc/secret", 3, false, "no container sees it from layer 3 on, where it is deleted", true},
				{"/bin/y", 3, false, binary, false},
				{"/bin/x", 3, false, "new", false},
				{"/bin/x", 2, false, binary, false},
				{"/out", 3, false, "symbolic link to ../../../etc/conf", true},
				{"/out", 3, true, "conf", false},
				{"/abs", 2, true, "conf", false},
				{"/loop", 2, true, "too many levels", true},
				{"/null", 2, true, "is no file but a char", true},
				{"/etc", 2, false, "is a folder", true},
				{"/", 2, false, "is a folder", true},
				{"/etc/conf/x", 2, false, "not a directory", true},
				{"/etc/conf", 1, false, "no such file or directory in the tree of layer 1", true},
			} {
				got, err := w.cat(l, c.path, c.layer, c.follow)
				if c.fails && (err == nil || !strings.Contains(err.Error(), c.want)) || !c.fails && (err != nil || got != c.want) {
					t.Errorf("%s of layer %d: %q, %v", c.path, c.layer, got, err)
				}
			}
			var gone *GoneError
			if _, err := l.Find(w.ctx, "/etc/secret", 3, false); !errors.As(err, &gone) || !slices.Equal(gone.Copies, []int{1}) || gone.By.Number != 3 {
				t.Errorf("%+v", gone)
			}
			hidden, err := l.Hidden(w.ctx)
			if err != nil || len(hidden) != 1 || hidden[0].Path != "/etc/secret" || hidden[0].Layer.Number != 1 {
				t.Errorf("%+v, %v", hidden, err) // usr/bin/x is seen as y
			}
		})
	}
}

// TestLensNeedsNoTree: an image that was loaded and never used is looked into as it lies there, compressed or not.
func TestLensNeedsNoTree(t *testing.T) {
	w, tar := newWorkshop(t), layerTar("hello")
	for _, c := range []struct {
		name, mediaType string
		stored          []byte
	}{{"plain:1", oci.MediaTypeLayer, tar}, {"gzip:1", oci.MediaTypeLayerGzip, gzipped(tar)}, {"zstd:1", oci.MediaTypeLayerZstd, zstded(tar)}} {
		w.loadFiles(ociFiles(map[string]string{"org.opencontainers.image.ref.name": c.name}, c.mediaType, tar, c.stored))
		img, err := w.Resolve(w.ctx, c.name)
		if err != nil {
			t.Fatal(err)
		}
		before := w.ListingRoom()
		for _, cached := range []bool{false, true} {
			l := w.look(img)
			got, err := w.cat(l, "/file", 1, false)
			if got != "hello" || err != nil || len(l.Layers) != 1 || l.Layers[0].Added != 1 || l.Layers[0].FromCache != cached {
				t.Errorf("%s: %q, %+v, %v", c.name, got, l.Layers, err)
			}
		}
		if w.ListingRoom() <= before {
			t.Errorf("%s: its listing is not counted", c.name)
		}
	}
	if w.mem.applied != 0 {
		t.Errorf("%d layers were unpacked", w.mem.applied)
	}
}

func TestLensHiddenSaysWhatIsSeenAnyway(t *testing.T) {
	w := newWorkshop(t)
	l := w.look(w.quickly(oci.Image{}, layers{{fileEnt("a", "same"), fileEnt("b", "old!")}, {fileEnt("a", "same").mode(0o600), fileEnt("b", "new!")}}.archives()...))
	hidden, err := l.Hidden(w.ctx)
	if err != nil || len(hidden) != 2 || !hidden[0].Same || hidden[1].Same {
		t.Errorf("%+v, %v", hidden, err)
	}
}

// TestLensNamesTheDamagedBlob: bytes that are wrong or missing are an error with their digest, and nothing is remembered of them.
func TestLensNamesTheDamagedBlob(t *testing.T) {
	for _, pack := range []func([]byte) []byte{func(b []byte) []byte { return b }, gzipped} {
		w := newWorkshop(t)
		img := w.storedAs(oci.Image{}, pack, layerOf(fileEnt("a", strings.Repeat("a", 2000))), layerOf(fileEnt("b", "b")))
		bad := img.Layers[0].Descriptor.Digest
		whole, err := os.ReadFile(w.blobs.Path(bad))
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(whole)
		damaged[len(damaged)/2] ^= 1
		for _, data := range [][]byte{damaged, whole[:len(whole)-10], append(bytes.Clone(whole), 0)} {
			w.overwrite(bad, data)
			if _, err := w.Look(w.ctx, img); err == nil || !strings.Contains(err.Error(), bad.String()) {
				t.Errorf("%d for %d bytes: %v", len(data), len(whole), err)
			}
		}
		if err := w.blobs.Remove(w.ctx, bad); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Look(w.ctx, img); err == nil || !strings.Contains(err.Error(), bad.String()+": blob not found") {
			t.Errorf("missing: %v", err)
		}
	}
}

func TestLensCache(t *testing.T) {
	w := newWorkshop(t)
	img := w.stackOf(oci.Image{}, layerOf(fileEnt("a", "1"), fileEnt("b", "2")), layerOf(fileEnt("a", "1").mode(0o600), fileEnt("b", "3")))
	first := w.look(img)
	again := w.look(img)
	if first.Layers[0].FromCache || !again.Layers[0].FromCache || !again.Layers[1].FromCache {
		t.Errorf("from the cache: first %v, again %v", first.Layers, again.Layers)
	}
	if d := cmp.Diff(w.marks(first), w.marks(again)); d != "" {
		t.Error(d)
	}
	path := w.listingPath(img.Layers[0].Descriptor.Digest)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(data); i += 7 {
		bad := bytes.Clone(data)
		bad[i] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if w.cachedListing(img.Layers[0].Descriptor.Digest) != nil {
			t.Fatalf("byte %d changed, and the listing is believed", i)
		}
	}
	if l := w.look(img); l.Layers[0].FromCache {
		t.Error("a damaged listing was used")
	}
	if err := os.WriteFile(path+".1-2.tmp", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.boundListings(int64(len(data)))
	if names, _ := os.ReadDir(w.listings()); len(names) > 2 {
		t.Errorf("%d files stay in a cache of the size of one", len(names))
	}
	if _, err := w.Collect(w.ctx, Roots{}); err != nil { // the image has no name, and stays
		t.Fatal(err)
	}
	w.look(img)
	if _, err := w.Prune(w.ctx, PruneOptions{All: true, InUse: func(digest.Digest) bool { return true }}); err != nil {
		t.Fatal(err)
	}
	if names, _ := filepath.Glob(filepath.Join(w.listings(), "*")); len(names) > 0 {
		t.Errorf("prune left %v", names)
	}
}

// history has a step per word; an empty word is one that makes no layer.
func history(words ...string) []v1.History {
	var list []v1.History
	for _, by := range words {
		list = append(list, v1.History{CreatedBy: by, EmptyLayer: by == ""})
	}
	return list
}

func TestLensHistory(t *testing.T) {
	w := newWorkshop(t)
	img := w.stackOf(oci.Image{}, layerOf(fileEnt("a", "1")), layerOf(fileEnt("b", "1")))
	w.stackOf(oci.Image{Author: "other"}, layerOf(fileEnt("a", "1")))
	img.Config.History = history("one", "", "two", "three")
	var got []string
	for _, h := range w.look(img).History() {
		got = append(got, fmt.Sprint(h.Layer, h.CreatedBy))
	}
	if d := cmp.Diff([]string{"1one", "0", "2two"}, got); d != "" {
		t.Error(d)
	}
	shared, err := w.SharedLayers(w.ctx, img)
	if err != nil || len(shared[0]) != 1 || len(shared[1]) != 0 {
		t.Errorf("%v, %v", shared, err)
	}
	l := w.look(img)
	for text, want := range map[string]int{"1": 1, "2": 2, "3": 0, "0": 0, string(img.Layers[1].DiffID): 2, img.Layers[0].DiffID.Encoded()[:8]: 1, "ab": 0} {
		if n, err := l.FindLayer(text); n != want || (err == nil) != (want > 0) {
			t.Errorf("%q is layer %d, %v", text, n, err)
		}
	}
}

// unpackedBy is the tree that a driver makes of an image.
func (w *workshop) unpackedBy(t *rapid.T, img Image, machine func(h *home.Home) (driver.Layers, driver.Trees)) (map[string]string, map[string]time.Time, error) {
	h, err := home.Open(w.TB.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ls, trees := machine(h)
	chain, err := New(h, w.blobs, ls).Unpack(w.ctx, img)
	if err != nil {
		return nil, nil, err
	}
	opened, err := trees.OpenChain(w.ctx, chain)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	var b bytes.Buffer
	if err := opened.Export(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	files, times := exported(t, &b)
	return files, times, nil
}

// seenThrough is the union of img's layers as the lens shows it, in the form of exported.
func (w *workshop) seenThrough(t *rapid.T, l *Lens) (map[string]string, map[string]time.Time) {
	files, times := map[string]string{}, map[string]time.Time{}
	err := l.Each(w.ctx, len(l.Layers), true, func(c LensChange) {
		if c.File == nil || c.Path == "/" {
			return
		}
		f, content := c.File, ""
		if f.Type == "file" {
			var err error
			if content, err = w.cat(l, c.Path, len(l.Layers), false); err != nil {
				t.Fatal(err)
			}
		}
		files[c.Path] = asExported(t, f, content)
		if f.ModTime != nil {
			times[c.Path] = *f.ModTime
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, times
}

// asExported describes a file as exported does.
func asExported(t *rapid.T, f *LensFile, content string) string {
	e := layer.Entry{UID: f.UID, GID: f.GID, Link: f.Link}
	for _, k := range []layer.Kind{layer.File, layer.Dir, layer.Symlink, layer.Char, layer.Block, layer.Fifo} {
		if k.String() == f.Type {
			e.Kind = k
		}
	}
	if f.Mode != "" {
		mode, err := strconv.ParseUint(f.Mode, 8, 32)
		if err != nil {
			t.Fatal(err)
		}
		e.Mode = uint32(mode)
	}
	if f.Device != "" {
		if _, err := fmt.Sscanf(f.Device, "%d:%d", &e.Major, &e.Minor); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range f.Xattrs {
		name, quoted, _ := strings.Cut(x, "=")
		value, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(err)
		}
		e.Xattrs = map[string]string{name: value}
	}
	return describe(&e, content)
}

// checkUnion holds the lens against what a driver unpacks, for random stacks of layers.
func checkUnion(t *testing.T, machine func(h *home.Home) (driver.Layers, driver.Trees)) {
	w := newWorkshop(t)
	rapid.Check(t, func(t *rapid.T) {
		img := w.quickly(oci.Image{}, drawLayers(t, "layers", 4).archives()...)
		want, times, refused := w.unpackedBy(t, img, machine)
		l, err := w.Look(w.ctx, img)
		if (err != nil) != (refused != nil) {
			t.Fatalf("the lens: %v, the driver: %v", err, refused)
		}
		if err != nil || len(img.Layers) == 0 {
			return
		}
		got, gotTimes := w.seenThrough(t, l)
		if d := cmp.Diff(sorted(want), sorted(got)); d != "" {
			t.Fatal(d)
		}
		for p, at := range gotTimes {
			if !at.Equal(times[p]) {
				t.Fatalf("%s is of %v, unpacked of %v", p, at, times[p])
			}
		}
		if l.Waste.Bytes < 0 || l.Waste.Bytes > l.Waste.Size {
			t.Fatalf("%d of %d bytes are wasted", l.Waste.Bytes, l.Waste.Size)
		}
	})
}

func sorted(m map[string]string) []string {
	var list []string
	for _, p := range slices.Sorted(maps.Keys(m)) {
		list = append(list, p+" "+m[p])
	}
	return list
}

func TestLensIsWhatTheSimulatorUnpacks(t *testing.T) {
	checkUnion(t, func(h *home.Home) (driver.Layers, driver.Trees) {
		ls := tree.NewLayers(h, time.Now)
		return ls, tree.NewSnapshots(h, ls, time.Now)
	})
}
