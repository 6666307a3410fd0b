package image

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"pgregory.net/rapid"
)

// wasteLines shows each file as "layer path bytes: how by-layer cause".
func wasteLines(w Waste) []string {
	list := []string{}
	for _, l := range w.Layers {
		for _, f := range l.Files {
			list = append(list, fmt.Sprintf("%d %s %d: %s %d %s", l.Layer.Number, f.Path, f.Bytes, f.How, f.By.Number, f.Cause))
		}
	}
	return list
}

func TestWaste(t *testing.T) {
	lists := []ent{dirEnt("var"), dirEnt("var/lists"), fileEnt("var/lists/a", "aaa"), fileEnt("var/lists/b", "bbbbb"), fileEnt("keep", "kk")}
	for _, c := range []struct {
		name  string
		stack layers
		want  []string
		size  int64
	}{
		{"nothing", layers{lists, {fileEnt("n", "1")}}, nil, 11},
		{"no layers", nil, nil, 0},
		{"overwritten", layers{lists, {fileEnt("keep", "k")}}, []string{"1 /keep 2: overwritten 2 /keep"}, 11},
		{"only its mode changed", layers{lists, {fileEnt("keep", "kk").mode(0o600)}}, []string{"1 /keep 2: overwritten 2 /keep"}, 12},
		{"deleted, the biggest first", layers{lists, {gone("var/lists/a"), gone("var/lists/b")}},
			[]string{"1 /var/lists/b 5: deleted 2 /var/lists/b", "1 /var/lists/a 3: deleted 2 /var/lists/a"}, 10},
		{"deleted with its folder", layers{lists, {}, {gone("var")}},
			[]string{"1 /var/lists/b 5: deleted 3 /var", "1 /var/lists/a 3: deleted 3 /var"}, 10},
		{"hidden by an opaque folder", layers{lists, {dirEnt("var/lists"), opaqueEnt("var/lists"), fileEnt("var/lists/a", "1")}},
			[]string{"1 /var/lists/b 5: hidden 2 /var/lists", "1 /var/lists/a 3: overwritten 2 /var/lists/a"}, 11},
		{"hidden by a file", layers{lists, {fileEnt("var", "1")}}, []string{"1 /var/lists/b 5: hidden 2 /var", "1 /var/lists/a 3: hidden 2 /var"}, 11},
		{"in several layers", layers{lists, {fileEnt("keep", "333")}, {gone("keep"), fileEnt("var/lists/a", "")}},
			[]string{"1 /var/lists/a 3: overwritten 3 /var/lists/a", "1 /keep 2: overwritten 2 /keep", "2 /keep 3: deleted 3 /keep"}, 13},
		{"twice in one archive", layers{{fileEnt("x", "111"), fileEnt("x", "2")}}, []string{"1 /x 3: overwritten 1 /x"}, 4},
		{"one of two names", layers{{fileEnt("x", "111"), hardEnt("y", "x")}, {gone("x")}}, nil, 3},
		{"both names", layers{{fileEnt("x", "111"), hardEnt("y", "x")}, {gone("x")}, {gone("y")}}, []string{"1 /y 3: deleted 3 /y"}, 3},
		{"a deleted file that comes back", layers{lists, {gone("keep")}, {fileEnt("keep", "kk")}}, []string{"1 /keep 2: deleted 2 /keep"}, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want == nil {
				c.want = []string{}
			}
			w := newWorkshop(t)
			got, err := w.Waste(w.ctx, w.quickly(oci.Image{}, c.stack.archives()...))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, wasteLines(got)); d != "" {
				t.Error(d)
			}
			if got.Size != c.size {
				t.Errorf("%d bytes in all, want %d", got.Size, c.size)
			}
		})
	}
}

