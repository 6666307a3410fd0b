package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

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
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// importedCache is the kept results of other builds. It is safe for concurrent use, and nil is an empty one. It holds nothing open.
type importedCache struct {
	blobs   *blob.Store
	sources []*importedSource

	mu      sync.Mutex
	fetches map[digest.Digest]*sync.Mutex // one fetch of a layer at a time
}

// importedSource is one cache.
type importedSource struct {
	name    string
	reader  func(context.Context) cacheReader
	entries map[digest.Digest]cacheEntry
}

// importCache reads what the caches at refs hold; the first has precedence. No blob of a layer is fetched yet. A cache that can't be
// reached or read is left out: the errors are warnings, and none of them is a reason to stop. What a cache is trusted with stands at
// CacheRef.
func (b *Builder) importCache(ctx context.Context, refs []CacheRef) (*importedCache, []error) {
	blobs, err := blob.Open(b.home.Images())
	if err != nil {
		return nil, []error{err}
	}
	c := &importedCache{blobs: blobs, fetches: map[digest.Digest]*sync.Mutex{}}
	var warnings []error
	for _, ref := range refs {
		s, bad, err := b.importSource(ctx, ref)
		for _, e := range []error{bad, err} {
			if e != nil {
				warnings = append(warnings, fmt.Errorf("import cache from %s: %w", ref, e))
			}
		}
		if s != nil {
			c.sources = append(c.sources, s)
		}
	}
	return c, warnings
}

func (b *Builder) importSource(ctx context.Context, ref CacheRef) (s *importedSource, bad, err error) {
	ctx, end := trace.Step(ctx, vocab.CacheImport, trace.String("source", ref.String()))
	defer func() {
		if err != nil {
			end(err)
			return
		}
		end(nil, trace.Int("records", int64(len(s.entries))))
	}()
	if err := ref.CheckFrom(); err != nil {
		return nil, nil, err
	}
	s = &importedSource{name: ref.String()}
	var m v1.Manifest
	if ref.Type == CacheLocal {
		s.reader = func(context.Context) cacheReader { return layoutReader(ref.Dir) }
		m, err = layoutManifest(ref)
	} else {
		client := b.images.Client()
		s.reader = func(ctx context.Context) cacheReader { return registryReader{ctx, client, ref.Ref} }
		m, err = registryManifest(ctx, client, ref.Ref)
	}
	if err == nil {
		s.entries, bad, err = believed(s.reader(ctx), m)
	}
	if err != nil {
		return nil, nil, err
	}
	return s, bad, nil
}

// layoutReader reads a cache in the folder of that name.
type layoutReader string

func (dir layoutReader) open(d v1.Descriptor) (io.ReadCloser, error) {
	l, err := image.OpenLayout(string(dir))
	if err != nil {
		return nil, err
	}
	r, err := l.Open(d)
	return r, errors.Join(err, l.Close()) // what is open stays open
}

// layoutManifest finds the manifest of a cache in a folder: by digest, by tag, or the only one.
func layoutManifest(ref CacheRef) (v1.Manifest, error) {
	l, err := image.OpenLayout(ref.Dir)
	if err != nil {
		return v1.Manifest{}, err
	}
	defer l.Close()
	x, err := l.Index()
	if err != nil {
		return v1.Manifest{}, err
	}
	i := slices.IndexFunc(x.Manifests, func(d v1.Descriptor) bool {
		if ref.Digest != "" {
			return d.Digest == ref.Digest
		}
		return d.Annotations[oci.AnnotationRefName] == ref.Tag
	})
	if i < 0 && ref.Digest == "" && len(x.Manifests) == 1 {
		i = 0
	}
	if i < 0 {
		return v1.Manifest{}, fmt.Errorf("the folder has no cache of that name, among %d", len(x.Manifests))
	}
	data, err := l.ReadAll(x.Manifests[i], oci.MaxJSON)
	if err != nil {
		return v1.Manifest{}, err
	}
	return oci.ParseManifest(data)
}

// registryReader reads a cache in a registry.
type registryReader struct {
	ctx    context.Context
	client *registry.Client
	ref    oci.Ref
}

func (r registryReader) open(d v1.Descriptor) (io.ReadCloser, error) {
	return r.client.Blob(r.ctx, r.ref, d)
}

