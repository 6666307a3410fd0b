package container

import (
	"context"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

const logDriver = "json-file"

// specLog adds where the output goes.
func (m *Manager) specLog(_ context.Context, c *Container, s *driver.Spec) error {
	s.Log = c.LogPath
	return nil
}

func checkLog(*container.HostConfig) error { return nil }
