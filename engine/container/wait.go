package container

import (
	"context"
	"errors"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// waitPoll is how often a container is looked at that nobody can be asked about: one that rests, or is to be removed.
const waitPoll = 50 * time.Millisecond

// Wait returns when the container has ended, with its exit code. For one that does not run it returns at once; for one that is restarting when
// its next run ends. If Start connected streams in this process, everything has been copied to them then. A container that removes itself is
// gone afterwards.
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
	for err == nil && c.Problem == nil && c.State.Restarting {
		c, err = m.lookAgain(ctx, c.ID)
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

// WaitFor waits for one of the API's conditions: not-running (also if empty) is Wait; next-exit does not take an earlier end for an answer;
// removed returns when the container is gone, with its last exit code.
func (m *Manager) WaitFor(ctx context.Context, ref string, condition container.WaitCondition) (int, error) {
	switch condition {
	case "", container.WaitConditionNotRunning:
		return m.Wait(ctx, ref)
	case container.WaitConditionNextExit:
		return m.waitNextExit(ctx, ref)
	case container.WaitConditionRemoved:
		return m.waitRemoved(ctx, ref)
	}
	return 0, invalid("invalid condition: %q", condition)
}

func (m *Manager) waitNextExit(ctx context.Context, ref string) (int, error) {
	c, err := m.own(ctx, ref)
	if err != nil {
		return 0, err
	}
	began := c.State.StartedAt
	for c.Problem == nil && !c.State.Live() && c.State.StartedAt == began {
		if c, err = m.lookAgain(ctx, c.ID); err != nil {
			return 0, err
		}
	}
	return m.Wait(ctx, c.ID)
}

func (m *Manager) waitRemoved(ctx context.Context, ref string) (int, error) {
	c, err := m.own(ctx, ref)
	if err != nil {
		return 0, err
	}
	code := c.State.ExitCode
	for {
		if c.State.Live() {
			if code, err = m.Wait(ctx, c.ID); orGone(err) != nil {
				return 0, err
			}
		}
		c, err = m.lookAgain(ctx, c.ID)
		if errors.As(err, new(*NotFoundError)) {
			return code, nil
		}
		if err != nil {
			return 0, err
		}
		code = c.State.ExitCode
	}
}

// lookAgain looks at a container a moment later.
func (m *Manager) lookAgain(ctx context.Context, id string) (*Container, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(waitPoll):
	}
	return m.Find(ctx, id)
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