func registryManifest(ctx context.Context, c *registry.Client, ref oci.Ref) (v1.Manifest, error) {
	d, err := c.Resolve(ctx, ref)
	if err != nil {
		return v1.Manifest{}, err
	}
	data, err := c.Manifest(ctx, ref, d)
	if err == nil && oci.IsIndex(d.MediaType) {
		if d, err = ownManifest(data); err == nil {
			data, err = c.Manifest(ctx, ref, d)
		}
	}
	if err != nil {
		return v1.Manifest{}, err
	}
	return oci.ParseManifest(data)
}

// ownManifest is this machine's in a list of manifests.
func ownManifest(data []byte) (v1.Descriptor, error) {
	x, err := oci.ParseIndex(data)
	if err != nil {
		return v1.Descriptor{}, err
	}
	own, err := image.ParsePlatform("")
	if err != nil {
		return v1.Descriptor{}, err
	}
	return image.ChoosePlatform(x.Manifests, own)
}

// lookUp finds the result of the step key, and brings its layer into the store under op: verified, and looked through for what no layer
// may hold. A cache whose layer can't be had is passed over and not asked again for it: err says why, as a warning, and another cache may
// still give a hit. The caller holds the lock "gc" shared, and keeps the record.
func (c *importedCache) lookUp(ctx context.Context, op *home.Operation, key digest.Digest) (rec Record, hit bool, err error) {
	if c == nil {
		return Record{}, false, nil
	}
	for _, s := range c.sources {
		e, ok := c.entry(s, key)
		if !ok {
			continue
		}
		if e.Record.Empty {
			return e.Record, true, err
		}
		fetchErr := c.fetch(ctx, op, s, e)
		if fetchErr == nil {
			return e.Record, true, err
		}
		err = errors.Join(err, fmt.Errorf("take layer %s from cache %s: %w", e.Record.DiffID, s.name, fetchErr))
		if ctx.Err() != nil {
			return Record{}, false, err
		}
		c.forget(s, key)
	}
	return Record{}, false, err
}

// knows tells whether lookUp would find the step key, if the layer can be had: for predictions, which fetch nothing.
func (c *importedCache) knows(key digest.Digest) (Record, bool) {
	if c == nil {
		return Record{}, false
	}
	for _, s := range c.sources {
		if e, ok := c.entry(s, key); ok {
			return e.Record, true
		}
	}
	return Record{}, false
}

func (c *importedCache) entry(s *importedSource, key digest.Digest) (cacheEntry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := s.entries[key]
	return e, ok
}

func (c *importedCache) forget(s *importedSource, key digest.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(s.entries, key)
}

// turn waits until nobody else fetches the layer d.
func (c *importedCache) turn(d digest.Digest) (done func()) {
	c.mu.Lock()
	m := c.fetches[d]
	if m == nil {
		m = &sync.Mutex{}
		c.fetches[d] = m
	}
	c.mu.Unlock()
	m.Lock()
	return m.Unlock
}

// fetch sees to it that the layer of an entry is in the store.
func (c *importedCache) fetch(ctx context.Context, op *home.Operation, s *importedSource, e cacheEntry) error {
	defer c.turn(e.Record.DiffID)()
	want := e.Record.Layer
	if size, err := c.blobs.Stat(want.Digest); err == nil && size == want.Size {
		return nil
	}
	r, err := s.reader(ctx).open(*e.Blob)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := c.blobs.NewWriter(op)
	if err != nil {
		return err
	}
	defer w.Close()
	plain, _, err := layer.Decompress(r)
	if err != nil {
		return err
	}
	defer plain.Close()
	if err := lookThrough(ctx, io.TeeReader(&bounded{plain, want.Size}, w)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // the rest of the blob, so that all of it is verified
		return err
	}
	failpoint.Hit("build.cache.before-blob")
	_, err = w.Commit(ctx, want.Digest, want.MediaType)
	return err
}

// lookThrough reads a whole layer archive and refuses what could not be unpacked.
func lookThrough(ctx context.Context, r io.Reader) error {
	for archive := layer.NewReader(r, layer.Limits{}); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := archive.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// bounded ends in an error when more comes than was promised.
type bounded struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errors.New("the layer is longer than its record says")
	}
	return n, err
}
