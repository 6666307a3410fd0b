package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/kernel"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Start implements driver.Task.
func (t *task) Start(ctx context.Context, streams driver.Streams) error {
	if t.spec == nil {
		return fmt.Errorf("start %s: this task was loaded, not created", t.id)
	}
	if err := checkProcess(t.spec.Process); err != nil {
		return fmt.Errorf("start %s: %w", t.id, err)
	}
	o := &orders{Home: t.runtime.home.Root(), Spec: *t.spec, Trace: trace.From(ctx) != nil}
	if len(t.spec.OnExit)+len(t.spec.OnEnd) > 0 {
		o.OnExitEnv = ownEnv()
	}
	failpoint.Hit("sim.start.before-host")
	w, err := t.runtime.launch(ctx, o)
	if err != nil {
		return t.startError(err)
	}
	failpoint.Hit("sim.start.after-host")
	l, err := newLink(w, request{Do: doStart, Detach: unattended(streams)}, streams)
	if err != nil {
		return t.startError(err)
	}
	r, err := l.receive(ctx)
	t.handOutThrough(ctx, vocab.ProcExec) // what the program does comes after the news that it runs
	if err == nil {
		err = t.replyError(r)
	}
	if err != nil {
		l.close()
		return t.startError(err)
	}
	t.keep(ctx, l, streams)
	return nil
}

// launch makes a host for the container, in this process or in one of its own, and connects to it.
func (r *Runtime) launch(ctx context.Context, o *orders) (*wire, error) {
	if !r.options.InProcess {
		return r.spawn(o)
	}
	release, err := holdLife(ctx, o.Spec.Dir)
	if err != nil {
		return nil, err
	}
	h := newHost(r.machine, r.trees, o, "")
	if r.options.Run != nil {
		h.run = r.run
	}
	if err := r.keep(h); err != nil {
		release()
		return nil, err
	}
	near, far := net.Pipe()
	go func() {
		defer r.living.Done()
		defer release()
		defer r.drop(h)
		if h.serveStart(newWire(far), h.prepare(context.WithoutCancel(ctx))) {
			h.finish(func() { r.drop(h); release() })
		}
	}()
	return newWire(near), nil
}

// run has Options.Run do its work; Close waits for it. The caller's host is alive, and so waited for as well.
func (r *Runtime) run(argv []string) (<-chan struct{}, error) {
	over := make(chan struct{})
	r.living.Add(1)
	go func() {
		defer r.living.Done()
		defer close(over)
		r.options.Run(argv)
	}()
	return over, nil
}

// startError adds what a supervisor that died left on its standard error.
func (t *task) startError(err error) error {
	var cmd *driver.CommandError
	if errors.As(err, &cmd) {
		return err
	}
	if errors.Is(err, io.EOF) {
		if said, rerr := os.ReadFile(filepath.Join(t.dir, stderrFile)); rerr == nil && len(said) > 0 {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said[:min(len(said), 2000)])))
		}
	}
	return fmt.Errorf("start %s: %w", t.id, err)
}

// keep holds the connection open for Wait, until ctx ends. A container that nobody listens to is left alone at once.
func (t *task) keep(ctx context.Context, l *link, s driver.Streams) {
	if unattended(s) {
		l.close()
		return
	}
	l.leave = context.AfterFunc(ctx, l.w.close)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link = l
}

// unattended: whoever connects no stream does not wait on the connection that starts the task.
func unattended(s driver.Streams) bool { return s.Stdin == nil && s.Stdout == nil && s.Stderr == nil }

// checkProcess refuses what no machine could run.
func checkProcess(p driver.Process) error {
	const maxID = 1<<31 - 1
	if p.UID > maxID || p.GID > maxID {
		return fmt.Errorf("user %d:%d: ids must be between 0 and %d", p.UID, p.GID, maxID)
	}
	for _, l := range p.Rlimits {
		if !kernel.Limitable(l.Name) {
			return fmt.Errorf("set ulimit %s: there is no limit of that name", l.Name)
		}
	}
	return nil
}
