package sim

import (
	"context"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
)

// Snapshots are the writable layers. What is asked of the layer of a container that runs in another process is answered when that process
// has written down how it is now.
type Snapshots struct {
	*tree.Snapshots
	runtime *Runtime
}

// Diff implements driver.Snapshots.
func (s *Snapshots) Diff(ctx context.Context, key string, w io.Writer) (driver.DiffStats, error) {
	s.runtime.settle(ctx, key)
	return s.Snapshots.Diff(ctx, key, w)
}

// Changes implements driver.Snapshots.
func (s *Snapshots) Changes(ctx context.Context, key string) ([]driver.Change, error) {
	s.runtime.settle(ctx, key)
	return s.Snapshots.Changes(ctx, key)
}

// Commit implements driver.Snapshots.
func (s *Snapshots) Commit(ctx context.Context, key string, chain, diffID digest.Digest) error {
	s.runtime.settle(ctx, key)
	return s.Snapshots.Commit(ctx, key, chain, diffID)
}

// OpenKey implements driver.Trees.
func (s *Snapshots) OpenKey(ctx context.Context, key string) (driver.Tree, error) {
	s.runtime.settle(ctx, key)
	return s.Snapshots.OpenKey(ctx, key)
}
