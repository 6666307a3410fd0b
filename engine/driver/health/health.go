// Package health is docker's health check of a container (Dockerfile reference, HEALTHCHECK): when it is probed, what the outcomes come to,
// and the file that says so. Supervisors of both drivers use it.
//
// It runs no process and knows no clock: those are its Host's. It tells nobody what it finds: whoever looks at the container reads the file.
//
// Invariants: probes do not overlap; none runs while the container is paused; a Record counts every probe that came to its end by itself or by its
// timeout, and none that was cut short: by a pause, or because the container ended.
package health

import (
	"fmt"
	"slices"
	"time"
)

// Check is how a supervisor finds out whether the container does its work. All times are of the machine's clock and not zero but StartPeriod.
type Check struct {
	Test          []string      `json:"test"` // argv; its exit code 0 is healthy
	Interval      time.Duration `json:"interval_ns"`
	Timeout       time.Duration `json:"timeout_ns"`
	StartPeriod   time.Duration `json:"start_period_ns,omitempty"` // failures in it do not count, until the first success
	StartInterval time.Duration `json:"start_interval_ns"`         // between probes in StartPeriod
	Retries       int           `json:"retries"`                   // failures in a row that make it unhealthy
}

// Docker's values for what a check leaves out.
const (
	DefaultInterval      = 30 * time.Second
	DefaultTimeout       = 30 * time.Second
	DefaultStartInterval = 5 * time.Second
	DefaultRetries       = 3
)

// Status is docker's word for how a container is.
type Status string

// The statuses. A container that is paused, or has ended, is unhealthy: nobody probes it.
const (
	Starting  Status = "starting"
	Healthy   Status = "healthy"
	Unhealthy Status = "unhealthy"
)

// Bounds of a record.
const (
	MaxLog     = 5    // results that are kept
	MaxOutput  = 4096 // bytes of a probe's output
	maxChanges = 16
)

// Result is what one probe came to.
type Result struct {
	Start, End time.Time
	ExitCode   int // -1: it took too long, or could not be run
	Output     string
}

// Change is a change of the status, by the probe with that number.
type Change struct {
	Status Status    `json:"status"`
	Probe  int       `json:"probe"`
	At     time.Time `json:"at"`
}

// Record is health.json.
type Record struct {
	Status  Status   `json:"status"`
	Streak  int      `json:"streak,omitempty"` // failures in a row
	Log     []Result `json:"log,omitempty"`    // the last ones, oldest first
	Probes  int      `json:"probes"`           // how many have been counted since the container was started
	Changes []Change `json:"changes,omitempty"`
}

// Begin is the record of a container that was just started; of the run before only the log is left.
func Begin(before Record) Record { return Record{Status: Starting, Log: before.Log} }

// wait is how long the next probe is to be waited for.
func (c *Check) wait(r Record, started, now time.Time) time.Duration {
	if r.Status == Starting && now.Sub(started) < c.StartPeriod {
		return c.StartInterval
	}
	return c.Interval
}

// count adds a result to the record, and tells whether the status changed.
func (c *Check) count(r Record, res Result, started time.Time) (Record, bool) {
	before := r.Status
	r.Probes++
	r.Log = append(slices.Clone(r.Log[max(0, len(r.Log)+1-MaxLog):]), res)
	switch {
	case res.ExitCode == 0:
		r.Streak, r.Status = 0, Healthy
	case r.Status == Starting && res.Start.Sub(started) < c.StartPeriod: // it does not count yet
	default:
		if r.Streak++; r.Streak >= c.Retries {
			r.Status = Unhealthy
		}
	}
	if r.Status == before {
		return r, false
	}
	r.Changes = append(slices.Clone(r.Changes[max(0, len(r.Changes)+1-maxChanges):]), Change{r.Status, r.Probes, res.End})
	return r, true
}

// tooLong is the output of a probe that was broken off.
func (c *Check) tooLong(output string) string {
	said := fmt.Sprintf("Health check exceeded timeout (%v)", c.Timeout)
	if output != "" {
		said += ": " + output
	}
	return said
}
