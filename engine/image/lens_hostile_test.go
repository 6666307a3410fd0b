package image

import (
	"archive/tar"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
)

// TestLensHostile: archives that no driver would unpack are refused with the layer's digest, and those that are only strange are shown.
func TestLensHostile(t *testing.T) {
	deep := strings.Repeat("d/", 2040) + "f"
	long := layerOf(fileEnt("x", strings.Repeat("x", 5000)))
	lying := long[:3000]
	for _, c := range []struct {
		name, fails string
		archive     []byte
	}{
		{"names that steer a terminal", "", layerOf(fileEnt("\x1b[2J\x9b\n", "1"))},
		{"as deep as can be", "", tarFiles(file{name: deep, content: "1"})},
		{"too deep", "longer than 4096 bytes", tarFiles(file{name: strings.Repeat("d/", 3000) + "f"})},
		{"hard links in a circle", "is not a file in this layer", layerOf(hardEnt("a", "b"), hardEnt("b", "a"))},
		{"a hard link out of the layer", "leads out", tarFiles(file{name: "a", kind: tar.TypeLink, link: "../../etc/passwd"})},
		{"links in a circle", "too many levels", layerOf(linkEnt("a", "b"), linkEnt("b", "a"), fileEnt("a/x", "1"))},
		{"an entry out of the layer", "leads out", tarFiles(file{name: "../x"})},
		{"a thousand times the same", "", layerOf(repeated(1000)...)},
		{"whiteouts of what was never there", "", layerOf(gone("a"), gone("b/c"), opaqueEnt("d/e"))},
		{"a size that lies", "unexpected EOF", lying},
		{"a root that is a link", "root of a layer must be a folder", tarFiles(file{name: "./", kind: tar.TypeSymlink, link: "/"})},
		{"a root that is opaque", "", layerOf(opaqueEnt("."))},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkshop(t)
			img := w.quickly(oci.Image{}, layerOf(dirEnt("d"), fileEnt("d/old", "1")), c.archive)
			l, err := w.Look(w.ctx, img)
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), oci.Sum(c.archive).String())) {
				t.Fatalf("error is %v", err)
			}
			if err == nil {
				w.marks(l)
				if _, err := l.Tree(w.ctx, 2, true); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func repeated(n int) []ent {
	var list []ent
	for i := range n {
		list = append(list, fileEnt("x", fmt.Sprint(i)))
	}
	return list
}

// TestLensMemory bounds what a layer of many entries takes: some 600 bytes each while it is looked at.
func TestLensMemory(t *testing.T) {
	const n = 20_000
	w := newWorkshop(t)
	var list []ent
	for i := range n {
		list = append(list, fileEnt(fmt.Sprintf("d%d/file-%d", i/1000, i), ""))
	}
	img := w.quickly(oci.Image{}, layerOf(list...))
	list = nil
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l := w.look(img)
	v, err := l.view(w.ctx, 1, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n; each > 800 {
		t.Errorf("%d bytes for each entry", each)
	} else {
		t.Logf("%d bytes for each entry, of which %d are the listing", each, len(l.listings[0].entries)/n)
	}
	runtime.KeepAlive(v)
	runtime.KeepAlive(l)
}
