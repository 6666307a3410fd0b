package build

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A cache is a manifest of the image-spec, so that any tool can copy it: its config is a cacheDocument, its layers are the blobs that the
// document's entries name. An image built with an inline cache has the document in an annotation of its manifest, without blobs, because
// its layers are these.
const (
	cacheConfigType  = "application/vnd.learn.buildcache.v1+json"
	inlineAnnotation = "learn.buildcache.v1"
	cacheVersion     = 1
	maxCacheDocument = 16 << 20 // bytes
	maxCacheEntries  = 1 << 14
)

type cacheDocument struct {
	Version int          `json:"version"`
	Entries []cacheEntry `json:"entries"`
}

// cacheEntry is one kept result as it lies in a cache.
type cacheEntry struct {
	Key    digest.Digest  `json:"key"`
	Record Record         `json:"record"`
	Blob   *v1.Descriptor `json:"blob,omitempty"` // the layer, perhaps compressed
}

func (d cacheDocument) encode() ([]byte, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode cache: %w", err)
	}
	if len(data) > maxCacheDocument || len(d.Entries) > maxCacheEntries {
		return nil, fmt.Errorf("encode cache: %d results in %d bytes, at most %d in %d are read again: leave mode=max out", len(d.Entries), len(data),
			maxCacheEntries, maxCacheDocument)
	}
	return data, nil
}

func parseCacheDocument(data []byte) (cacheDocument, error) {
	var d cacheDocument
	if len(data) > maxCacheDocument {
		return d, fmt.Errorf("read cache: %d bytes, at most %d are read", len(data), maxCacheDocument)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("read cache: %w", err)
	}
	if d.Version != cacheVersion {
		return d, fmt.Errorf("read cache: version is %d, expected %d", d.Version, cacheVersion)
	}
	if len(d.Entries) > maxCacheEntries {
		return d, fmt.Errorf("read cache: %d results, at most %d are read", len(d.Entries), maxCacheEntries)
	}
	return d, nil
}

// check reports why an entry can't be believed: it must be the record of its key, and its layer must be one.
func (e cacheEntry) check() error {
	if got, err := e.Record.Key.Digest(); err != nil || got != e.Key {
		return fmt.Errorf("the record of key %.80q is that of key %s", string(e.Key), got)
	}
	if e.Record.Empty {
		return nil
	}
	r := e.Record
	for _, d := range []digest.Digest{r.DiffID, r.Chain} {
		if err := oci.CheckDigest(d); err != nil {
			return fmt.Errorf("key %s: %w", e.Key, err)
		}
	}
	if err := oci.CheckDescriptor(r.Layer); err != nil {
		return fmt.Errorf("key %s: %w", e.Key, err)
	}
	if !oci.IsPlainLayer(r.Layer.MediaType) || r.Layer.Digest != r.DiffID || r.Layer.Size != r.Bytes {
		return fmt.Errorf("key %s: its layer %s is not what its diff id %s says", e.Key, r.Layer.Digest, r.DiffID)
	}
	return nil
}

// cacheReader reads the blobs of one cache.
type cacheReader interface {
	// open opens a blob, which is verified while it is read.
	open(d v1.Descriptor) (io.ReadCloser, error)
}

// believed are the entries that the manifest m holds and that check, by key. bad is why others were left out.
func believed(r cacheReader, m v1.Manifest) (entries map[digest.Digest]cacheEntry, bad error, err error) {
	var list []cacheEntry
	switch {
	case m.Config.MediaType == cacheConfigType:
		list, err = readEntries(r, m)
	case oci.IsConfig(m.Config.MediaType) && m.Annotations[inlineAnnotation] != "":
		list, err = inlineEntries(r, m)
	case oci.IsConfig(m.Config.MediaType):
		err = fmt.Errorf("it is an image that was built without --cache-to type=inline")
	default:
		err = fmt.Errorf("its config is of type %.100q, which is no cache that this builder knows", m.Config.MediaType)
	}
	if err != nil {
		return nil, nil, err
	}
	entries = map[digest.Digest]cacheEntry{}
	left := 0
	for _, e := range list {
		if err := e.check(); err != nil {
			left++
			bad = fmt.Errorf("%d of %d results are left out: %w", left, len(list), err)
			continue
		}
		entries[e.Key] = e
	}
	return entries, bad, nil
}

// readEntries reads the config of a cache. What names a blob that the manifest doesn't list is no entry.
func readEntries(r cacheReader, m v1.Manifest) ([]cacheEntry, error) {
	data, err := readBlob(r, m.Config, maxCacheDocument)
	if err != nil {
		return nil, err
	}
	d, err := parseCacheDocument(data)
	if err != nil {
		return nil, err
	}
	listed := map[digest.Digest]v1.Descriptor{}
	for _, l := range m.Layers {
		listed[l.Digest] = l
	}
	return slices.DeleteFunc(d.Entries, func(e cacheEntry) bool {
		if e.Record.Empty {
			return false
		}
		if e.Blob == nil {
			return true
		}
		l, ok := listed[e.Blob.Digest]
		return !ok || l.Size != e.Blob.Size || !oci.IsLayer(l.MediaType)
	}), nil
}

// inlineEntries finds the blobs of an image's inline cache among its layers.
func inlineEntries(r cacheReader, m v1.Manifest) ([]cacheEntry, error) {
	d, err := parseCacheDocument([]byte(m.Annotations[inlineAnnotation]))
	if err != nil {
		return nil, err
	}
	data, err := readBlob(r, m.Config, oci.MaxJSON)
	if err != nil {
		return nil, err
	}
	config, err := oci.ParseImage(data)
	if err != nil {
		return nil, err
	}
	if len(config.RootFS.DiffIDs) != len(m.Layers) {
		return nil, fmt.Errorf("the image's manifest has %d layers, its config %d", len(m.Layers), len(config.RootFS.DiffIDs))
	}
	var list []cacheEntry
	for _, e := range d.Entries {
		i := slices.Index(config.RootFS.DiffIDs, e.Record.DiffID)
		if i < 0 && !e.Record.Empty {
			continue
		}
		if e.Blob = nil; i >= 0 {
			e.Blob = &m.Layers[i]
		}
		list = append(list, e)
	}
	return list, nil
}

func readBlob(r cacheReader, d v1.Descriptor, limit int64) ([]byte, error) {
	if d.Size > limit {
		return nil, fmt.Errorf("read cache: its config has %d bytes, at most %d are read", d.Size, limit)
	}
	in, err := r.open(d)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

// sortedEntries are entries by key, so that the same results give the same document.
func sortedEntries(entries map[digest.Digest]cacheEntry) []cacheEntry {
	list := make([]cacheEntry, 0, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		list = append(list, entries[key])
	}
	return list
}
