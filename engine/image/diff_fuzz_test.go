package image

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
)

// FuzzDiffLayer compares an image with one that has any bytes as a further layer. It is refused or compared, the same whether the
// layer is passed over or read through.
func FuzzDiffLayer(f *testing.F) {
	f.Add(layerOf(fileEnt("d/x", "1"), gone("d/y"), opaqueEnt("e"), hardEnt("h", "d/x"), linkEnt("l", "../d"), fileEnt("l/z", "2")))
	f.Add(layerOf(dirEnt("d"), fileEnt("d/a", "22").xattr("user.a", "1"), fileEnt("d/big", strings.Repeat("x", 70_000)), fileEnt("b", "2")))
	f.Add(deeper())
	f.Add([]byte("no archive"))
	w := newWorkshop(f)
	base := layerOf(dirEnt("d"), fileEnt("d/x", "1"), fileEnt("d/y", "2"), dirEnt("e"), fileEnt("e/z", "3"), linkEnt("l", "d"))
	a := w.quickly(oci.Image{}, base)
	f.Fuzz(func(t *testing.T, data []byte) {
		plain := w.quickly(oci.Image{}, base, data)
		d, err := w.Diff(w.ctx, a, plain)
		packed := plain
		packed.Layers = append([]Layer{}, plain.Layers...)
		packed.Layers[1].Descriptor = w.rawBlob(gzipped(data))
		z, zErr := w.Diff(w.ctx, a, packed)
		if (err == nil) != (zErr == nil) || err == nil && asJSON(d) != asJSON(z) {
			t.Fatalf("passed over: %v %s\nread through: %v %s", err, asJSON(d), zErr, asJSON(z))
		}
		if waste, err := w.Waste(w.ctx, plain); err == nil && (waste.Bytes > waste.Size || waste.Bytes < 0) {
			t.Fatalf("%d of %d bytes are wasted", waste.Bytes, waste.Size)
		}
	})
}

func TestDiffStops(t *testing.T) {
	w := newWorkshop(t)
	a, b := w.quickly(oci.Image{}, layerOf(fileEnt("x", "1"))), w.quickly(oci.Image{}, layerOf(fileEnt("x", "2")))
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if _, err := w.Diff(ctx, a, b); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
