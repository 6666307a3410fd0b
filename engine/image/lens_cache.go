package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// The cache of listings is bounded: a listing larger than maxListing is not kept, and of all of them those that were of no use for longest go.
const (
	maxListing  = 64 << 20
	maxListings = 256 << 20
)

// listings is the folder of the listings of layers, by the digest of the blob that each was made from: it is the bytes of that blob that
// were verified. What is in it can be lost at any moment.
func (s *Store) listings() string { return filepath.Join(s.home.Cache(), "layers") }

func (s *Store) listingPath(d digest.Digest) string { return filepath.Join(s.listings(), d.Encoded()) }

// listing is what l's archive holds: from the cache, or by reading and verifying all of it. cached tells which.
func (s *Store) listing(ctx context.Context, l Layer) (list *listing, cached bool, err error) {
	if _, err := s.blobs.Stat(l.Descriptor.Digest); err != nil {
		return nil, false, fmt.Errorf("read layer %s: %w", l.Descriptor.Digest, err)
	}
	if list := s.cachedListing(l.Descriptor.Digest); list != nil {
		return list, true, nil
	}
	list = &listing{sums: map[int][32]byte{}}
	last := ""
	err = s.eachVerified(ctx, l, func(e *layer.Entry, _ io.Reader) error {
		last = e.Path
		list.add(e, xattrsOf(e.Xattrs))
		return nil
	})
	if err != nil {
		return nil, false, layerError(l, last, err)
	}
	s.keepListing(l.Descriptor.Digest, list)
	return list, false, nil
}

// eachVerified calls visit for each entry of l's archive, and reads all of it: both the blob and the archive in it have the digests that they
// should have, or there is an error.
func (s *Store) eachVerified(ctx context.Context, l Layer, visit func(e *layer.Entry, content io.Reader) error) (err error) {
	var in io.ReadCloser
	if l.Descriptor.Digest == l.DiffID { // hashing it once is enough
		in, err = os.Open(s.blobs.Path(l.DiffID))
		if errors.Is(err, fs.ErrNotExist) { // its archive was dropped
			in, err = s.blobs.Open(l.DiffID)
		}
	} else {
		in = &lazyLayer{store: s, digest: l.Descriptor.Digest}
	}
	if err != nil {
		return err
	}
	v := layer.NewVerified(ctx, in)
	defer func() { v.Close(); err = errors.Join(err, in.Close()) }()
	if err := eachEntry(ctx, v, visit); err != nil {
		return err
	}
	return v.Check(l.DiffID)
}

func (s *Store) cachedListing(d digest.Digest) *listing {
	path := s.listingPath(d)
	if fi, err := os.Stat(path); err != nil || fi.Size() > maxListing {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	list, err := decodeListing(data, d)
	if err != nil {
		_ = os.Remove(path)
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now)
	return list
}

// keepListing puts a listing into the cache. A cache that can't be written costs time the next time, and nothing else.
func (s *Store) keepListing(d digest.Digest, list *listing) {
	data := list.encode(d)
	if len(data) > maxListing || os.MkdirAll(s.listings(), 0o700) != nil {
		return
	}
	if home.WriteVolatile(s.listingPath(d), data, 0o600) == nil {
		s.boundListings(maxListings)
	}
}

// boundListings removes the listings that were of no use for longest until the rest has at most limit bytes.
func (s *Store) boundListings(limit int64) {
	type kept struct {
		path string
		size int64
		used time.Time
	}
	var all []kept
	var sum int64
	entries, _ := os.ReadDir(s.listings())
	for _, e := range entries {
		if fi, err := e.Info(); err == nil {
			all = append(all, kept{filepath.Join(s.listings(), e.Name()), fi.Size(), fi.ModTime()})
			sum += fi.Size()
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	for _, k := range all {
		if sum <= limit {
			return
		}
		if os.Remove(k.path) == nil {
			sum -= k.size
		}
	}
}

// sweepListings forgets the listings of blobs that are no more, and what a killed process left half-written.
func (s *Store) sweepListings() {
	entries, _ := os.ReadDir(s.listings())
	for _, e := range entries {
		if _, err := s.blobs.Stat(digest.NewDigestFromEncoded(digest.SHA256, e.Name())); err != nil {
			_ = os.Remove(filepath.Join(s.listings(), e.Name()))
		}
	}
}
