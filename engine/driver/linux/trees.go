//go:build linux

package linux

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// OpenChain implements driver.Trees.
func (s *Snapshots) OpenChain(ctx context.Context, chain digest.Digest) (driver.Tree, error) {
	return nil, driver.ErrUnsupported
}

// OpenKey implements driver.Trees.
func (s *Snapshots) OpenKey(ctx context.Context, key string) (driver.Tree, error) {
	return nil, driver.ErrUnsupported
}
