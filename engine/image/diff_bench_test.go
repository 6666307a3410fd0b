package image

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
)

// manyFiles is a layer of n files of 10 KiB in folders of 100.
func manyFiles(top string, n int, text string) []byte {
	list := []ent{dirEnt(top)}
	content := make([]byte, 10<<10)
	for i := range n {
		dir := fmt.Sprintf("%s/%03d", top, i/100)
		if i%100 == 0 {
			list = append(list, dirEnt(dir))
		}
		copy(content, fmt.Sprint(text, i))
		list = append(list, fileEnt(fmt.Sprintf("%s/file%d", dir, i), string(content)))
	}
	return layerOf(list...)
}

func benchDiff(b *testing.B, w *workshop, x, y Image, files int) {
	b.ReportAllocs()
	for b.Loop() {
		d, err := w.Diff(w.ctx, x, y)
		if err != nil || len(d.Files) != files {
			b.Fatal(len(d.Files), err)
		}
	}
}

// BenchmarkDiffShared: 10,000 files in a shared layer, a small layer of which differs.
func BenchmarkDiffShared(b *testing.B) {
	w := newWorkshop(b)
	base := manyFiles("base", 10_000, "")
	x := w.quickly(oci.Image{}, base, layerOf(dirEnt("app"), fileEnt("app/x", "1")))
	y := w.quickly(oci.Image{}, base, layerOf(dirEnt("app"), fileEnt("app/x", "2")))
	benchDiff(b, w, x, y, 1)
}

// BenchmarkDiffHidden: the same, and one side deletes a file of the shared layer, whose names must then be read.
func BenchmarkDiffHidden(b *testing.B) {
	w := newWorkshop(b)
	base := manyFiles("base", 10_000, "")
	x := w.quickly(oci.Image{}, base, layerOf(dirEnt("app"), fileEnt("app/x", "1")))
	y := w.quickly(oci.Image{}, base, layerOf(dirEnt("app"), fileEnt("app/x", "2"), gone("base/000/file7")))
	benchDiff(b, w, x, y, 2)
}

// BenchmarkDiffHiddenGzip: the same, with a compressed base, which must be read through.
func BenchmarkDiffHiddenGzip(b *testing.B) {
	w := newWorkshop(b)
	base := manyFiles("base", 10_000, "")
	x := w.storedAs(oci.Image{}, gzipped, base, layerOf(dirEnt("app"), fileEnt("app/x", "1")))
	y := w.storedAs(oci.Image{}, gzipped, base, layerOf(dirEnt("app"), fileEnt("app/x", "2"), gone("base/000/file7")))
	benchDiff(b, w, x, y, 2)
}

// BenchmarkDiffRebuilt: 10,000 files, 100 MB, copied twice, and only in the second layer one is other: all contents must be read.
func BenchmarkDiffRebuilt(b *testing.B) {
	w := newWorkshop(b)
	first := manyFiles("app", 10_000, "")
	second := bytes.Clone(first)
	second[bytes.LastIndex(second, []byte("9999"))] = 'x'
	benchDiff(b, w, w.quickly(oci.Image{}, first), w.quickly(oci.Image{}, second), 1)
}

// BenchmarkWaste: 10,000 files, half of which the next layer deletes.
func BenchmarkWaste(b *testing.B) {
	w := newWorkshop(b)
	top := []ent{dirEnt("base")}
	for i := range 5_000 {
		top = append(top, gone(fmt.Sprintf("base/%03d/file%d", i/100, i)))
	}
	img := w.quickly(oci.Image{}, manyFiles("base", 10_000, ""), layerOf(top...))
	b.ReportAllocs()
	for b.Loop() {
		waste, err := w.Waste(w.ctx, img)
		if err != nil || waste.Bytes != 5_000*10<<10 || len(waste.Groups()) != 50 {
			b.Fatal(waste.Bytes, len(waste.Groups()), err)
		}
	}
}
