package container

import (
	"context"

	"github.com/learn-containers/learn/engine/driver"
)

// Reveal gives what the machine's kernel has of a running container now. Errors: *ConflictError when it does not run.
func (m *Manager) Reveal(ctx context.Context, ref string) (*Container, driver.Reveal, error) {
	c, err := m.own(ctx, ref)
	switch {
	case err != nil:
		return nil, driver.Reveal{}, err
	case c.Problem != nil:
		return c, driver.Reveal{}, c.Problem
	case !c.State.Live():
		return c, driver.Reveal{}, conflict("container %s is not running: the kernel has nothing of it; start it, or ask: learn why %s", c.ID, c.Name)
	}
	task, err := m.runtime.Load(ctx, c.ID)
	if err != nil {
		return c, driver.Reveal{}, err
	}
	r, ok := task.(driver.Revealer)
	if !ok {
		return c, driver.Reveal{}, unsupported("show what the kernel has of a container")
	}
	shown, err := r.Reveal(ctx)
	return c, shown, err
}
