package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
)

// Roots names what garbage collection must keep for the cache: the blobs of its layers. It names no chains: an unpacked
// layer that only the cache has is unpacked again when a build needs it. Records that can't be read are dropped.
func (b *Builder) Roots(ctx context.Context) (blobs, chains []digest.Digest, err error) {
	c := openCache(b.home.Cache())
	keys, err := c.keys()
	if err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		if rec, ok := c.get(ctx, key); ok && !rec.Empty {
			blobs = append(blobs, rec.Layer.Digest)
		}
	}
	return blobs, nil, nil
}

// Prune forgets all kept results. What they kept goes with the next collection. A build that is under way carries on.
func (b *Builder) Prune(ctx context.Context) error {
	c := openCache(b.home.Cache())
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("prune build cache: %w", err)
	}
	var failed error
	for _, e := range entries {
		err := os.Remove(filepath.Join(c.dir, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("prune build cache: %w", err))
			continue
		}
		if key, ok := recordKey(e.Name()); ok && err == nil {
			trace.Fact(ctx, vocab.CacheRemove, trace.String("key", key.String()), trace.String("reason", "pruned"))
		}
	}
	return failed
}
