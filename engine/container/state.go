package container

import (
	"context"
	"errors"
	"time"

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
	if c.Problem != nil || m.foreign(c) != nil || !c.State.Live() && !c.State.Starting {
		return c, nil
	}
	if c.State.Starting && m.busy(c.ID) { // its starter is alive and will tell
		return c, nil
	}
	task, st, err := m.ask(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if agrees(c.State, st) {
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
	case s.Paused:
		return st.State == driver.Paused
	}
	return s.Running && st.State == driver.Running
}

// settle writes down what the task says, under the lock, and then tells what changed. What the supervisor saw is told first.
func (m *Manager) settle(ctx context.Context, id string, task driver.Task) (*Container, error) {
	var after *Container
	var done []transition
	err := m.locked(ctx, id, func(c *Container) error {
		after = c
		if c.Problem != nil || !c.State.Live() && !c.State.Starting {
			return nil // another process was faster
		}
		current, st, err := m.ask(ctx, id)
		if err != nil || agrees(c.State, st) {
			return err
		}
		if st.State == driver.Ready { // its starter died before it ran
			if err := current.Delete(ctx); err != nil {
				return err
			}
		}
		next, steps := follow(c.State, st, m.now())
		if err := m.writeState(c, next); err != nil {
			return err
		}
		done = steps
		return nil
	})
	if err != nil {
		return after, err
	}
	if len(done) > 0 {
		importEvents(ctx, task)
	}
	m.announce(ctx, id, done)
	return after, nil
}

// importEvents fetches what the supervisor recorded. That the record is right does not depend on it.
func importEvents(ctx context.Context, task driver.Task) {
	if e, ok := task.(driver.Eventer); ok && trace.From(ctx) != nil { // a nil task is no Eventer
		_ = e.Events(ctx)
	}
}

// follow gives the state after s when the task is as st says, and the changes on the way there.
func follow(s State, st driver.Status, now time.Time) (State, []transition) {
	starting := s.Starting && !s.Live()
	s.Starting = false
	var steps []transition
	step := func(to container.ContainerState) {
		t := transition{from: s.Status, to: to}
		if to == container.StateExited {
			t.exit, t.oom = s.ExitCode, s.OOMKilled
		}
		s.Status = to
		steps = append(steps, t)
	}
	switch st.State {
	case driver.Ready:
		return s, nil
	case driver.Running, driver.Paused:
		s = begun(s, st)
		if starting {
			step(container.StateRunning)
		}
		s.Paused = st.State == driver.Paused
		if to := live(s.Paused); s.Status != to {
			step(to)
		}
		return s, steps
	case driver.Stopped:
		if starting {
			s = begun(s, st)
			step(container.StateRunning)
		}
		s = ended(s, st.Exit, now)
	default:
		if starting {
			return s, nil // nothing shows that it ever ran
		}
		s = ended(s, driver.Exit{Code: codeLost}, now)
		s.Error = lostMessage
	}
	step(container.StateExited)
	return s, steps
}

func live(paused bool) container.ContainerState {
	if paused {
		return container.StatePaused
	}
	return container.StateRunning
}

// begun gives the state of a container that runs, without changing Status.
func begun(s State, st driver.Status) State {
	if !s.Running {
		s.ExitCode, s.Error, s.OOMKilled, s.OOM, s.Paused = 0, "", false, nil, false
		s.StartedAt = stamp(st.StartedAt)
	}
	s.Running, s.Pid = true, st.Pid
	return s
}

// ended gives the state of a container that ended, without changing Status.
func ended(s State, exit driver.Exit, now time.Time) State {
	at := exit.At
	if at.IsZero() {
		at = now
	}
	s.Running, s.Paused, s.Pid = false, false, 0
	s.ExitCode, s.OOMKilled, s.OOM, s.FinishedAt = exit.Code, exit.OOMKilled, exit.OOM, stamp(at)
	return s
}

func stamp(t time.Time) string {
	if t.IsZero() {
		t = time.Now()
	}
	return t.UTC().Format(time.RFC3339Nano)
}
