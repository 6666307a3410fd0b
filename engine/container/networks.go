package container

import (
	"context"
	"maps"
	"slices"
)

// NetworkNames are the networks that the container is in when it runs, sorted; none if it has another container's.
func (c *Container) NetworkNames() []string {
	if c.HostConfig.NetworkMode.IsContainer() {
		return nil
	}
	if len(c.Networks) == 0 {
		return []string{or(string(c.HostConfig.NetworkMode), "none")}
	}
	return slices.Sorted(maps.Keys(c.Networks))
}

// Runs reports whether the container id has a process. It asks the runtime.
func (m *Manager) Runs(ctx context.Context, id string) bool {
	c, err := m.Find(ctx, id)
	return err == nil && c.ID == id && (c.State.Live() || c.State.Starting)
}
