package container

import (
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/respawn"
)

// course is a state on its way to what a task says, and the changes on that way.
type course struct {
	State
	steps []transition
}

func (c *course) step(to container.ContainerState) {
	t := transition{from: c.Status, to: to}
	if to == container.StateExited || to == container.StateRestarting {
		t.exit, t.oom = c.ExitCode, c.OOMKilled
	}
	c.Status = to
	c.steps = append(c.steps, t)
}

// follow gives the state after s when the task is as st says, and the changes on the way there. again says that an end is not the last one.
func follow(s State, st driver.Status, now time.Time, again bool) (State, []transition) {
	starting := s.Starting && !s.Live()
	c := course{State: s}
	c.Starting = false
	if starting && st.State == driver.Stopped && stamp(st.StartedAt) == s.StartedAt {
		starting = false // what is there is the run before
		if !s.Restarting {
			return c.State, nil
		}
	}
	switch st.State {
	case driver.Running, driver.Paused:
		c.runs(st, starting)
	case driver.Stopped:
		c.stopped(st, starting, now, again)
	default:
		c.lost(st, starting, now)
	}
	return c.State, c.steps
}

func (c *course) runs(st driver.Status, starting bool) {
	c.State = begun(c.State, st)
	if starting {
		c.step(container.StateRunning)
	}
	c.Paused = st.State == driver.Paused
	if to := live(c.Paused); c.Status != to {
		c.step(to)
	}
}

func (c *course) stopped(st driver.Status, starting bool, now time.Time, again bool) {
	if c.Restarting && !starting {
		if !st.Resting { // whoever was to start it again died, or was told not to
			c.rest()
		}
		return
	}
	if starting {
		c.State = begun(c.State, st)
		c.step(container.StateRunning)
	}
	c.State = ended(c.State, st.Exit, now)
	if !again {
		c.step(container.StateExited)
		return
	}
	c.Rested = respawn.Next(c.Rested, st.Exit.At.Sub(st.StartedAt))
	c.Running, c.Restarting = true, true // docker's two words for it
	c.RestartCount++
	c.step(container.StateRestarting)
}

// lost is for a task that is not there, or was never started.
func (c *course) lost(st driver.Status, starting bool, now time.Time) {
	switch {
	case c.Restarting:
		c.rest()
	case starting || st.State == driver.Ready: // nothing shows that it ever ran
	default:
		c.State = ended(c.State, driver.Exit{Code: codeLost}, now)
		c.Error = lostMessage
		c.step(container.StateExited)
	}
}

// rest ends a restart: the end before it was the last one.
func (c *course) rest() {
	c.Running, c.Restarting, c.Pid = false, false, 0
	c.step(container.StateExited)
}

func live(paused bool) container.ContainerState {
	if paused {
		return container.StatePaused
	}
	return container.StateRunning
}

// begun gives the state of a container that runs, without changing Status.
func begun(s State, st driver.Status) State {
	if !s.Running || s.Restarting {
		s.ExitCode, s.Error, s.OOMKilled, s.OOM, s.Paused = 0, "", false, nil, false
		s.StartedAt = stamp(st.StartedAt)
		s.HealthTold = 0
	}
	s.Running, s.Restarting, s.Pid = true, false, st.Pid
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
