package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"pgregory.net/rapid"
)

// drawLayers makes layers of few names, so that they meet: files, folders, links to folders, hard links, devices, whiteouts and
// opaque folders, entries twice and folders without entries.
func drawLayers(t *rapid.T, label string, most int) layers {
	return rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawEntry), 0, 6), 0, most).Draw(t, label)
}

func drawEntry(t *rapid.T) ent {
	name := rapid.SampledFrom([]string{"a", "b", "c"})
	p := strings.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "path"), "/")
	e := ent{layer.Entry{Path: p, ModTime: monday.Add(time.Duration(rapid.IntRange(0, 1).Draw(t, "time")) * time.Second),
		Mode: rapid.SampledFrom([]uint32{0o644, 0o755}).Draw(t, "mode"), UID: rapid.IntRange(0, 1).Draw(t, "uid")}, ""}
	e.Kind = rapid.SampledFrom([]layer.Kind{layer.File, layer.File, layer.File, layer.Dir, layer.Dir, layer.Symlink, layer.HardLink, layer.Char,
		layer.Whiteout, layer.Whiteout, layer.Opaque}).Draw(t, "kind")
	switch e.Kind {
	case layer.File:
		e.data = rapid.SampledFrom([]string{"", "1", "2", "22"}).Draw(t, "data")
		e.Size = int64(len(e.data))
		if rapid.IntRange(0, 3).Draw(t, "xattr") == 0 {
			e.Xattrs = map[string]string{"user.x": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")}
		}
	case layer.Symlink:
		e.Link = rapid.SampledFrom([]string{"a", "/b", "../c", "a/b", "."}).Draw(t, "text")
	case layer.HardLink:
		e.Link = strings.Join(rapid.SliceOfN(name, 1, 2).Draw(t, "target"), "/")
		if e.Link == e.Path {
			e.Link += "/a"
		}
	case layer.Char:
		e.Major, e.Minor = 1, uint32(rapid.IntRange(3, 5).Draw(t, "minor"))
	case layer.Opaque:
		if rapid.IntRange(0, 4).Draw(t, "root") == 0 {
			e.Path = "."
		}
	}
	return e
}

