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
	return nil
}

func checkLifecycle(*container.HostConfig) error { return nil }
