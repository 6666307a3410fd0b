package container

import (
	"context"
	"fmt"
	"io"

	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Changes lists what the container changed in its tree, sorted by path: what docker diff shows.
func (m *Manager) Changes(ctx context.Context, ref string) ([]driver.Change, error) {
	c, err := m.own(ctx, ref)
	if err != nil {
		return nil, err
	}
	if c.Problem != nil {
		return nil, c.Problem
	}
	return m.snapshots.Changes(ctx, c.ID)
}

// Export writes the container's whole tree as one tar archive.
func (m *Manager) Export(ctx context.Context, ref string, w io.Writer) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	if c.Problem != nil {
		return c.Problem
	}
	ctx, end := trace.Step(ctx, vocab.ContainerExport, trace.String("container", c.ID))
	count := &counter{w: w}
	if err = m.export(ctx, c, count); err == nil {
		m.tell(c, events.ActionExport)
	}
	end(err, trace.Int("size_bytes", count.n))
	return err
}

func (m *Manager) export(ctx context.Context, c *Container, w io.Writer) error {
	tree, err := m.trees.OpenKey(ctx, c.ID)
	if err != nil {
		return fmt.Errorf("export container %s: %w", c.ID, err)
	}
	defer tree.Close()
	if err := tree.Export(ctx, w); err != nil {
		return fmt.Errorf("export container %s: %w", c.ID, err)
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// chainOn is the identity of layer on top of the container's layers.
func chainOn(c *Container, layer image.Layer) digest.Digest {
	ids := make([]digest.Digest, 0, len(c.Layers)+1)
	for _, l := range c.Layers {
		ids = append(ids, l.DiffID)
	}
	return oci.ChainID(append(ids, layer.DiffID))
}
