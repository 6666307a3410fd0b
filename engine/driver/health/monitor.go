package health

import (
	"sync"
	"time"
)

// Host is what a monitor needs of the machine.
type Host struct {
	Now func() time.Time
	// After calls f after d, unless stop comes before.
	After func(d time.Duration, f func()) (stop func() bool)
	// Probe runs argv in the container as its own user and gives its exit code and the beginning of its output. When cancel is closed it
	// kills what runs, and returns soon.
	Probe func(argv []string, cancel <-chan struct{}) (code int, output string, err error)
	// Ending says that the container's first process has ended, or is about to and takes the others along. Stop is sure to follow.
	Ending func() bool
	// Keep writes the record down. res is the probe that changed it, nil for none; changed tells that the status is another one.
	Keep func(r Record, res *Result, changed bool)
}

// Monitor probes a container from Start on until Stop. Its methods may be called from many goroutines.
type Monitor struct {
	check   *Check
	host    Host
	started time.Time
	orders  chan order
	obeyed  chan struct{} // one for each order
	over    chan struct{}
	stop    sync.Once
}

type order int

const (
	pause order = iota
	resume
	end
)

// Start begins to probe a container that runs since started. before is the record of its last run.
func Start(c *Check, h Host, started time.Time, before Record) *Monitor {
	m := &Monitor{check: c, host: h, started: started, orders: make(chan order), obeyed: make(chan struct{}), over: make(chan struct{})}
	r := Begin(before)
	h.Keep(r, nil, true)
	go m.run(r, m.arm(r)) // armed here: the interval begins with the start, however late the goroutine gets its turn
	return m
}

// Pause breaks off a probe and begins none until Resume; the record says so when it returns. A nil monitor does nothing, here and in the other methods.
func (m *Monitor) Pause() { m.order(pause) }

// Resume has the next probe made an interval from now.
func (m *Monitor) Resume() { m.order(resume) }

// Stop breaks off a probe and ends the monitor. It returns when the last record is kept.
func (m *Monitor) Stop() {
	if m == nil {
		return
	}
	m.stop.Do(func() { m.order(end) })
	<-m.over
}

func (m *Monitor) order(o order) {
	if m == nil {
		return
	}
	select {
	case m.orders <- o:
	case <-m.over:
		return
	}
	select {
	case <-m.obeyed:
	case <-m.over:
	}
}

// run is the monitor's goroutine. w is the wait for the first probe.
func (m *Monitor) run(r Record, w wait) {
	defer close(m.over)
	paused := false
	for {
		var o order
		if paused {
			o = <-m.orders
		} else {
			var res *Result
			if o, res = m.next(w); res != nil {
				changed := false
				r, changed = m.check.count(r, *res, m.started)
				m.host.Keep(r, res, changed)
				w = m.arm(r)
				continue
			}
		}
		switch paused = o == pause; {
		case o == end, paused:
			if changed := r.Status != Unhealthy; changed { // docker's word for a container that nobody probes
				r.Status = Unhealthy
				m.host.Keep(r, nil, true)
			}
		}
		if o == end {
			return
		}
		if !paused {
			w = m.arm(r)
		}
		m.obeyed <- struct{}{}
	}
}

// wait is for the time of a probe.
type wait struct {
	due  <-chan struct{} // closed at that time
	stop func() bool
}

func (m *Monitor) arm(r Record) wait {
	due := make(chan struct{})
	return wait{due, m.host.After(m.check.wait(r, m.started, m.host.Now()), func() { close(due) })}
}

// next waits for the time of the next probe and makes it, or gives the order that came before it ended.
func (m *Monitor) next(w wait) (order, *Result) {
	defer w.stop()
	select {
	case o := <-m.orders:
		return o, nil
	case <-w.due:
	}
	return m.probe()
}

// outcome is what Host.Probe returned.
type outcome struct {
	code   int
	output string
	err    error
}

func (m *Monitor) probe() (order, *Result) {
	res := &Result{Start: m.host.Now().UTC()}
	cancel, ended, late := make(chan struct{}), make(chan outcome, 1), make(chan struct{})
	go func() {
		code, output, err := m.host.Probe(m.check.Test, cancel)
		ended <- outcome{code, output, err}
	}()
	stop := m.host.After(m.check.Timeout, func() { close(late) })
	defer stop()
	var out outcome
	select {
	case o := <-m.orders:
		close(cancel)
		<-ended
		return o, nil
	case <-late:
		close(cancel)
		out = <-ended
		res.ExitCode, res.Output = -1, m.check.tooLong(out.output)
	case out = <-ended:
		res.ExitCode, res.Output = out.code, out.output
		if out.err != nil {
			res.ExitCode, res.Output = -1, out.err.Error()
		}
	}
	if m.host.Ending() { // and the probe with it: that says nothing of how the container was
		return <-m.orders, nil
	}
	res.End = m.host.Now().UTC()
	return 0, res
}
