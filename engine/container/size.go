package container

import (
	"context"
	"fmt"
	"io"
)

// Size is what a container takes, in bytes.
type Size struct {
	Writable int64 // of the files in its writable layer
	Root     int64 // these and all layers below
}

// Size counts what a container takes, as docker ps -s shows it.
func (m *Manager) Size(ctx context.Context, ref string) (Size, error) {
	c, err := m.own(ctx, ref)
	if err != nil {
		return Size{}, err
	}
	if c.Problem != nil {
		return Size{}, c.Problem
	}
	stats, err := m.snapshots.Diff(ctx, c.ID, io.Discard)
	if err != nil {
		return Size{}, fmt.Errorf("measure container %s: %w", c.ID, err)
	}
	s := Size{Writable: stats.Bytes, Root: stats.Bytes}
	for _, l := range c.Layers {
		s.Root += l.Size
	}
	return s, nil
}
