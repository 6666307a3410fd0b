package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// usage is one record of the cache as pruning sees it.
type usage struct {
	key   digest.Digest
	rec   Record
	used  time.Time // when it was last made or hit
	bytes int64     // of its layer, as far as no other record listed before it has the same one
}

// usages lists the records, the one that was of use last first.
func (c *cache) usages(ctx context.Context) ([]usage, error) {
	keys, err := c.keys()
	if err != nil {
		return nil, err
	}
	var all []usage
	for _, key := range keys {
		fi, err := os.Stat(c.path(key))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list build cache: %w", err)
		}
		if rec, ok := c.get(ctx, key); ok {
			all = append(all, usage{key: key, rec: rec, used: fi.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b usage) int { return b.used.Compare(a.used) })
	seen := map[digest.Digest]bool{}
	for i := range all {
		if l := all[i].rec.Layer; !all[i].rec.Empty && !seen[l.Digest] {
			seen[l.Digest] = true
			all[i].bytes = l.Size
		}
	}
	return all, ctx.Err()
}

// limit forgets the results that were of no use for longest, until the layers of the rest take at most max bytes; 0 is no limit. Their
// blobs go with the next collection.
func (c *cache) limit(ctx context.Context, max int64) error {
	if max <= 0 {
		return nil
	}
	all, err := c.usages(ctx)
	if err != nil {
		return err
	}
	var sum int64
	for _, u := range all {
		if sum += u.bytes; sum > max {
			c.drop(ctx, u.key, "the cache is larger than its limit, and this was not used for longest")
		}
	}
	return nil
}