// TestWasteAbove looks at the upper layers only, and reads those below only if it has to.
func TestWasteAbove(t *testing.T) {
	w := newWorkshop(t)
	base := layerOf(dirEnt("d"), fileEnt("d/x", "1"), linkEnt("l", "d"))
	img := w.quickly(oci.Image{}, base, layerOf(dirEnt("d"), fileEnt("d/x", "22"), fileEnt("d/y", "333")), layerOf(dirEnt("d"), gone("d/y"), gone("d/x")))
	linked := w.quickly(oci.Image{}, base, layerOf(fileEnt("l/n", "1")))
	if err := w.blobs.Remove(w.ctx, oci.Sum(base)); err != nil {
		t.Fatal(err)
	}
	got, err := w.WasteAbove(w.ctx, img, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"2 /d/y 3: deleted 3 /d/y", "2 /d/x 2: deleted 3 /d/x"}
	if d := cmp.Diff(want, wasteLines(got)); d != "" || got.Size != 5 || got.Efficiency() != 0 {
		t.Errorf("%s size %d, efficiency %v", d, got.Size, got.Efficiency())
	}
	if _, err := w.WasteAbove(w.ctx, linked, 1); err == nil || !strings.Contains(err.Error(), oci.Sum(base).String()) {
		t.Errorf("where l leads can't be known without the base, yet the error is %v", err)
	}
	if _, err := w.WasteAbove(w.ctx, img, 4); err == nil {
		t.Error("four layers below three are no error")
	}
}

// TestWasteIsWhatIsNotSeen: what the layers hold is wasted or in the tree that a driver makes of them.
func TestWasteIsWhatIsNotSeen(t *testing.T) {
	w := newWorkshop(t)
	rapid.Check(t, func(t *rapid.T) {
		img := w.quickly(oci.Image{}, drawLayers(t, "layers", 4).archives()...)
		seen, err := w.seenBytes(t, img)
		if err != nil {
			t.Skip()
		}
		waste, err := w.Waste(w.ctx, img)
		if err != nil {
			t.Fatal(err)
		}
		if waste.Size-waste.Bytes != seen {
			t.Fatalf("%d of %d bytes are wasted, but %d are seen: %v", waste.Bytes, waste.Size, seen, wasteLines(waste))
		}
	})
}

func TestWasteAdvice(t *testing.T) {
	history := []v1.History{{CreatedBy: "/bin/sh -c #(nop) ADD file:abc in / "}, {CreatedBy: "ENV A=b # buildkit", EmptyLayer: true},
		{CreatedBy: "RUN /bin/sh -c apt-get update &&   apt-get install -y gcc # buildkit"}, {CreatedBy: "COPY src /src # buildkit"},
		{CreatedBy: "/bin/sh -c rm -r /src /var/lib/apt/lists/*"}}
	big := strings.Repeat("x", 5000)
	w := newWorkshop(t)
	img := w.quickly(oci.Image{History: history}, layerOf(fileEnt("etc/conf", "12")),
		layerOf(dirEnt("var"), dirEnt("var/lib"), dirEnt("var/lib/apt"), dirEnt("var/lib/apt/lists"), fileEnt("var/lib/apt/lists/a", big), fileEnt("var/lib/apt/lists/b", big)),
		layerOf(dirEnt("src"), fileEnt("src/main", big), fileEnt("etc/conf", "123")),
		layerOf(gone("src"), dirEnt("var"), dirEnt("var/lib"), dirEnt("var/lib/apt"), dirEnt("var/lib/apt/lists"), gone("var/lib/apt/lists/a"), gone("var/lib/apt/lists/b")))
	waste, err := w.Waste(w.ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"RUN apt-get update && apt-get install -y gcc (layer 2) leaves 10kB in /var/lib/apt/lists that layer 4 deletes: delete them in the same RUN",
		"COPY src /src (layer 3) leaves 5kB of /src/main that layer 4 deletes: delete it in a RUN that fetches and uses what it needs, or don't COPY it",
		"ADD file:abc in / (layer 1) leaves 2B of /etc/conf that layer 3 overwrites: write it once, or change it in the instruction that writes it",
	}
	var got []string
	for _, g := range waste.Groups() {
		got = append(got, g.String())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
