package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

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

// PruneOptions say what to forget. The zero value means every result that no image uses.
type PruneOptions struct {
	All    bool      // also what images use
	Before time.Time // only what was last of use before; zero: whatever its age
	Keep   int64     // bytes of layers that may stay, the latest first; 0: nothing
	DryRun bool      // say it only
}

// PrunedEntry is a kept result that Prune forgets, or a folder of a cache mount.
type PrunedEntry struct {
	Key         digest.Digest // empty for a cache mount
	Instruction string        // or the id of the cache mount
	Layer       digest.Digest // of the result; empty if it has none
	Made, Used  time.Time
	Bytes       int64
}

// Prune forgets kept results, and with All or without a use for them also the folders of cache mounts. The blobs that results kept go
// with the next collection. A build that is under way carries on.
func (b *Builder) Prune(ctx context.Context, o PruneOptions) ([]PrunedEntry, error) {
	c := openCache(b.home.Cache())
	all, err := c.usages(ctx)
	if err != nil {
		return nil, err
	}
	used, err := b.imageLayers(ctx, o.All)
	if err != nil {
		return nil, err
	}
	var gone []PrunedEntry
	var kept int64
	for _, u := range all {
		if used[u.rec.Layer.Digest] || !o.Before.IsZero() && !u.used.Before(o.Before) {
			continue
		}
		if kept+u.bytes <= o.Keep {
			kept += u.bytes
			continue
		}
		gone = append(gone, PrunedEntry{u.key, u.rec.Key.Instruction, u.rec.Layer.Digest, u.rec.Created, u.used, u.bytes})
		if !o.DryRun {
			c.drop(ctx, u.key, "pruned")
		}
	}
	mounts, err := b.pruneMounts(ctx, o)
	gone = append(gone, mounts...)
	if err == nil && o.All && o.Before.IsZero() && o.Keep == 0 && !o.DryRun {
		err = c.clear()
	}
	return gone, err
}

// imageLayers are the layers that images use; none if they make no difference.
func (b *Builder) imageLayers(ctx context.Context, all bool) (map[digest.Digest]bool, error) {
	used := map[digest.Digest]bool{}
	if all {
		return used, nil
	}
	images, err := b.images.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("prune build cache: %w", err)
	}
	for _, img := range images {
		for _, l := range img.Layers {
			used[l.Descriptor.Digest] = true
		}
	}
	return used, nil
}

// clear forgets what speeds up besides the results: digests of files, downloads. What earlier builds did stays known: it explains the
// builds that follow, and is small and bounded.
func (c *cache) clear() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("prune build cache: %w", err)
	}
	failed := os.RemoveAll(filepath.Join(c.dir, downloadsName))
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), lastPrefix) {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("prune build cache: %w", err))
		}
	}
	return failed
}
