package container

import (
	"context"
	"errors"

	"github.com/learn-containers/learn/engine/driver"
)

// Pause freezes all processes of a running container.
func (m *Manager) Pause(ctx context.Context, ref string) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	return m.change(ctx, c.ID, func(c *Container) error {
		switch {
		case c.State.Paused:
			return conflict("Container %s is already paused", c.ID)
		case c.State.Restarting:
			return isRestarting(c.ID)
		case !c.State.Running:
			return notRunning(c.ID)
		}
		return nil
	}, driver.Pauser.Pause, true)
}

// Unpause lets the processes of a paused container go on.
func (m *Manager) Unpause(ctx context.Context, ref string) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	return m.change(ctx, c.ID, func(c *Container) error {
		if !c.State.Paused {
			return conflict("Container %s is not paused", c.ID)
		}
		return nil
	}, driver.Pauser.Resume, false)
}

// thaw unpauses if the container is still paused.
func (m *Manager) thaw(ctx context.Context, id string) error {
	err := m.Unpause(ctx, id)
	if errors.As(err, new(*ConflictError)) || errors.As(err, new(*NotFoundError)) {
		return nil
	}
	return err
}

// change freezes or thaws under the lock, if check allows it there.
func (m *Manager) change(ctx context.Context, id string, check func(*Container) error, do func(driver.Pauser, context.Context) error, paused bool) error {
	var done []transition
	err := m.locked(ctx, id, func(c *Container) error {
		if c.Problem != nil {
			return c.Problem
		}
		if err := check(c); err != nil {
			return err
		}
		task, err := m.runtime.Load(ctx, id)
		if err != nil {
			return err
		}
		p, ok := task.(driver.Pauser)
		if !ok {
			return unsupported("pause or unpause a container")
		}
		if err := do(p, ctx); err != nil {
			if st, e := task.Status(ctx); e == nil && (st.State == driver.Stopped || st.State == driver.Lost) {
				return notRunning(id) // it ended meanwhile
			}
			return err
		}
		next := c.State
		next.Paused, next.Status = paused, live(paused)
		done = []transition{{from: c.State.Status, to: next.Status}}
		if err := m.writeState(c, next); err != nil {
			return err
		}
		m.tellSteps(ctx, c, done)
		return nil
	})
	if err == nil {
		m.announce(ctx, id, done)
	}
	return err
}
