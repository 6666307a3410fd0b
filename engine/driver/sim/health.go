package sim

import (
	"context"
	"io"
	"time"

	"github.com/learn-containers/learn/engine/driver/health"
	"github.com/learn-containers/learn/engine/driver/sim/kernel"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// watchHealth begins to probe the container, if it is to be.
func (h *host) watchHealth() {
	if h.spec.Health == nil {
		return
	}
	before, _ := health.Read(h.spec.Dir)
	h.monitor = health.Start(h.spec.Health, health.Host{
		Now:    h.machine.clock.Now,
		After:  h.box.AfterFunc,
		Probe:  h.probe,
		Ending: h.box.Ending,
		Keep:   h.keepHealth,
	}, h.record.StartedAt, before)
}

// keepHealth writes down what was found out.
func (h *host) keepHealth(r health.Record, res *health.Result, changed bool) {
	if err := health.Write(h.spec.Dir, r); err != nil {
		h.complain("write down health", err)
	}
	if res != nil {
		h.events.Fact(vocab.HealthProbe, trace.String("container", h.spec.ID), trace.Strings("argv", h.spec.Health.Test), trace.Int("exit_code", int64(res.ExitCode)))
	}
	if changed {
		h.events.Fact(vocab.HealthState, trace.String("container", h.spec.ID), trace.String("status", string(r.Status)), trace.Int("streak", int64(r.Streak)))
	}
}

// probeGrace bounds the wait for the output of a probe that ended: something that it left behind may hold the pipe open.
const probeGrace = 200 * time.Millisecond

// probe runs one check as a further process of the container and keeps the beginning of what it says. Its output goes past the log.
func (h *host) probe(argv []string, cancel <-chan struct{}) (int, string, error) {
	out, in := h.machine.kernel.Pipe()
	c := kernel.ProcessConfig{Process: h.spec.Process, Stdin: noInput{}, Stdout: in, Stderr: in}
	c.Args, c.Terminal = argv, false
	p, err := h.box.Start(c)
	if err != nil {
		_ = in.Close()
		_ = out.Close()
		return 0, "", err
	}
	defer p.Settled()
	var said health.Output
	copied := make(chan struct{})
	go func() { _, _ = io.Copy(&said, out); close(copied) }()
	ended := make(chan struct{})
	go func() { _, _ = p.Wait(context.Background()); close(ended) }()
	select {
	case <-ended:
	case <-cancel:
		const sigKILL = 9
		_ = p.Signal(sigKILL)
		<-ended
	}
	late := time.AfterFunc(probeGrace, func() { _ = out.Close() })
	<-copied
	late.Stop()
	_ = out.Close()
	exit, _ := p.Wait(context.Background())
	return exit.Code, said.String(), nil
}
