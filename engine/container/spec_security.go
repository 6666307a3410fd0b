package container

import (
	"context"
	"slices"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// specSecurity adds what the container may do and see of the machine.
func (m *Manager) specSecurity(_ context.Context, c *Container, s *driver.Spec) error {
	s.Process.Privileged, s.Process.NoNewPrivs = c.HostConfig.Privileged, noNewPrivs(c.HostConfig)
	s.ReadOnly = c.HostConfig.ReadonlyRootfs
	return nil
}

func checkSecurity(*container.HostConfig) error { return nil }

func noNewPrivs(h *container.HostConfig) bool {
	return slices.ContainsFunc(h.SecurityOpt, func(s string) bool {
		return s == "no-new-privileges" || s == "no-new-privileges:true" || s == "no-new-privileges=true"
	})
}
