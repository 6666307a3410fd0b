package image

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
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
