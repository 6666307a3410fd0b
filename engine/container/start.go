package container

import (
	"context"
	"errors"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// StartOptions say how a container is started.
type StartOptions struct {
	Streams driver.Streams // connected until the container ends or ctx does
	Attach  bool           // if it runs already, connect Streams to it
}

// Start runs a container's first process and returns when it has been executed; Wait tells when it ended. Starting what runs is
// no error. Errors: *ConflictError for a paused or vanishing container; *driver.CommandError when the command cannot be
// executed: the record then holds its code and message. A container that removes itself is removed when it cannot start.
func (m *Manager) Start(ctx context.Context, ref string, opts StartOptions) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	if c.State.Running && !c.State.Paused {
		if opts.Attach {
			return m.join(ctx, c, opts.Streams)
		}
		return nil
	}
	if err := startable(c); err != nil {
		return err
	}
	if attached(opts.Streams) {
		m.tell(c, events.ActionAttach)
	}
	err = m.start(ctx, c.ID, startByHand, opts.Streams)
	if err != nil && m.ephemeral(c) {
		if rm := m.Remove(context.WithoutCancel(ctx), c.ID, true); !errors.As(rm, new(*NotFoundError)) {
			err = errors.Join(err, rm)
		}
	}
	return err
}

func attached(s driver.Streams) bool { return s.Stdin != nil || s.Stdout != nil || s.Stderr != nil }

// cause is who starts a container.
type cause int

const (
	startByHand cause = iota
	startAgain        // its restart policy
)

func startable(c *Container) error {
	switch {
	case c.Problem != nil:
		return c.Problem
	case c.State.Removing:
		return conflict("container is marked for removal and cannot be started")
	case c.State.Paused:
		return conflict("cannot start a paused container, try unpause instead")
	}
	return nil
}

// launch is one start and what it came to.
type launch struct {
	cause cause
	task  driver.Task
	pid   int
	done  []transition
}

func (m *Manager) start(ctx context.Context, id string, why cause, streams driver.Streams) error {
	inner, end := trace.Step(ctx, vocab.ContainerStart, trace.String("container", id))
	l := launch{cause: why}
	err := m.locked(inner, id, func(c *Container) error {
		switch {
		case why == startAgain && !c.State.Restarting: // somebody stopped it, or was faster
			return nil
		case why == startByHand && c.State.Running && !c.State.Paused:
			l.pid = c.State.Pid
			return nil
		}
		if err := startable(c); err != nil {
			return err
		}
		return m.launch(inner, c, streams, &l)
	})
	if err == nil {
		err = m.launched(id)
	}
	m.announce(inner, id, l.done) // the task has told by itself what its supervisor saw until it ran
	end(err, trace.Int("pid", int64(l.pid)))
	return err
}

// launch makes the task and runs it, under the lock. The mark in the record lets anybody find out what became of a start
// whose process died.
func (m *Manager) launch(ctx context.Context, c *Container, streams driver.Streams, l *launch) error {
	before := c.State
	if l.cause == startByHand {
		c.State.RestartCount, c.State.Rested, c.State.HasBeenManuallyStopped, c.State.StaysDown = 0, 0, false, false
	}
	fresh := c.State
	spec, err := m.spec(ctx, c)
	if err != nil {
		return m.startFailed(ctx, c, before, err, l)
	}
	mark := fresh
	mark.Starting = true
	if err := m.writeState(c, mark); err != nil {
		return err
	}
	failpoint.Hit("container.start.marked")
	if err := m.joinNetworks(ctx, c, &spec); err != nil {
		return m.startFailed(ctx, c, before, err, l)
	}
	l.task, err = m.task(ctx, spec)
	if err != nil {
		return m.startFailed(ctx, c, before, err, l)
	}
	failpoint.Hit("container.start.created")
	if err := l.task.Start(ctx, streams); err != nil {
		importEvents(ctx, l.task)
		err = errors.Join(m.portConflict(ctx, c, spec.Net, err), l.task.Delete(context.WithoutCancel(ctx)))
		return m.startFailed(ctx, c, before, err, l)
	}
	failpoint.Hit("container.start.started")
	m.connect(c.ID, nil)
	if attached(streams) {
		m.connect(c.ID, l.task)
	}
	return m.recordStart(ctx, c, fresh, l)
}

// recordStart writes that the container runs. A program that has ended already is still said to have run; the next look finds
// its end.
func (m *Manager) recordStart(ctx context.Context, c *Container, before State, l *launch) error {
	st, err := l.task.Status(ctx)
	if err != nil {
		return err
	}
	l.pid = st.Pid
	next := begun(before, st)
	next.Starting, next.Status = false, container.StateRunning
	if err := m.writeState(c, next); err != nil {
		return err
	}
	failpoint.Hit("container.start.recorded")
	l.done = []transition{{from: before.Status, to: container.StateRunning}}
	m.tellSteps(ctx, c, l.done)
	return nil
}

// task makes the task of a start. An earlier run's task, or that of a start that died, makes room.
func (m *Manager) task(ctx context.Context, spec driver.Spec) (driver.Task, error) {
	task, err := m.runtime.Create(ctx, spec)
	if !errors.Is(err, driver.ErrExists) {
		return task, err
	}
	old, err := m.runtime.Load(ctx, spec.ID)
	if err == nil {
		importEvents(ctx, old) // the last chance
		err = old.Delete(ctx)
	}
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		return nil, err
	}
	return m.runtime.Create(ctx, spec)
}

// startFailed records why a start failed. The container stays in the state it was in, as docker has it, with the code that
// run returns.
func (m *Manager) startFailed(ctx context.Context, c *Container, before State, err error, l *launch) error {
	before.ExitCode, before.Error = codeNoStart, err.Error()
	var cmd *driver.CommandError
	if errors.As(err, &cmd) {
		before.ExitCode, before.Error = cmd.Code, cmd.Msg
	}
	before.Starting = false
	if before.Status == container.StateExited {
		before.FinishedAt = stamp(m.now())
	}
	from := before.Status
	if before.Restarting { // its policy has no second try
		before.Running, before.Restarting, before.Status = false, false, container.StateExited
	}
	l.done = []transition{{from: from, to: before.Status, exit: before.ExitCode}}
	return errors.Join(err, m.writeState(c, before), m.leaveNetworks(context.WithoutCancel(ctx), c))
}
