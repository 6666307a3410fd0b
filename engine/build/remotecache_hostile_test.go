package build

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// damage changes a cache in a folder: its document, which is given its right digest again.
func damage(t *testing.T, dir string, change func(*cacheDocument)) {
	t.Helper()
	l, err := image.OpenLayout(dir)
	must(t, err)
	defer l.Close()
	x, err := l.Index()
	must(t, err)
	data, err := l.ReadAll(x.Manifests[0], oci.MaxJSON)
	must(t, err)
	m, err := oci.ParseManifest(data)
	must(t, err)
	data, err = l.ReadAll(m.Config, maxCacheDocument)
	must(t, err)
	d, err := parseCacheDocument(data)
	must(t, err)
	change(&d)
	data, err = json.Marshal(d)
	must(t, err)
	put := func(mediaType string, data []byte) v1.Descriptor {
		c := image.BytesContent(mediaType, data)
		_, err := l.Put(context.Background(), c)
		must(t, err)
		return c.Descriptor
	}
	m.Config = put(cacheConfigType, data)
	for _, e := range d.Entries {
		if e.Blob != nil && !slices.ContainsFunc(m.Layers, func(l v1.Descriptor) bool { return l.Digest == e.Blob.Digest }) && e.Blob.Annotations == nil {
			m.Layers = append(m.Layers, *e.Blob)
		}
	}
	data, err = json.Marshal(m)
	must(t, err)
	entry := put(oci.MediaTypeManifest, data)
	entry.Annotations = map[string]string{oci.AnnotationRefName: "latest"}
	must(t, l.Enter(entry))
}

// A hostile cache never gives a layer under a key that isn't its own, or other bytes than its record says, and never stops a build.
func TestHostileCaches(t *testing.T) {
	l, keys := trader(t)
	evil := func(t *testing.T, dir string, data []byte, mediaType string) v1.Descriptor {
		t.Helper()
		c := image.BytesContent(mediaType, data)
		must(t, os.WriteFile(filepath.Join(dir, "blobs/sha256", c.Digest.Encoded()), data, 0o644))
		return c.Descriptor
	}
	bad := layerOf(t, []item{fileItem("evil", "evil", 0o644)})
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, dir string, e *cacheEntry)
	}{
		{"another key", func(t *testing.T, _ string, e *cacheEntry) { e.Key = oci.Sum([]byte("x")) }},
		{"another instruction", func(t *testing.T, _ string, e *cacheEntry) { e.Record.Key.Instruction += "; evil" }},
		{"key is a path", func(t *testing.T, _ string, e *cacheEntry) { e.Key = "sha256:../../../etc/passwd" }},
		{"layer is a path", func(t *testing.T, _ string, e *cacheEntry) {
			e.Record.Layer.Digest, e.Record.DiffID = "sha256:../../x", "sha256:../../x"
		}},
		{"layer is not the diff id's", func(t *testing.T, dir string, e *cacheEntry) { e.Record.Layer = evil(t, dir, bad, oci.MediaTypeLayer) }},
		{"blob is not the layer", func(t *testing.T, dir string, e *cacheEntry) {
			d := evil(t, dir, bad, oci.MediaTypeLayer)
			e.Blob = &d
		}},
		{"compressed blob is not the layer", func(t *testing.T, dir string, e *cacheEntry) {
			d := evil(t, dir, gzipOf(bad), oci.MediaTypeLayerGzip)
			e.Blob = &d
		}},
		{"blob is longer than the layer", func(t *testing.T, dir string, e *cacheEntry) {
			d := evil(t, dir, gzipOf(make([]byte, 10<<20)), oci.MediaTypeLayerGzip)
			e.Blob = &d
		}},
		{"blob is not listed", func(t *testing.T, dir string, e *cacheEntry) {
			d := evil(t, dir, bad, oci.MediaTypeLayer)
			d.Annotations = map[string]string{"not": "listed"}
			e.Blob = &d
		}},
		{"no blob", func(t *testing.T, _ string, e *cacheEntry) { e.Blob = nil }},
		{"negative size", func(t *testing.T, _ string, e *cacheEntry) { e.Record.Layer.Size, e.Record.Bytes = -1, -1 }},
		{"layer is no archive", func(t *testing.T, dir string, e *cacheEntry) {
			d := evil(t, dir, bytes.Repeat([]byte("x"), 5000), oci.MediaTypeLayer)
			e.Blob, e.Record.Layer, e.Record.DiffID, e.Record.Bytes = &d, d, d.Digest, d.Size
		}},
		{"layer leads out", func(t *testing.T, dir string, e *cacheEntry) {
			d := evil(t, dir, layerOf(t, []item{fileItem("../../etc/passwd", "x", 0o644)}), oci.MediaTypeLayer)
			e.Blob, e.Record.Layer, e.Record.DiffID, e.Record.Bytes = &d, d, d.Digest, d.Size
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,dest="+dir), keys))
			changed := 0
			damage(t, dir, func(d *cacheDocument) {
				for i := range d.Entries {
					if !d.Entries[i].Record.Empty {
						changed++
						tc.change(t, dir, &d.Entries[i])
					}
				}
			})
			c := newCustomer(t, "type=local,src="+dir)
			n, _ := c.hits(l, keys)
			if n != len(keys)-changed {
				t.Errorf("%d hits, expected those of the %d results that were left alone", n, len(keys)-changed)
			}
			if _, err := c.blobs.Stat(oci.Sum(bad)); err == nil {
				t.Error("the evil layer is in the store")
			}
		})
	}
}

