package container

import (
	"context"
	"errors"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// transition is one change of state that has been written to the record and is to be announced.
type transition struct {
	from, to container.ContainerState
	exit     int
	oom      bool
}

// announce records transitions. It must be called without the container's lock, by the one process that wrote them.
func (m *Manager) announce(ctx context.Context, id string, done []transition) {
	for _, t := range done {
		m.tellVolumes(ctx, id, t)
		trace.Fact(ctx, vocab.ContainerState, trace.String("container", id), trace.String("from", string(t.from)),
			trace.String("to", string(t.to)), trace.Int("exit_code", int64(t.exit)), trace.Bool("oom_killed", t.oom))
	}
}

// refresh brings the record up to date with the task, if it speaks of one.
func (m *Manager) refresh(ctx context.Context, c *Container) (*Container, error) {
	if c.Problem != nil || m.foreign(c) != nil || !c.State.Active() && !c.State.Starting {
		return c, nil
	}
	if c.State.Starting && m.busy(c.ID) { // its starter is alive and will tell
		return c, nil
	}
	task, st, err := m.ask(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	c.Net = st.Net
	if agrees(c.State, st) && !m.healthNews(c) {
		importEvents(ctx, task) // what it did meanwhile is told while it runs
		return c, nil
	}
	return m.settle(ctx, c.ID, task)
}

// ask asks the runtime how the task of id is. A task that is not there any more is lost.
func (m *Manager) ask(ctx context.Context, id string) (driver.Task, driver.Status, error) {
	task, err := m.runtime.Load(ctx, id)
	if errors.Is(err, driver.ErrNotFound) {
		return nil, driver.Status{State: driver.Lost}, nil
	}
	if err != nil {
		return nil, driver.Status{}, err
	}
	st, err := task.Status(ctx)
	if errors.Is(err, driver.ErrNotFound) {
		return nil, driver.Status{State: driver.Lost}, nil
	}
	return task, st, err
}

func agrees(s State, st driver.Status) bool {
	switch {
	case s.Starting:
		return false
	case s.Restarting:
		return st.State == driver.Stopped && st.Resting
	case s.Paused:
		return st.State == driver.Paused
	}
	return s.Running && st.State == driver.Running
}

// settle writes down what the task says, under the lock, and then tells what changed. What the supervisor saw is told first of all: that the
// container's addresses are given back follows from it.
func (m *Manager) settle(ctx context.Context, id string, task driver.Task) (*Container, error) {
	var after *Container
	var done []transition
	err := m.locked(ctx, id, func(c *Container) error {
		after = c
		if c.Problem != nil || !c.State.Active() && !c.State.Starting {
			return nil // another process was faster
		}
		current, st, err := m.ask(ctx, id)
		if err != nil {
			return err
		}
		c.Net = st.Net
		if agrees(c.State, st) {
			return m.tellHealth(c, c.State)
		}
		if st.State == driver.Ready { // its starter died before it ran
			if err := current.Delete(ctx); err != nil {
				return err
			}
		}
		importEvents(ctx, task)
		done, err = m.settleTo(ctx, c, current, st)
		return err
	})
	if err != nil {
		return after, err
	}
	m.announce(ctx, id, done)
	return after, nil
}

// settleTo writes down that the task is as st says. Who does not run again needs no supervisor any more.
func (m *Manager) settleTo(ctx context.Context, c *Container, task driver.Task, st driver.Status) ([]transition, error) {
	next, done := follow(c.State, st, m.now(), m.again(c, st))
	if err := m.tellHealth(c, next); err != nil { // which also writes the state
		return nil, err
	}
	m.tellSteps(ctx, c, done)
	if err := m.leaveNetworks(ctx, c); err != nil {
		return done, err
	}
	if st.Resting && !next.Restarting {
		return done, dismiss(ctx, task)
	}
	return done, nil
}

// importEvents fetches what the supervisor recorded. That the record is right does not depend on it.
func importEvents(ctx context.Context, task driver.Task) {
	if e, ok := task.(driver.Eventer); ok && trace.From(ctx) != nil { // a nil task is no Eventer
		_ = e.Events(ctx)
	}
}
