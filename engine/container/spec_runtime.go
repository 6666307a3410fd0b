package container

import (
	"context"
	"errors"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// OwnRuntime is the name of the engine's own runtime.
const OwnRuntime = "learn"

// checkRuntime refuses a runtime that is not there, before anything is made.
func (m *Manager) checkRuntime(h *container.HostConfig) error {
	if h.Runtime == "" || h.Runtime == OwnRuntime {
		return nil
	}
	f, ok := m.runtime.(driver.RuntimeFinder)
	if !ok {
		return invalid("unknown or invalid runtime name: %s: this driver's machine has only the runtime %s", h.Runtime, OwnRuntime)
	}
	_, err := f.FindRuntime(h.Runtime)
	switch {
	case errors.Is(err, driver.ErrNotFound):
		return invalid("unknown or invalid runtime name: %s", h.Runtime)
	case err != nil:
		return invalid("unknown or invalid runtime name: %s: %v", h.Runtime, err)
	}
	return nil
}

// specRuntime adds who makes the container.
func (m *Manager) specRuntime(_ context.Context, c *Container, s *driver.Spec) error {
	if c.HostConfig.Runtime != OwnRuntime {
		s.Runtime = c.HostConfig.Runtime
	}
	return nil
}

// Runtimes names the runtimes that containers may be made with.
func (m *Manager) Runtimes() []string {
	names := []string{OwnRuntime}
	if f, ok := m.runtime.(driver.RuntimeFinder); ok {
		names = append(names, f.Runtimes()...)
	}
	return names
}
