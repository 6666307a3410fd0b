package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// exportCache gives the kept results of keys to the cache to, where they replace those that were there. Keys without a result, or whose
// layer is gone, are left out. The caller holds the lock "gc" shared. If to.IgnoreError the error is a warning to show and no reason to
// fail; that is the caller's decision. A killed process leaves at most blobs that nothing names. type=inline is not exported but goes into
// the image: see inlineCache.
func (b *Builder) exportCache(ctx context.Context, to CacheRef, keys []digest.Digest) (err error) {
	ctx, end := trace.Step(ctx, vocab.CacheExport, trace.String("target", to.String()))
	x := exporter{Builder: b, to: to, contents: map[digest.Digest]image.Content{}}
	defer func() {
		end(err, trace.Int("records", x.records), trace.Int("layers", int64(len(x.order))), trace.Int("size_bytes", x.written))
	}()
	if err := to.CheckTo(); err != nil {
		return err
	}
	if to.Type == CacheInline {
		return errors.New("export cache: an inline cache goes into the image that is built, and nowhere else")
	}
	op, err := b.home.Begin("export cache")
	if err != nil {
		return err
	}
	err = errors.Join(x.export(ctx, op, keys), op.End())
	if err != nil {
		return fmt.Errorf("export cache to %s: %w", to, err)
	}
	return nil
}

// exporter is one export under way.
type exporter struct {
	*Builder
	to       CacheRef
	contents map[digest.Digest]image.Content // of each layer, by its diff id, as it leaves
	order    []digest.Digest                 // of the diff ids
	records  int64
	written  int64 // bytes of blobs that were not there yet
}

func (x *exporter) export(ctx context.Context, op *home.Operation, keys []digest.Digest) error {
	blobs, err := blob.Open(x.home.Images())
	if err != nil {
		return err
	}
	entries := map[digest.Digest]cacheEntry{}
	for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
		e, ok := x.entry(blobs, key)
		if !ok {
			continue
		}
		if !e.Record.Empty {
			if e.Blob, err = x.blob(ctx, op, blobs, e.Record); err != nil {
				return err
			}
		}
		entries[key] = e
	}
	x.records = int64(len(entries))
	config, err := cacheDocument{cacheVersion, sortedEntries(entries)}.encode()
	if err != nil {
		return err
	}
	return x.write(ctx, image.BytesContent(cacheConfigType, config))
}

// entry is the kept result of a key, if it can be exported.
func (b *Builder) entry(blobs *blob.Store, key digest.Digest) (cacheEntry, bool) {
	if oci.CheckDigest(key) != nil {
		return cacheEntry{}, false
	}
	rec, err := openCache(b.home.Cache()).read(key)
	if err != nil {
		return cacheEntry{}, false
	}
	e := cacheEntry{Key: key, Record: rec}
	if e.check() != nil {
		return cacheEntry{}, false
	}
	if !rec.Empty {
		if size, err := blobs.Stat(rec.Layer.Digest); err != nil || size != rec.Layer.Size {
			return cacheEntry{}, false
		}
	}
	return e, true
}

// blob is a record's layer in the form in which it leaves. A registry gets it compressed, as images are.
func (x *exporter) blob(ctx context.Context, op *home.Operation, blobs *blob.Store, rec Record) (*v1.Descriptor, error) {
	if c, ok := x.contents[rec.DiffID]; ok {
		return &c.Descriptor, nil
	}
	d := v1.Descriptor{MediaType: oci.MediaTypeLayer, Digest: rec.Layer.Digest, Size: rec.Layer.Size}
	c := image.Content{Descriptor: d, Open: func() (io.ReadCloser, error) { return blobs.Open(d.Digest) }}
	kind := x.to.Compression.kind
	if kind == "" && x.to.Type == CacheRegistry {
		kind = layer.Gzip
	}
	if kind != "" && kind != layer.None {
		var err error
		if c, err = x.images.Compress(ctx, op, c, kind, x.to.Compression.level); err != nil {
			return nil, fmt.Errorf("layer %s: %w", d.Digest, err)
		}
	}
	x.contents[rec.DiffID] = c
	x.order = append(x.order, rec.DiffID)
	return &c.Descriptor, nil
}

// write puts the cache where it belongs: layers, config, and at last the manifest.
func (x *exporter) write(ctx context.Context, config image.Content) error {
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeManifest, ArtifactType: cacheConfigType, Config: config.Descriptor}
	var list []image.Content
	for _, diffID := range x.order {
		list = append(list, x.contents[diffID])
	}
	if len(list) == 0 { // a manifest must have a layer (image-spec, manifest.md)
		list = append(list, image.BytesContent(v1.MediaTypeEmptyJSON, []byte("{}")))
	}
	for _, c := range list {
		m.Layers = append(m.Layers, c.Descriptor)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	if _, err := oci.ParseManifest(data); err != nil {
		return fmt.Errorf("%w: leave mode=max out", err)
	}
	manifest := image.BytesContent(m.MediaType, data)
	list = append(list, config)
	if x.to.Type == CacheLocal {
		return x.toFolder(ctx, list, manifest)
	}
	return x.toRegistry(ctx, x.images.Client(), list, manifest, data)
}

func (x *exporter) toFolder(ctx context.Context, list []image.Content, manifest image.Content) error {
	l, err := image.MakeLayout(x.to.Dir)
	if err != nil {
		return err
	}
	defer l.Close()
	for _, c := range append(list, manifest) {
		existed, err := l.Put(ctx, c)
		if err != nil {
			return err
		}
		if !existed && c.Digest != manifest.Digest {
			x.written += c.Size
		}
		failpoint.Hit("build.cache.after-blob")
	}
	unlock, err := x.home.Lock(ctx, "layout", true)
	if err != nil {
		return err
	}
	defer unlock()
	d := manifest.Descriptor
	d.ArtifactType = cacheConfigType
	d.Annotations = map[string]string{oci.AnnotationRefName: x.to.Tag}
	return l.Enter(d)
}

func (x *exporter) toRegistry(ctx context.Context, c *registry.Client, list []image.Content, manifest image.Content, data []byte) error {
	for _, b := range list {
		existed, err := c.PushBlob(ctx, x.to.Ref, b.Descriptor, b.Open)
		if err != nil {
			return err
		}
		if !existed {
			x.written += b.Size
		}
	}
	return c.PushManifest(ctx, x.to.Ref, manifest.Descriptor, data)
}

// inlineCache is the annotations that carry the kept results of keys in the manifest of img, for Output.Annotations: those whose layer
// img has. An image with them is a --cache-from wherever it is pushed.
func (b *Builder) inlineCache(img image.Image, keys []digest.Digest) (map[string]string, error) {
	blobs, err := blob.Open(b.home.Images())
	if err != nil {
		return nil, err
	}
	entries := map[digest.Digest]cacheEntry{}
	for _, key := range keys {
		e, ok := b.entry(blobs, key)
		if ok && (e.Record.Empty || slices.Contains(img.DiffIDs(), e.Record.DiffID)) {
			entries[key] = e
		}
	}
	data, err := cacheDocument{cacheVersion, sortedEntries(entries)}.encode()
	if err != nil {
		return nil, err
	}
	return map[string]string{inlineAnnotation: string(data)}, nil
}
