package container

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/health"
)

// checkHealth refuses a health check that makes no sense, with docker's words.
func checkHealth(h *container.HealthConfig) error {
	if h == nil {
		return nil
	}
	for _, t := range []struct {
		name  string
		value time.Duration
	}{{"Interval", h.Interval}, {"Timeout", h.Timeout}, {"StartPeriod", h.StartPeriod}, {"StartInterval", h.StartInterval}} {
		if t.value != 0 && t.value < time.Millisecond {
			return invalid("%s in Healthcheck cannot be less than 1ms", t.name)
		}
	}
	if h.Retries < 0 {
		return invalid("Retries in Healthcheck cannot be negative")
	}
	if len(h.Test) == 0 {
		return nil
	}
	switch word, rest := h.Test[0], len(h.Test)-1; {
	case word != "NONE" && word != "CMD" && word != "CMD-SHELL":
		return invalid("unknown type '%s' in Healthcheck (try 'CMD')", word)
	case word == "CMD" && rest == 0:
		return invalid("the test of the Healthcheck has no command after CMD")
	case word == "CMD-SHELL" && rest != 1:
		return invalid("the test of the Healthcheck has %d words after CMD-SHELL: expected one line for the shell", rest)
	}
	return nil
}

// healthCheck turns docker's configuration into a check, or nil.
func healthCheck(c *container.Config) *driver.Health {
	h := c.Healthcheck
	if h == nil || len(h.Test) == 0 || checkHealth(h) != nil {
		return nil
	}
	argv := slices.Clone(h.Test[1:])
	switch h.Test[0] {
	case "NONE":
		return nil
	case "CMD-SHELL":
		shell := c.Shell
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		argv = append(slices.Clone(shell), argv...)
	}
	return &driver.Health{
		Test: argv, StartPeriod: h.StartPeriod, Interval: cmp.Or(h.Interval, health.DefaultInterval), Timeout: cmp.Or(h.Timeout, health.DefaultTimeout),
		StartInterval: cmp.Or(h.StartInterval, health.DefaultStartInterval), Retries: cmp.Or(h.Retries, health.DefaultRetries),
	}
}

// readHealth adds what the supervisor found to the state of a container that is checked.
func (m *Manager) readHealth(c *Container) {
	c.probes = nil
	if c.State.StartedAt == zeroTime || healthCheck(c.Config) == nil {
		return
	}
	r, ok := health.Read(m.dir(c.ID))
	if !ok { // of another run of the machine, or the supervisor has not come to it yet
		r = health.Begin(health.Record{})
	}
	if !c.State.Live() || c.State.Paused {
		r.Status = health.Unhealthy
	}
	c.probes = &r
	h := &container.Health{Status: container.HealthStatus(r.Status), FailingStreak: r.Streak, Log: make([]*container.HealthcheckResult, len(r.Log))}
	for i, l := range r.Log {
		h.Log[i] = &container.HealthcheckResult{Start: l.Start, End: l.End, ExitCode: l.ExitCode, Output: l.Output}
	}
	c.State.Health = h
}

// healthNews says that there are probes that the event log does not know.
func (m *Manager) healthNews(c *Container) bool {
	return m.Events != nil && c.probes != nil && c.probes.Probes > c.State.HealthTold
}

// tellHealth tells the probes that have not been told, as far as they are still known, and writes next with that said, or if it differs from
// the record's state. It is to be called under the lock.
func (m *Manager) tellHealth(c *Container, next State) error {
	news := m.healthNews(c)
	if !news && next == c.State {
		return nil
	}
	before := c.probes
	if news = news && next.HealthTold == c.State.HealthTold; news { // else it began anew: they are told at the next look
		next.HealthTold = before.Probes
	}
	told := c.State.HealthTold
	if err := m.writeState(c, next); err != nil || !news {
		return err
	}
	argv := healthCheck(c.Config).Test
	for n := max(told+1, before.Probes-16*health.MaxLog); n <= before.Probes; n++ { // changes are kept longer than results
		if i := len(before.Log) - 1 - (before.Probes - n); i >= 0 { // else it is forgotten
			res := before.Log[i]
			m.tellExec(c, newExecID(), argv, res.Start, res.End, res.ExitCode)
		}
		for _, ch := range before.Changes {
			if ch.Probe == n {
				m.tellAt(c, ch.At, events.Action("health_status: "+string(ch.Status)))
			}
		}
	}
	return nil
}

// tellExec tells docker's three events of a further process that ended.
func (m *Manager) tellExec(c *Container, id string, argv []string, start, end time.Time, code int) {
	m.tellExecBegins(c, id, argv, start)
	m.tellAt(c, end, events.ActionExecDie, "execID", id, "exitCode", strconv.Itoa(code))
}
