package image

import (
	"os"
	"sync"
	"testing"
)

func damage(t testing.TB, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUnpackOnceForAll(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a", "b", "c"}, "x")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if chain, err := w.Unpack(w.ctx, img); err != nil || chain != img.Layers[2].ChainID {
				t.Errorf("%s, %v", chain, err)
			}
		})
	}
	all.Wait()
	if w.mem.applied != 3 {
		t.Errorf("%d layers were applied", w.mem.applied)
	}
}

func TestUnpackMendsAStackWithoutItsBottom(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a", "b", "c"}, "x")
	if _, err := w.Unpack(w.ctx, img); err != nil {
		t.Fatal(err)
	}
	_ = w.mem.Drop(w.ctx, img.Layers[0].ChainID)
	if _, err := w.Unpack(w.ctx, img); err != nil {
		t.Fatal(err)
	}
	if w.mem.applied != 6 {
		t.Errorf("%d layers were applied, want all three twice", w.mem.applied)
	}
}

func TestUnpackRefusesDamage(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a"}, "x")
	damage(t, w.blobs.Path(img.Layers[0].Descriptor.Digest))
	if _, err := w.Unpack(w.ctx, img); err == nil || w.mem.Has(img.Layers[0].ChainID) {
		t.Errorf("error = %v", err)
	}
}

func TestUnpackNothing(t *testing.T) {
	w := newWorkshop(t)
	if chain, err := w.Unpack(w.ctx, w.make(nil, "scratch")); chain != "" || err != nil {
		t.Errorf("%q, %v", chain, err)
	}
}
