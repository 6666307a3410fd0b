//go:build linux

package linux

import (
	"context"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
)

// Snapshots keeps writable layers on disk. It implements driver.Snapshots and driver.Trees.
type Snapshots struct {
	home   *home.Home
	mode   Mode
	layers *Layers
}

// NewSnapshots returns the writable layers kept in h, which stand on layers.
func NewSnapshots(h *home.Home, mode Mode, layers *Layers) *Snapshots {
	return &Snapshots{home: h, mode: mode, layers: layers}
}

// Prepare implements driver.Snapshots.
func (s *Snapshots) Prepare(ctx context.Context, key string, chain digest.Digest) error { return nil }

// Diff implements driver.Snapshots.
func (s *Snapshots) Diff(ctx context.Context, key string, w io.Writer) (driver.DiffStats, error) {
	return driver.DiffStats{}, nil
}

// Changes implements driver.Snapshots.
func (s *Snapshots) Changes(ctx context.Context, key string) ([]driver.Change, error) {
	return nil, nil
}

// Commit implements driver.Snapshots.
func (s *Snapshots) Commit(ctx context.Context, key string, chain, diffID digest.Digest) error {
	return nil
}

// Remove implements driver.Snapshots.
func (s *Snapshots) Remove(ctx context.Context, key string) error { return nil }

// List implements driver.Snapshots.
func (s *Snapshots) List(ctx context.Context) ([]string, error) { return nil, nil }

// RootMount tells what the root of a container on the writable layer key is mounted from: the read-only folders, top
// first, with the diff ids of their layers in the same order, and the upper and work folders of the overlay.
func (s *Snapshots) RootMount(key string) (lowers []string, upper, work string, diffIDs []digest.Digest, err error) {
	return nil, "", "", nil, nil
}
