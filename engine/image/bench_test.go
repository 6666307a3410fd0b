package image

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// benchSize is the size of the layer in the benchmarks: 64 MiB, or as many MiB as the environment says.
func benchSize(b *testing.B) int64 {
	mib := 64
	if s := os.Getenv("LEARN_BENCH_MIB"); s != "" {
		var err error
		if mib, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	return int64(mib) << 20
}

// big makes an image of one incompressible layer.
func (w *workshop) big(size int64) {
	w.Helper()
	err := w.withOperation("bench", func(op *home.Operation) error {
		out, err := w.blobs.NewWriter(op)
		if err != nil {
			return err
		}
		defer out.Close()
		for piece := random(1 << 20); out.Size() < size; piece[0]++ {
			if _, err := out.Write(piece); err != nil {
				return err
			}
		}
		d, err := out.Commit(w.ctx, "", oci.MediaTypeLayer)
		if err != nil {
			return err
		}
		_, err = w.Create(w.ctx, op, oci.Image{OS: "linux", Architecture: "amd64"}, []Layer{{Descriptor: d, DiffID: d.Digest}}, []oci.Ref{ref("big:1")}, "build")
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}

func BenchmarkSave(b *testing.B) {
	w := newWorkshop(b)
	size := benchSize(b)
	w.big(size)
	name := filepath.Join(b.TempDir(), "big.tar")
	b.SetBytes(size)
	for b.Loop() {
		w.saveFile(name, "big:1", FormatDocker)
		b.StopTimer()
		_ = os.Remove(name) // truncating the file of the last round would wait for the disk
		b.StartTimer()
	}
}

func BenchmarkLoad(b *testing.B) {
	w := newWorkshop(b)
	size := benchSize(b)
	w.big(size)
	name := filepath.Join(b.TempDir(), "big.tar")
	w.saveFile(name, "big:1", FormatDocker)
	b.SetBytes(size)
	for b.Loop() {
		b.StopTimer()
		other := newWorkshop(b)
		b.StartTimer()
		other.loadFile(name)
		b.StopTimer()
		_ = os.RemoveAll(other.home.Root())
		b.StartTimer()
	}
}

func BenchmarkLoadGzip(b *testing.B) {
	plain := layerTar(string(random(int(benchSize(b)))))
	stored := gzipped(plain)
	archive := tarFiles(ociFiles(map[string]string{oci.AnnotationRefName: "z:1"}, oci.MediaTypeLayerGzip, plain, stored)...)
	name := filepath.Join(b.TempDir(), "z.tar")
	if err := os.WriteFile(name, archive, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(archive)))
	for b.Loop() {
		b.StopTimer()
		other := newWorkshop(b)
		b.StartTimer()
		other.loadFile(name)
		b.StopTimer()
		_ = os.RemoveAll(other.home.Root())
		b.StartTimer()
	}
}

// many fills the store with n images under names of their own, in one change of the index.
func (w *workshop) many(n int) {
	w.Helper()
	err := w.withOperation("bench", func(op *home.Operation) error {
		return w.changeIndex(w.ctx, op, func(x *index) error {
			for i := range n {
				var layers []Layer
				config := oci.Image{OS: "linux", Architecture: "amd64", Author: strconv.Itoa(i)}
				for l := range 5 {
					d := oci.Sum([]byte{byte(l)})
					layers = append(layers, Layer{Descriptor: v1.Descriptor{MediaType: oci.MediaTypeLayer, Digest: d, Size: 1}, DiffID: d, Size: 1})
					config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d)
				}
				config.RootFS.Type = "layers"
				d, err := w.unsynced(config, layers)
				if err != nil {
					return err
				}
				x.Manifests = append(x.Manifests, named(d, ref("bench/"+strconv.Itoa(i)+":1")))
			}
			return nil
		})
	})
	if err != nil {
		w.Fatal(err)
	}
}

// unsynced puts an image's documents in place without waiting for the disk.
func (w *workshop) unsynced(config oci.Image, layers []Layer) (v1.Descriptor, error) {
	put := func(v any, mediaType string) (v1.Descriptor, error) {
		data, err := json.Marshal(v)
		d := v1.Descriptor{MediaType: mediaType, Digest: oci.Sum(data), Size: int64(len(data))}
		return d, errors.Join(err, os.WriteFile(w.blobs.Path(d.Digest), data, 0o644))
	}
	c, err := put(config, v1.MediaTypeImageConfig)
	if err != nil {
		return c, err
	}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: c}
	for _, l := range layers {
		m.Layers = append(m.Layers, l.Descriptor)
	}
	d, err := put(m, v1.MediaTypeImageManifest)
	d.Annotations = map[string]string{annotationConfig: c.Digest.String(), annotationSizes: joinSizes(layers), annotationMade: "2024-01-02T03:04:05.123456789Z"}
	return d, err
}

// BenchmarkResolveByName finds one image of 1000 by its name.
func BenchmarkResolveByName(b *testing.B) {
	w := newWorkshop(b)
	w.many(1000)
	for b.Loop() {
		if _, err := w.Resolve(w.ctx, "bench/999:1"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList lists 1000 images.
func BenchmarkList(b *testing.B) {
	w := newWorkshop(b)
	w.many(1000)
	for b.Loop() {
		if all, err := w.List(w.ctx); err != nil || len(all) != 1000 || all[0].Damaged != nil {
			b.Fatal(len(all), err, all[0].Damaged)
		}
	}
}

// BenchmarkBrief lists 1,000 and 20,000 images as docker images does.
func BenchmarkBrief(b *testing.B) {
	for _, n := range []int{1000, 20000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w := newWorkshop(b)
			w.many(n)
			for b.Loop() {
				if all, err := w.Brief(w.ctx); err != nil || len(all) != n {
					b.Fatal(len(all), err)
				}
			}
		})
	}
}

// BenchmarkTag moves a name among 20,000 images.
func BenchmarkTag(b *testing.B) {
	w := newWorkshop(b)
	w.many(20000)
	for i := 0; b.Loop(); i++ {
		if err := w.Tag(w.ctx, "bench/"+strconv.Itoa(i)+":1", ref("moved")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRemove removes one image of 20,000, with the collection that follows.
func BenchmarkRemove(b *testing.B) {
	w := newWorkshop(b)
	w.many(20000)
	for i := 0; b.Loop(); i++ {
		_, layers, err := w.Remove(w.ctx, "bench/"+strconv.Itoa(i)+":1", false, unused)
		if err != nil {
			b.Fatal(err)
		}
		if report, err := w.CollectAfter(w.ctx, layers); err != nil || report.Blobs != 2 {
			b.Fatal(report, err)
		}
	}
}

// BenchmarkCollect removes 10,000 blobs that nothing refers to.
func BenchmarkCollect(b *testing.B) {
	w := newWorkshop(b)
	for b.Loop() {
		b.StopTimer()
		for i := range 10000 {
			data := []byte(strconv.Itoa(i))
			if err := os.WriteFile(w.blobs.Path(oci.Sum(data)), data, 0o644); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		if report, err := w.Collect(w.ctx, Roots{}); err != nil || report.Blobs != 10000 {
			b.Fatal(report, err)
		}
	}
}
