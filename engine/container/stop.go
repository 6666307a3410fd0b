package container

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

const (
	defaultStopTimeout = 10               // seconds, docker's
	killTimeout        = 10 * time.Second // how long a killed process may take to be gone
)

// StopOptions say how a container is stopped. The zero value is what the container says itself, else docker's default.
type StopOptions struct {
	Signal  string // a name or number; empty: the container's stop signal, else SIGTERM
	Timeout *int   // seconds until it is killed; negative: wait for ever; nil: the container's own, else 10
}

// Stop asks a container to end by its stop signal and kills it if it does not in time. Its restart policy does not bring it back. Stopping
// what does not run is no error; one that is restarting has exited then.
func (m *Manager) Stop(ctx context.Context, ref string, opts StopOptions) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	if err := m.stop(ctx, c, ref, opts); err != nil {
		return err
	}
	return m.settled(ctx, c)
}

// settled lets a container go that removes itself, after a stop or kill.
func (m *Manager) settled(ctx context.Context, c *Container) error {
	if !m.ephemeral(c) {
		return nil
	}
	return m.Cleanup(context.WithoutCancel(ctx), c.ID)
}

func (m *Manager) stop(ctx context.Context, c *Container, ref string, opts StopOptions) error {
	if c.Problem != nil {
		return c.Problem
	}
	sig := stopSignal(c)
	if opts.Signal != "" {
		var err error
		if sig, err = ParseSignal(opts.Signal); err != nil {
			return err
		}
	}
	if !c.State.Active() {
		return nil
	}
	if rested, err := m.stayDown(ctx, c.ID, true); err != nil || rested {
		if rested {
			m.tell(c, events.ActionStop)
		}
		return orGone(err)
	}
	if err := m.signal(ctx, c, sig, "stop"); err != nil {
		return fmt.Errorf("cannot stop container: %s: %w", ref, err)
	}
	ended, err := m.await(ctx, c.ID, stopTimeout(c, opts.Timeout))
	if err == nil && !ended {
		if err := m.signal(ctx, c, sigKill, "stop-timeout"); err != nil {
			return fmt.Errorf("cannot stop container: %s: %w", ref, err)
		}
		err = m.awaitKilled(ctx, c.ID)
	}
	if err == nil {
		m.tell(c, events.ActionStop)
	}
	return err
}

// orGone forgives that a container is gone: it removed itself when it ended.
func orGone(err error) error {
	if errors.As(err, new(*NotFoundError)) {
		return nil
	}
	return err
}

// stopTimeout is how long to wait, or a negative duration for ever.
func stopTimeout(c *Container, asked *int) time.Duration {
	seconds := defaultStopTimeout
	if c.Config.StopTimeout != nil {
		seconds = *c.Config.StopTimeout
	}
	if asked != nil {
		seconds = *asked
	}
	return time.Duration(seconds) * time.Second
}

// Restart stops a container as Stop does and starts it again. What does not run is only started.
func (m *Manager) Restart(ctx context.Context, ref string, opts StopOptions) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	if err := m.stop(ctx, c, ref, opts); err != nil {
		return err
	}
	failpoint.Hit("container.restart.stopped")
	err = m.Start(ctx, c.ID, StartOptions{})
	if m.ephemeral(c) && errors.As(err, new(*NotFoundError)) {
		return conflict("Cannot restart container %s: it was made with --rm and is gone since it stopped", c.Name)
	}
	if err == nil {
		m.tell(c, events.ActionRestart)
	}
	return err
}

// Kill sends a signal (a name with or without SIG, or a number; empty: SIGKILL) to a container's first process. After SIGKILL it
// waits until the container has ended. As in docker, any signal to a container without a stop signal of its own is taken as meant to end it:
// its restart policy does not bring it back, and if it is paused it goes on. Errors: *ConflictError when it does not run.
func (m *Manager) Kill(ctx context.Context, ref, sig string) error {
	s := sigKill
	if sig != "" {
		var err error
		if s, err = ParseSignal(sig); err != nil {
			return err
		}
	}
	c, err := m.own(ctx, ref)
	if err != nil {
		return fmt.Errorf("cannot kill container: %s: %w", ref, err)
	}
	if !c.State.Active() {
		return killNotRunning(ref, c)
	}
	rested, err := m.stayDown(ctx, c.ID, endsBy(c, s))
	if err != nil || rested || c.State.Restarting && !endsBy(c, s) {
		return err
	}
	err = m.signal(ctx, c, s, "kill")
	if errors.Is(err, driver.ErrNotRunning) {
		return killNotRunning(ref, c)
	}
	if err != nil {
		return fmt.Errorf("cannot kill container: %s: %w", ref, err)
	}
	if s != sigKill {
		return nil
	}
	if err := m.awaitKilled(ctx, c.ID); err != nil {
		return err
	}
	return m.settled(ctx, c)
}

func killNotRunning(ref string, c *Container) error {
	return conflict("cannot kill container: %s: container %s is not running", ref, c.ID)
}

// endsBy says that docker takes a signal as one that is to end the container.
func endsBy(c *Container, sig driver.Signal) bool {
	return sig == sigKill || c.Config.StopSignal == "" || sig == stopSignal(c)
}

// signal sends sig and, if it is meant to end a paused container, lets that run so that it can. A container that has
// ended meanwhile has got what a stop wants; only for kill it is an error.
func (m *Manager) signal(ctx context.Context, c *Container, sig driver.Signal, reason string) error {
	task, err := m.runtime.Load(ctx, c.ID)
	if err == nil {
		err = driver.Send(ctx, task, sig, reason)
	}
	if errors.Is(err, driver.ErrNotRunning) || errors.Is(err, driver.ErrNotFound) {
		if reason == "kill" {
			return driver.ErrNotRunning
		}
		return nil
	}
	if err != nil {
		return err
	}
	m.tell(c, events.ActionKill, "signal", strconv.Itoa(int(sig)))
	trace.Fact(ctx, vocab.ContainerSignal, trace.String("container", c.ID), trace.String("signal", SignalName(sig)), trace.String("reason", reason))
	if c.State.Paused && (reason == "stop" || endsBy(c, sig)) {
		return m.thaw(ctx, c.ID)
	}
	return nil
}

// await waits until the container has ended and its record says so; false if it has not after timeout. Negative waits for ever.
func (m *Manager) await(ctx context.Context, id string, timeout time.Duration) (bool, error) {
	task, err := m.runtime.Load(ctx, id)
	if err == nil {
		_, err = driver.WaitFor(ctx, task, timeout)
	}
	if err != nil && ctx.Err() != nil {
		return false, ctx.Err()
	}
	c, findErr := m.Find(ctx, id)
	if errors.As(findErr, new(*NotFoundError)) { // it removed itself
		return true, nil
	}
	if findErr != nil {
		return false, findErr
	}
	if !c.State.Live() {
		return true, nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	return false, err
}

func (m *Manager) awaitKilled(ctx context.Context, id string) error {
	ended, err := m.await(ctx, id, killTimeout)
	if err == nil && !ended {
		err = fmt.Errorf("container %s does not end although it was killed", id)
	}
	return err
}