// export is the tree of an image as the simulated driver unpacks it: another program, itself compared with the kernel's overlay.
func (w *workshop) export(t *rapid.T, img Image) ([]byte, error) {
	h, err := home.Open(w.TB.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ls := tree.NewLayers(h, time.Now)
	chain, err := New(h, w.blobs, ls).Unpack(w.ctx, img)
	if err != nil {
		return nil, err
	}
	opened, err := tree.NewSnapshots(h, ls, time.Now).OpenChain(w.ctx, chain)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	var b bytes.Buffer
	if err := opened.Export(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), nil
}

func (w *workshop) unpacked(t *rapid.T, img Image) (map[string]string, map[string]time.Time, error) {
	data, err := w.export(t, img)
	if err != nil {
		return nil, nil, err
	}
	files, times := exported(t, bytes.NewReader(data))
	return files, times, nil
}

// seenBytes counts the contents in the unpacked tree, that of a file with several names once.
func (w *workshop) seenBytes(t *rapid.T, img Image) (int64, error) {
	data, err := w.export(t, img)
	if err != nil {
		return 0, err
	}
	var n int64
	r := layer.NewReader(bytes.NewReader(data), layer.Limits{})
	for {
		e, err := r.Next()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		n += e.Size
	}
}

// quickly makes an image that need not survive anything.
func (w *workshop) quickly(config oci.Image, archives ...[]byte) Image {
	config.OS, config.Architecture = "linux", "amd64"
	config.RootFS.Type = "layers"
	var list []Layer
	for _, a := range archives {
		d := w.rawBlob(a)
		list = append(list, Layer{Descriptor: d, DiffID: d.Digest, Size: d.Size})
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
	}
	d, err := w.unsynced(config, list)
	if err != nil {
		w.Fatal(err)
	}
	img, err := w.read(&index{}, d)
	if err != nil {
		w.Fatal(err)
	}
	return img
}

// exported describes each path of a flat archive, without times; those are apart.
func exported(t *rapid.T, archive io.Reader) (map[string]string, map[string]time.Time) {
	files, times := map[string]string{}, map[string]time.Time{}
	r := layer.NewReader(archive, layer.Limits{})
	for {
		e, err := r.Next()
		if err == io.EOF {
			return files, times
		}
		if err != nil {
			t.Fatal(err)
		}
		p := absolute(e.Path)
		if e.Kind == layer.HardLink {
			files[p], times[p] = files[absolute(e.Link)], times[absolute(e.Link)]
			continue
		}
		data, _ := io.ReadAll(r)
		if e.Kind == layer.Symlink {
			e.Mode = 0
		}
		files[p] = describe(e, string(data))
		times[p] = e.ModTime
	}
}

func describe(e *layer.Entry, content string) string {
	return fmt.Sprint(e.Kind, e.Mode, e.UID, e.GID, e.Link, e.Major, e.Minor, e.Xattrs, content)
}

// TestDiffIsWhatUnpackedTreesSay compares Diff with the naive one of two unpacked trees, for random stacks that share some layers.
func TestDiffIsWhatUnpackedTreesSay(t *testing.T) {
	w := newWorkshop(t)
	rapid.Check(t, func(t *rapid.T) {
		common := drawLayers(t, "common", 2)
		a := w.quickly(oci.Image{}, slices.Concat(common, drawLayers(t, "a", 2)).archives()...)
		b := w.quickly(oci.Image{}, slices.Concat(common, drawLayers(t, "b", 2)).archives()...)
		filesA, timesA, errA := w.unpacked(t, a)
		filesB, timesB, errB := w.unpacked(t, b)
		d, err := w.Diff(w.ctx, a, b)
		if errA != nil || errB != nil {
			t.Skip() // below says what is refused
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(naive(filesA, filesB, timesA, timesB), told(d)); diff != "" {
			t.Fatal(diff)
		}
		if back := w.diffOf(a, b); asJSON(back) != asJSON(d) {
			t.Fatal("the second time the diff is another")
		}
	})
}

// naive says which paths differ: with the same sign whether in files or times.
func naive(a, b map[string]string, timesA, timesB map[string]time.Time) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	list := []string{}
	for p := range all {
		x, inA := a[p]
		y, inB := b[p]
		switch {
		case !inA:
			list = append(list, "A "+p)
		case !inB:
			list = append(list, "D "+p)
		case x != y:
			list = append(list, "C "+p)
		}
		if inA && inB && !timesA[p].Equal(timesB[p]) {
			list = append(list, "T "+p)
		}
	}
	slices.Sort(list)
	return list
}

// told is what Diff says of the same, but for the root, which an export leaves out, and for which names are one file: Diff doesn't say
// that of a file that is the same entry of the same layer.
func told(d Diff) []string {
	list := []string{}
	for _, f := range d.Files {
		if f.Path != "/" && (len(f.Changes) != 1 || f.Changes[0].What != "links") {
			list = append(list, f.Kind+" "+f.Path)
		}
	}
	for _, m := range d.FileTimes {
		if m.Path != "/" {
			list = append(list, "T "+m.Path)
		}
	}
	slices.Sort(list)
	return list
}

// TestDiffRefusesWhatCantBeUnpacked holds Diff and the driver to the same opinion about hostile layers.
func TestDiffRefusesWhatCantBeUnpacked(t *testing.T) {
	w := newWorkshop(t)
	empty := w.quickly(oci.Image{Author: "nobody"})
	rapid.Check(t, func(t *rapid.T) {
		img := w.quickly(oci.Image{}, drawLayers(t, "layers", 3).archives()...)
		_, _, refused := w.unpacked(t, img)
		if _, err := w.Diff(w.ctx, empty, img); (err != nil) != (refused != nil) {
			t.Fatalf("Diff: %v, the driver: %v", err, refused)
		}
	})
}

// TestDiffIsANaiveFold folds layers whose folders all have entries by the words of the specification, path by path.
func TestDiffIsANaiveFold(t *testing.T) {
	w := newWorkshop(t)
	empty := w.quickly(oci.Image{Author: "nobody"})
	rapid.Check(t, func(t *rapid.T) {
		stack := drawLayers(t, "layers", 4)
		for i, l := range stack {
			stack[i] = tame(l)
		}
		want := []string{}
		for p := range fold(stack) {
			want = append(want, "A "+p)
		}
		slices.Sort(want)
		d, err := w.Diff(w.ctx, empty, w.quickly(oci.Image{}, stack.archives()...))
		if err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(told(d), func(s string) bool { return s[0] == 'T' })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// tame keeps the entries that stand alone: one for a name, with its folders, and nothing below what is no folder.
func tame(entries []ent) []ent {
	kinds := map[string]layer.Kind{}
	var out []ent
	for _, e := range entries {
		if e.Kind == layer.HardLink || e.Kind == layer.Symlink || e.Path == "." || kinds[e.Path] != 0 {
			continue
		}
		if !slices.ContainsFunc(parents(e.Path), func(p string) bool { return kinds[p] != 0 && kinds[p] != layer.Dir }) {
			for _, p := range parents(e.Path) {
				if kinds[p] == 0 {
					kinds[p] = layer.Dir
					out = append(out, dirEnt(p))
				}
			}
			if e.Kind == layer.Opaque {
				out = append(out, dirEnt(e.Path))
			}
			kinds[e.Path] = e.Kind
			if e.Kind == layer.Opaque {
				kinds[e.Path] = layer.Dir
			}
			out = append(out, e)
		}
	}
	return out
}

func parents(p string) (list []string) {
	for d := path.Dir(p); d != "."; d = path.Dir(d) {
		list = append([]string{d}, list...)
	}
	return list
}

// fold applies layers to a set of paths: first what is hidden goes, then what is there comes.
func fold(stack layers) map[string]layer.Kind {
	all := map[string]layer.Kind{}
	drop := func(p string, self bool) {
		maps.DeleteFunc(all, func(q string, _ layer.Kind) bool { return self && q == p || strings.HasPrefix(q, p+"/") })
	}
	for _, entries := range stack {
		for _, e := range entries {
			switch e.Kind {
			case layer.Whiteout:
				drop(absolute(e.Path), true)
			case layer.Opaque:
				drop(absolute(e.Path), false)
			}
		}
		for _, e := range entries {
			p := absolute(e.Path)
			switch e.Kind {
			case layer.Whiteout, layer.Opaque:
			case layer.Dir:
				all[p] = layer.Dir
			default:
				drop(p, true)
				all[p] = e.Kind
			}
		}
	}
	return all
}
