package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// memLayers is a driver.Layers that keeps the archives themselves.
type memLayers struct {
	mu      sync.Mutex
	parents map[digest.Digest]digest.Digest
	data    map[digest.Digest][]byte
	settled []digest.Digest
	applied int
	dropped []digest.Digest
}

func (m *memLayers) Apply(_ context.Context, chain, parent, diffID digest.Digest, in io.Reader) error {
	if m.Has(chain) {
		return driver.ErrExists
	}
	if parent != "" && !m.Has(parent) {
		return fmt.Errorf("parent %s: %w", parent, driver.ErrNotFound)
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if got := oci.Sum(data); got != diffID {
		return fmt.Errorf("digest %s, want %s", got, diffID)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parents[chain] = parent
	m.data[chain] = data
	m.applied++
	return nil
}

func (m *memLayers) Settle(_ context.Context, chain digest.Digest) error {
	m.settled = append(m.settled, chain)
	return nil
}

func (m *memLayers) OpenLayer(chain digest.Digest) (driver.LayerFiles, error) {
	if !m.Has(chain) {
		return nil, driver.ErrNotFound
	}
	return memFiles(m.data[chain]), nil
}

// memFiles are the files of an archive, the last of each name.
type memFiles []byte

func (f memFiles) Open(p string) (io.ReadCloser, error) {
	in, found := tar.NewReader(bytes.NewReader(f)), io.ReadCloser(nil)
	for {
		h, err := in.Next()
		if err != nil {
			break
		}
		if cleanName(h.Name) == p {
			data, _ := io.ReadAll(in)
			found = io.NopCloser(bytes.NewReader(data))
		}
	}
	if found == nil {
		return nil, driver.ErrNotFound
	}
	return found, nil
}

func (f memFiles) Size() int64  { return int64(len(f)) }
func (f memFiles) Close() error { return nil }

func (m *memLayers) Has(chain digest.Digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.parents[chain]
	return ok
}

func (m *memLayers) Parent(chain digest.Digest) (digest.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.parents[chain]
	if !ok {
		return "", driver.ErrNotFound
	}
	return p, nil
}

func (m *memLayers) List(context.Context) ([]digest.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []digest.Digest
	for c := range m.parents {
		all = append(all, c)
	}
	slices.Sort(all)
	return all, nil
}

func (m *memLayers) Drop(_ context.Context, chain digest.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.parents, chain)
	m.dropped = append(m.dropped, chain)
	return nil
}

// workshop is a store under test.
type workshop struct {
	testing.TB
	*Store
	mem *memLayers
	ctx context.Context
}

func newWorkshop(t testing.TB) *workshop {
	t.Helper()
	return openWorkshop(t, t.TempDir())
}

func openWorkshop(t testing.TB, dir string) *workshop {
	t.Helper()
	h, err := home.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.Open(h.Images())
	if err != nil {
		t.Fatal(err)
	}
	mem := &memLayers{parents: map[digest.Digest]digest.Digest{}, data: map[digest.Digest][]byte{}}
	return &workshop{t, New(h, blobs, mem), mem, context.Background()}
}

func ref(s string) oci.Ref {
	r, err := oci.ParseRef(s)
	if err != nil {
		panic(err)
	}
	return r
}

// make makes an image of one layer per content, under names.
func (w *workshop) make(contents []string, names ...string) Image {
	w.Helper()
	var img Image
	err := w.withOperation("test", func(op *home.Operation) error {
		var layers []Layer
		for _, c := range contents {
			d, err := w.blobs.Put(w.ctx, op, tarOf(map[string]string{"file": c}), oci.MediaTypeLayer)
			if err != nil {
				return err
			}
			layers = append(layers, Layer{Descriptor: d, DiffID: d.Digest})
		}
		var refs []oci.Ref
		for _, n := range names {
			refs = append(refs, ref(n))
		}
		var err error
		img, err = w.Create(w.ctx, op, oci.Image{OS: "linux", Architecture: "amd64"}, layers, refs, "build")
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return img
}

// healthy fails if the store doesn't verify or an operation left something.
func (w *workshop) healthy() {
	w.Helper()
	for _, p := range w.Verify(w.ctx) {
		w.Errorf("verify: %s", p)
	}
	if left, err := w.home.Orphans(); err != nil || len(left) > 0 {
		w.Errorf("orphans %v, error %v", left, err)
	}
}

func (w *workshop) names(img Image) []string {
	var names []string
	for _, r := range img.Refs {
		names = append(names, r.Familiar())
	}
	slices.Sort(names)
	return names
}

// file is one entry of an archive under test.
type file struct {
	name, content, link string
	kind                byte
}

func tarFiles(files ...file) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644, Size: int64(len(f.content)), Linkname: f.link}
		if f.kind != 0 {
			h.Typeflag = f.kind
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func tarOf(content map[string]string) []byte {
	var files []file
	for name, c := range content {
		files = append(files, file{name: name, content: c})
	}
	slices.SortFunc(files, func(a, b file) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	return tarFiles(files...)
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func zstded(data []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(data, nil)
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
