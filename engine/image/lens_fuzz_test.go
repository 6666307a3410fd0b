package image

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
)

// FuzzLens looks at an image that has any bytes as its upper layer: it is refused, or what the lens says holds together, the same from the archive and
// from the cache.
func FuzzLens(f *testing.F) {
	f.Add(layerOf(fileEnt("d/x", "1"), gone("d/y"), opaqueEnt("e"), hardEnt("h", "d/x"), linkEnt("l", "../d"), fileEnt("l/z", "2")))
	f.Add(layerOf(dirEnt("d"), fileEnt("d/a", "22").xattr("user.a", strings.Repeat("1", 200)), fileEnt("b", "2"), fileEnt("b", "3"), gone("never/was")))
	f.Add(deeper())
	f.Add([]byte("no archive"))
	w := newWorkshop(f)
	base := layerOf(dirEnt("d"), fileEnt("d/x", "1"), fileEnt("d/y", "2"), dirEnt("e"), fileEnt("e/z", "3"), linkEnt("l", "d"))
	f.Fuzz(func(t *testing.T, data []byte) {
		img := w.quickly(oci.Image{}, base, data)
		l, err := w.Look(w.ctx, img)
		if err != nil {
			return
		}
		again, err := w.Look(w.ctx, img)
		if err != nil || asJSON(l.Layers) != asJSON(again.Layers) || asJSON(l.Dive) != asJSON(again.Dive) {
			t.Fatalf("from the archive: %s\nfrom the cache: %s %v", asJSON(l.Layers), asJSON(again), err)
		}
		if l.Waste.Bytes < 0 || l.Waste.Bytes > l.Waste.Size || l.Dive.Efficiency < 0 || l.Dive.Efficiency > 1 {
			t.Fatalf("%d of %d bytes are wasted, dive says %v", l.Waste.Bytes, l.Waste.Size, l.Dive.Efficiency)
		}
		hidden, err := l.Hidden(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hidden {
			b, err := l.Biography(w.ctx, h.Path)
			if err != nil || len(b.Life) == 0 {
				t.Fatalf("%s is hidden and has no life: %+v, %v", h.Path, b, err)
			}
		}
		_ = l.Each(w.ctx, 2, true, func(c LensChange) {
			if c.File != nil && c.File.Type == "file" && c.File.Size < 1<<16 {
				if content, err := w.cat(l, c.Path, 2, false); err != nil || int64(len(content)) != c.File.Size {
					t.Fatalf("%s: %d bytes, %v", c.Path, len(content), err)
				}
			}
		})
	})
}

// FuzzListing reads any bytes as a remembered listing, and holds what is read against what is written again.
func FuzzListing(f *testing.F) {
	d := oci.Sum(nil)
	list := &listing{sums: map[int][32]byte{1: {1}}}
	for _, e := range []ent{fileEnt("a/b", "x").xattr("user.a", "1"), dirEnt("a/c"), gone("a/d"), linkEnt("l", "a"), devEnt("dev", layer.Char, 1, 3)} {
		list.add(&e.Entry, xattrsOf(e.Xattrs))
	}
	whole := list.encode(d)
	f.Add(whole[:len(whole)-32])
	f.Add([]byte(listingMagic + d.Encoded() + "\x05\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeListing(sealed(data), d)
		if err != nil {
			return
		}
		again := &listing{sums: got.sums}
		err = got.each(func(e *layer.Entry, xattrs []xattr) error {
			again.add(e, xattrs)
			return nil
		})
		if err != nil {
			return
		}
		if back, err := decodeListing(again.encode(d), d); err != nil || back.count != got.count || !bytes.Equal(back.entries, again.entries) {
			t.Fatalf("written again: %v", err)
		}
	})
}

// sealed is data with the digest at its end that a listing has.
func sealed(data []byte) []byte {
	sum := sha256.Sum256(data)
	return append(bytes.Clone(data), sum[:]...)
}
