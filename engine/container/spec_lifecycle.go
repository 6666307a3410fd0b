package container

import (
	"context"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// specLifecycle adds what happens when the container runs on its own.
func (m *Manager) specLifecycle(_ context.Context, c *Container, s *driver.Spec) error {
	if c.HostConfig.AutoRemove && m.CleanupCommand != nil {
		s.OnExit = m.CleanupCommand(c.ID)
	}
	if restarts(c.HostConfig) && m.AgainCommand != nil {
		s.OnEnd, s.Rested = m.AgainCommand(c.ID), c.State.Rested
	}
	s.Health = healthCheck(c.Config)
	return nil
}

func checkLifecycle(h *container.HostConfig) error { return checkRestart(h) }
