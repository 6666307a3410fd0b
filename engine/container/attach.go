package container

import (
	"context"

	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
)

// Attach connects streams to a running container until it ends or ctx does. Wait tells when it ended, and waits for the streams, too. Errors:
// *ConflictError for a container that has no first process to listen to.
func (m *Manager) Attach(ctx context.Context, ref string, streams driver.Streams) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	if err := attachable(c); err != nil {
		return err
	}
	return m.join(ctx, c, streams)
}

func attachable(c *Container) error {
	switch {
	case c.Problem != nil:
		return c.Problem
	case c.State.Paused:
		return conflict("container %s is paused, unpause the container before attach", c.ID)
	case c.State.Restarting:
		return isRestarting(c.ID)
	case !c.State.Running:
		return notRunning(c.ID)
	}
	return nil
}

// join connects streams to the first process, which runs.
func (m *Manager) join(ctx context.Context, c *Container, streams driver.Streams) error {
	task, err := m.runtime.Load(ctx, c.ID)
	if err != nil {
		return err
	}
	a, ok := task.(driver.Attacher)
	if !ok {
		return unsupported("attach to a container")
	}
	m.tell(c, events.ActionAttach)
	j := &joined{Task: task, done: make(chan struct{})}
	go func() {
		defer close(j.done)
		j.exit, j.err = a.Attach(ctx, streams)
	}()
	m.connect(c.ID, j)
	return nil
}

// joined is a task that streams were connected to after its start. The goroutine that connects them ends with the container, or with the
// context of the streams.
type joined struct {
	driver.Task
	done chan struct{}
	exit driver.Exit
	err  error
}

// Wait implements driver.Task: it waits for the streams, too.
func (j *joined) Wait(ctx context.Context) (driver.Exit, error) {
	select {
	case <-j.done:
	case <-ctx.Done():
		return driver.Exit{}, ctx.Err()
	}
	if j.err == nil || ctx.Err() != nil {
		return j.exit, j.err
	}
	return j.Task.Wait(ctx) // it ended between two looks
}

// Resize tells the terminal of a container's first process its new size.
func (m *Manager) Resize(ctx context.Context, id string, cols, rows uint16) error {
	task, err := m.runtime.Load(ctx, id)
	if err != nil {
		return err
	}
	r, ok := task.(driver.Resizer)
	if !ok {
		return unsupported("resize a terminal")
	}
	return r.Resize(ctx, cols, rows)
}
