package image

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/home"
	"github.com/opencontainers/go-digest"
)

// kept is a workshop that collects, with containers that stand on chains.
func kept(t *testing.T, chains *[]digest.Digest) *workshop {
	w := newWorkshop(t)
	w.Keep = func(context.Context) (Roots, error) { return Roots{Chains: *chains}, nil }
	return w
}

func (w *workshop) unpackAll(names ...string) {
	w.Helper()
	for _, n := range names {
		img, err := w.Resolve(w.ctx, n)
		if err == nil {
			_, err = w.Unpack(w.ctx, img)
		}
		if err != nil {
			w.Fatal(err)
		}
	}
}

func (w *workshop) saved(name string) []byte {
	w.Helper()
	var b bytes.Buffer
	if err := w.Save(w.ctx, &b, []string{name}, ""); err != nil {
		w.Fatal(err)
	}
	return b.Bytes()
}

func (w *workshop) collect() {
	w.Helper()
	if r, err := w.Collect(w.ctx, Roots{}); err != nil || r.Busy {
		w.Fatal(r, err)
	}
}

// TestDroppedArchivesAreThere: what reads a blob does not notice that its archive was dropped.
func TestDroppedArchivesAreThere(t *testing.T) {
	w := kept(t, new([]digest.Digest))
	big := strings.Repeat("big", 50_000)
	img := w.make([]string{big, "b"}, "a:1")
	w.make([]string{"other", "b"}, "b:1") // whose layer "b" lies on another one
	w.unpackAll("a:1")
	before := w.saved("a:1")
	report, err := w.DropArchives(w.ctx)
	if err != nil || len(report.Layers) != 2 || report.FreedBytes < 100_000 || len(report.Kept) != 1 || !strings.Contains(report.Kept[0].Reason, "not unpacked") {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, l := range img.Layers {
		if _, err := w.blobs.Stored(l.DiffID); err == nil || !slices.Contains(w.mem.settled, l.ChainID) {
			t.Errorf("%s has its archive, or its tree is not durable", l.DiffID)
		}
		if n, err := w.blobs.Stat(l.DiffID); n != l.Descriptor.Size || err != nil {
			t.Error(n, err)
		}
	}
	if !bytes.Equal(before, w.saved("a:1")) {
		t.Error("it saves as another archive")
	}
	w.healthy()
	w.unpackAll("b:1") // of the tree in the other stack
	if dropped, err := w.DropUnpacked(w.ctx); err != nil || len(dropped.Layers) != 2 || w.mem.Has(img.Layers[0].ChainID) == false || !w.mem.Has(img.Layers[1].ChainID) {
		t.Errorf("%+v, %v", dropped, err)
	}
	w.healthy()
	h, err := w.Halves(w.ctx)
	if err != nil || h.Dropped.Layers != 2 || h.Dropped.Bytes == 0 || h.Unpacked.Layers != 2 || h.Unpacked.Droppable != 0 || h.Archives.Layers != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

// TestTreeStaysForAnArchiveOfAnotherImage: the image whose stack holds the files goes, another one needs the layer.
func TestTreeStaysForAnArchiveOfAnotherImage(t *testing.T) {
	w := kept(t, new([]digest.Digest))
	a := w.make([]string{"x", "shared"}, "a:1")
	w.unpackAll("a:1")
	if _, err := w.DropArchives(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.make([]string{"y", "shared"}, "b:1")
	if err := w.blobs.Discard(a.Layers[1].DiffID); err != nil { // which making b stored again
		t.Fatal(err)
	}
	if _, _, err := w.Remove(w.ctx, "a:1", false, unused); err != nil {
		t.Fatal(err)
	}
	w.collect()
	if !w.mem.Has(a.Layers[1].ChainID) || !w.mem.Has(a.Layers[0].ChainID) {
		t.Error("the only copy of a layer was collected")
	}
	w.healthy()
	if _, _, err := w.Remove(w.ctx, "b:1", false, unused); err != nil {
		t.Fatal(err)
	}
	w.collect()
	left, _ := w.mem.List(w.ctx)
	names, _ := os.ReadDir(w.home.Skeletons())
	if len(left) != 0 || len(names) != 0 {
		t.Errorf("left: %v, %v", left, names)
	}
}

// TestArchiveThatComesBackReplacesItsSkeleton: a load brings the archive; the tree is free again.
func TestArchiveThatComesBackReplacesItsSkeleton(t *testing.T) {
	w := kept(t, new([]digest.Digest))
	img := w.make([]string{"x"}, "a:1")
	w.unpackAll("a:1")
	archive := w.saved("a:1")
	if _, err := w.DropArchives(w.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Load(w.ctx, bytes.NewReader(archive), "-"); err != nil {
		t.Fatal(err)
	}
	w.collect()
	if names, _ := os.ReadDir(w.home.Skeletons()); len(names) != 0 {
		t.Errorf("skeletons %v", names)
	}
	if dropped, err := w.DropUnpacked(w.ctx); err != nil || len(dropped.Layers) != 1 || w.mem.Has(img.Layers[0].ChainID) {
		t.Errorf("%+v, %v", dropped, err)
	}
	w.unpackAll("a:1")
	w.healthy()
}

func TestDropKeepsWhatIsUsed(t *testing.T) {
	var chains []digest.Digest
	w := kept(t, &chains)
	img := w.make([]string{"x", "y"}, "a:1")
	w.unpackAll("a:1")
	chains = []digest.Digest{img.Layers[0].ChainID, img.Layers[1].ChainID}
	if dropped, err := w.DropUnpacked(w.ctx); err != nil || len(dropped.Layers) != 0 {
		t.Errorf("%+v, %v", dropped, err)
	}
	chains = nil
	unlock, err := w.home.Lock(w.ctx, "gc", false) // an operation is under way
	if err != nil {
		t.Fatal(err)
	}
	for _, drop := range []func(context.Context) (Dropped, error){w.DropUnpacked, w.DropArchives} {
		if dropped, err := drop(w.ctx); err != nil || !dropped.Busy || len(dropped.Layers) > 0 {
			t.Errorf("%+v, %v", dropped, err)
		}
	}
	unlock()
	if err := os.Remove(w.blobs.Path(img.Layers[1].DiffID)); err != nil {
		t.Fatal(err)
	}
	if dropped, err := w.DropUnpacked(w.ctx); err != nil || len(dropped.Layers) != 0 || len(dropped.Kept) != 1 {
		t.Errorf("the last half is dropped: %+v, %v", dropped, err)
	}
}

// TestDropArchivesRefuses: an archive that could not be had again stays, and is named with the reason.
func TestDropArchivesRefuses(t *testing.T) {
	w := kept(t, new([]digest.Digest))
	w.loadFiles(ociFiles(map[string]string{"org.opencontainers.image.ref.name": "gz:1"}, "application/vnd.oci.image.layer.v1.tar+gzip", layerTar("z"), gzipped(layerTar("z"))))
	twice := tarFiles(file{name: "f", content: "first"}, file{name: "f", content: "last"})
	config := configOf(twice)
	w.loadFiles([]file{{name: "c", content: config}, {name: "l", content: string(twice)}, dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"twice:1"}, Layers: []string{"l"}})})
	w.unpackAll("gz:1", "twice:1")
	report, err := w.DropArchives(w.ctx)
	if err != nil || len(report.Layers) != 0 || len(report.Kept) != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, k := range report.Kept {
		if !strings.Contains(k.Reason, "compressed") && !strings.Contains(k.Reason, "would be") && !strings.Contains(k.Reason, "too short") {
			t.Errorf("kept %s because %s", k.Layer, k.Reason)
		}
	}
	if names, _ := os.ReadDir(w.home.Skeletons()); len(names) != 0 {
		t.Errorf("skeletons %v", names)
	}
	w.healthy()
}

// TestDamagedTreeIsFound: the tree of a dropped archive changes behind the engine's back, or goes.
func TestDamagedTreeIsFound(t *testing.T) {
	w := kept(t, new([]digest.Digest))
	img := w.make([]string{"text"}, "a:1")
	w.unpackAll("a:1")
	archive := w.saved("a:1")
	if _, err := w.DropArchives(w.ctx); err != nil {
		t.Fatal(err)
	}
	chain := img.Layers[0].ChainID
	w.mem.data[chain] = layerTar("tex!")
	if found := w.Verify(w.ctx); len(found) == 0 {
		t.Error("a changed tree verifies")
	}
	if err := w.Save(w.ctx, io.Discard, []string{"a:1"}, ""); err == nil {
		t.Error("a changed tree is saved")
	}
	delete(w.mem.parents, chain)
	if _, err := w.Unpack(w.ctx, img); err == nil || !strings.Contains(err.Error(), "load or pull the image again") {
		t.Error(err)
	}
	if err := os.WriteFile(w.skeletons.path(img.Layers[0].DiffID), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.collect()
	if _, err := w.Load(w.ctx, bytes.NewReader(archive), "-"); err != nil {
		t.Fatal(err)
	}
	w.collect()
	w.unpackAll("a:1")
	w.healthy()
}

func (w *workshop) loadFiles(files []file) {
	w.Helper()
	if _, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-"); err != nil {
		w.Fatal(err)
	}
}

// FuzzSkeletonFile reads hostile skeleton files: nothing but an error, or bytes that do not verify, may come of them.
func FuzzSkeletonFile(f *testing.F) {
	h, err := home.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	d := digest.FromString("x")
	k := &skeletons{h, &memLayers{}}
	f.Add([]byte(`{"digest":"` + string(d) + `","size":1,"chains":["` + string(d) + `"]}` + "\n"))
	if err := os.MkdirAll(h.Skeletons(), 0o700); err != nil {
		f.Fatal(err)
	}
	blobs, err := blob.Open(h.Images())
	if err != nil {
		f.Fatal(err)
	}
	blobs.Elsewhere = k
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(k.path(d), data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = blobs.Stat(d)
		if got, err := blobs.ReadAll(d, 1<<20); err == nil && string(got) != "x" {
			t.Fatal("unverified bytes")
		}
	})
}
