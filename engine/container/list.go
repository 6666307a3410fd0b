package container

import (
	"context"
	"errors"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/image"
)

// List gives the containers, newest first: all, or only those that run, are paused or restarting. A container whose record is broken never
// stops the list: it is one of all, with a Problem and the state dead.
func (m *Manager) List(ctx context.Context, all bool) ([]Container, error) {
	ids, err := m.ids()
	if err != nil {
		return nil, err
	}
	list := make([]Container, 0, len(ids))
	for _, id := range ids {
		if !all && !m.mayRun(id) {
			continue
		}
		c, err := m.read(id)
		if err == nil {
			c, err = m.refresh(ctx, c)
		}
		if errors.As(err, new(*NotFoundError)) {
			continue // removed meanwhile
		}
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		if err != nil { // one task that cannot be asked must not hide the others
			if c, _ = m.read(id); c == nil {
				continue
			}
			c.Problem = err
		}
		if all || c.State.Active() {
			list = append(list, *c)
		}
	}
	slices.SortStableFunc(list, func(a, b Container) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// mayRun tells by the cheaper of a container's two files whether there is anything to ask the runtime.
func (m *Manager) mayRun(id string) bool {
	s := m.readState(id)
	return s.Active() || s.Starting
}

// Uses tells for each image id which containers are made of it, running or not.
func (m *Manager) Uses(ctx context.Context) (map[digest.Digest][]image.Use, error) {
	all, err := m.List(ctx, true)
	if err != nil {
		return nil, err
	}
	uses := map[digest.Digest][]image.Use{}
	for _, c := range all {
		uses[c.Image] = append(uses[c.Image], image.Use{Container: c.ID, Running: c.State.Active()})
	}
	return uses, nil
}

// InUse tells which containers are made of the image id, running or not.
func (m *Manager) InUse(ctx context.Context, id digest.Digest) ([]image.Use, error) {
	uses, err := m.Uses(ctx)
	return uses[id], err
}

// Roots gives the blobs and chains that containers stand on; they must outlive their images. It asks no runtime.
func (m *Manager) Roots(context.Context) (image.Roots, error) {
	var roots image.Roots
	ids, err := m.ids()
	if err != nil {
		return roots, err
	}
	for _, id := range ids {
		c, err := m.read(id)
		if err != nil {
			continue // removed meanwhile
		}
		if c.Image != "" {
			roots.Blobs = append(roots.Blobs, c.Image)
		}
		for _, l := range c.Layers {
			roots.Blobs = append(roots.Blobs, l.Descriptor.Digest)
			roots.Chains = append(roots.Chains, l.ChainID)
		}
		for _, p := range c.Mounts {
			for _, l := range p.Layers {
				roots.Blobs = append(roots.Blobs, l.Descriptor.Digest)
				roots.Chains = append(roots.Chains, l.ChainID)
			}
		}
	}
	return roots, nil
}
