package container

import (
	"context"
	"errors"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
)

// checkRestart refuses a policy that makes no sense, with docker's words.
func checkRestart(h *container.HostConfig) error {
	if err := checkPolicy(h.RestartPolicy); err != nil {
		return err
	}
	if h.AutoRemove && restarts(h) {
		return conflict("can't create 'AutoRemove' container with restart policy")
	}
	return nil
}

func checkPolicy(p container.RestartPolicy) error {
	switch p.Name {
	case "", container.RestartPolicyDisabled, container.RestartPolicyAlways, container.RestartPolicyUnlessStopped:
		if p.MaximumRetryCount != 0 {
			return invalid("maximum retry count cannot be used with restart policy '%s'", p.Name)
		}
	case container.RestartPolicyOnFailure:
		if p.MaximumRetryCount < 0 {
			return invalid("maximum retry count cannot be negative")
		}
	default:
		return invalid("invalid restart policy '%s'", p.Name)
	}
	return nil
}

func restarts(h *container.HostConfig) bool {
	return h.RestartPolicy.Name != "" && h.RestartPolicy.Name != container.RestartPolicyDisabled
}

// again says that the policy has the container started again after an end, and that somebody is there to do it.
func (m *Manager) again(c *Container, st driver.Status) bool {
	if st.State != driver.Stopped || !st.Resting || c.State.StaysDown {
		return false
	}
	p := c.HostConfig.RestartPolicy
	switch p.Name {
	case container.RestartPolicyAlways:
		return true
	case container.RestartPolicyUnlessStopped:
		return !c.State.HasBeenManuallyStopped
	case container.RestartPolicyOnFailure:
		return st.Exit.Code != 0 && retriesLeft(c)
	}
	return false
}

func retriesLeft(c *Container) bool {
	most := c.HostConfig.RestartPolicy.MaximumRetryCount
	return most == 0 || c.State.RestartCount < most
}

// orphaned says that the policy wants a container at rest started, whose last run nobody ended on purpose and nobody is there to follow up:
// the machine was started anew, or its supervisor died. As in docker, always means also one that was stopped by hand.
func orphaned(c *Container) bool {
	if c.Problem != nil || c.State.Active() || c.State.Starting || c.State.Removing || c.State.StartedAt == zeroTime {
		return false
	}
	switch c.HostConfig.RestartPolicy.Name {
	case container.RestartPolicyAlways:
		return true
	case container.RestartPolicyUnlessStopped:
		return !c.State.HasBeenManuallyStopped
	case container.RestartPolicyOnFailure:
		return c.State.ExitCode != 0 && retriesLeft(c)
	}
	return false
}

// StartByPolicy starts every container that its restart policy wants to run and that does not, because the machine was started anew or its
// supervisor died: what docker's daemon does when it starts. It gives the names of those that it started; what went wrong with others is
// in the error.
func (m *Manager) StartByPolicy(ctx context.Context) ([]string, error) {
	all, err := m.List(ctx, true)
	if err != nil {
		return nil, err
	}
	var started []string
	var problems []error
	for i := len(all) - 1; i >= 0; i-- { // oldest first
		c := &all[i]
		if m.foreign(c) != nil || !orphaned(c) {
			continue
		}
		if err := m.Start(ctx, c.ID, StartOptions{}); err != nil && !errors.As(err, new(*NotFoundError)) {
			problems = append(problems, err)
			continue
		}
		started = append(started, c.Name)
	}
	return started, errors.Join(problems...)
}

// Again starts a container again whose policy says that its end was not the last one: the work of AgainCommand. The rest is over
// by then. One that somebody stopped, started or removed meanwhile is left alone.
func (m *Manager) Again(ctx context.Context, id string) error {
	unlock, err := m.lock(ctx, id)
	if err == nil {
		unlock() // whoever started it has written down that it ran: a short program can be faster
	}
	c, err := m.own(ctx, id)
	if err == nil && c.State.Restarting {
		err = m.start(ctx, id, startAgain, driver.Streams{})
	}
	if errors.As(err, new(*NotFoundError)) {
		return nil
	}
	return err
}

// stayDown has the end of the present run, or the rest after it, be the last one. It reports whether the container was resting: then it
// has exited now.
func (m *Manager) stayDown(ctx context.Context, id string, down bool) (rested bool, err error) {
	var done []transition
	err = m.locked(ctx, id, func(c *Container) error {
		if c.Problem != nil || !c.State.Active() {
			return nil
		}
		next := course{State: c.State}
		next.HasBeenManuallyStopped = true
		next.StaysDown = next.StaysDown || down
		if rested = next.Restarting && next.StaysDown; rested {
			next.rest()
		}
		if err := m.writeState(c, next.State); err != nil {
			return err
		}
		failpoint.Hit("container.stop.marked")
		if done = next.steps; !rested {
			return m.restNoMore(ctx, c, next.StaysDown)
		}
		if err := m.leaveNetworks(ctx, c); err != nil {
			return err
		}
		task, err := m.runtime.Load(ctx, id)
		if err != nil {
			return nil // it is gone already
		}
		return dismiss(ctx, task)
	})
	m.announce(ctx, id, done)
	return rested, err
}

// restNoMore has the supervisor of a running container end with it if it stays down, instead of resting until somebody finds that out.
func (m *Manager) restNoMore(ctx context.Context, c *Container, down bool) error {
	if !down || !restarts(c.HostConfig) {
		return nil
	}
	task, err := m.runtime.Load(ctx, c.ID)
	if err != nil {
		return nil // it is gone already
	}
	r, ok := task.(driver.Rester)
	if !ok {
		return nil
	}
	if err := r.SetOnEnd(ctx, nil, c.State.Rested); !errors.Is(err, driver.ErrNotRunning) {
		return err
	}
	return nil
}

// dismiss lets the supervisor of an ended task go that rests before it starts the container again.
func dismiss(ctx context.Context, task driver.Task) error {
	if r, ok := task.(driver.Rester); ok {
		return r.Dismiss(context.WithoutCancel(ctx))
	}
	return nil
}

// policyChanged tells the supervisor of a running container that HostConfig.RestartPolicy has changed (docker update --restart). It is to
// be called under the container's lock, after the record was written.
func (m *Manager) policyChanged(ctx context.Context, c *Container) error {
	if !c.State.Live() {
		return nil
	}
	task, err := m.runtime.Load(ctx, c.ID)
	if err != nil {
		return err
	}
	r, ok := task.(driver.Rester)
	if !ok {
		return unsupported("change the restart policy of a running container")
	}
	var command []string
	if restarts(c.HostConfig) && m.AgainCommand != nil {
		command = m.AgainCommand(c.ID)
	}
	err = r.SetOnEnd(ctx, command, c.State.Rested)
	if errors.Is(err, driver.ErrNotRunning) {
		return nil // it ended meanwhile, and the next look finds that
	}
	return err
}
