package container

import (
	"context"
	"errors"

	"github.com/learn-containers/learn/engine/driver"
)

// Wait returns when the container has ended, with its exit code. For one that does not run it returns at once. If Start connected
// streams in this process, everything has been copied to them then. A container that removes itself is gone afterwards.
func (m *Manager) Wait(ctx context.Context, ref string) (int, error) {
	if task := m.connection(ref); task != nil { // started here: nobody has to be asked how it is
		return m.wait(ctx, ref, task)
	}
	c, err := m.own(ctx, ref)
	id := ref
	if err == nil {
		id = c.ID
	}
	if task := m.connection(id); task != nil {
		return m.wait(ctx, id, task)
	}
	switch {
	case err != nil:
		return 0, err
	case c.Problem != nil:
		return 0, c.Problem
	case !c.State.Live():
		return c.State.ExitCode, nil
	}
	task, err := m.runtime.Load(ctx, id)
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		return 0, err
	}
	return m.wait(ctx, id, task)
}

// wait waits for task, which is nil if it has gone meanwhile, and has the end recorded.
func (m *Manager) wait(ctx context.Context, id string, task driver.Task) (int, error) {
	exit, waitErr := driver.Exit{}, driver.ErrNotFound
	if task != nil {
		exit, waitErr = task.Wait(ctx)
	}
	if waitErr != nil && ctx.Err() != nil {
		return 0, waitErr
	}
	m.connect(id, nil)
	after, err := m.Find(ctx, id)
	if err == nil {
		err = m.settleEphemeral(context.WithoutCancel(ctx), after)
	}
	if waitErr == nil {
		if errors.As(err, new(*NotFoundError)) {
			err = nil // it removed itself
		}
		return exit.Code, err
	}
	if err != nil {
		return 0, errors.Join(waitErr, err)
	}
	if after.State.Live() {
		return 0, waitErr
	}
	return after.State.ExitCode, nil
}