func layerOf(t *testing.T, items []item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := layer.NewWriter(&b)
	for _, i := range items {
		must(t, w.WriteEntry(i.Entry, strings.NewReader(i.data)))
	}
	must(t, w.Close())
	return b.Bytes()
}

func gzipOf(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func TestUnreadableCaches(t *testing.T) {
	l, keys := trader(t)
	for name, tc := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"no index":       {func(dir string) error { return os.Remove(dir + "/index.json") }, "no cache of that name"},
		"broken index":   {func(dir string) error { return os.WriteFile(dir+"/index.json", []byte("{"), 0o644) }, "parse index"},
		"blobs are gone": {func(dir string) error { return os.RemoveAll(dir + "/blobs") }, "open blob"},
		"no layout":      {func(dir string) error { return os.Remove(dir + "/oci-layout") }, "oci-layout"},
		"not a cache": {func(dir string) error {
			return os.WriteFile(dir+"/index.json", []byte(`{"schemaVersion":2,"manifests":[]}`), 0o644)
		}, "no cache of that name"},
	} {
		dir := t.TempDir()
		must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,dest="+dir), keys))
		must(t, tc.change(dir))
		c := newCustomer(t, "type=local,src="+dir)
		if len(c.warnings) != 1 || !strings.Contains(c.warnings[0].Error(), tc.want) || !strings.Contains(c.warnings[0].Error(), dir) {
			t.Errorf("%s: %v, want %q", name, c.warnings, tc.want)
		}
		if n, _ := c.hits(l, keys); n != 0 {
			t.Errorf("%s: %d hits", name, n)
		}
	}
	for _, data := range [][]byte{nil, []byte("[]"), []byte(`{"version":2}`), []byte(`{"version":1,"entries":[` + strings.Repeat("{},", maxCacheEntries) + `{}]}`),
		bytes.Repeat([]byte(" "), maxCacheDocument+1)} {
		if _, err := parseCacheDocument(data); err == nil {
			t.Errorf("%.40q of %d bytes is a document", data, len(data))
		}
	}
}

func FuzzCacheDocument(f *testing.F) {
	good, _ := cacheDocument{Version: 1, Entries: []cacheEntry{{Key: oci.Sum(nil), Record: Record{Empty: true}}}}.encode()
	f.Add(good)
	f.Add([]byte(`{"version":1,"entries":[{"key":"sha256:x","record":{"layer":{"size":-1}},"blob":{}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseCacheDocument(data)
		if err != nil {
			return
		}
		for _, e := range d.Entries {
			if e.check() != nil {
				continue
			}
			if got, err := e.Record.Key.Digest(); err != nil || got != e.Key || oci.CheckDigest(e.Key) != nil {
				t.Fatalf("the record of %s is taken for that of %s", got, e.Key)
			}
			if !e.Record.Empty && (oci.CheckDescriptor(e.Record.Layer) != nil || e.Record.Layer.Digest != e.Record.DiffID) {
				t.Fatalf("layer %v is taken", e.Record.Layer)
			}
		}
	})
}
