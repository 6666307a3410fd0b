package userland

import (
	"context"
	"slices"

	"mvdan.cc/sh/v3/interp"
)

// wait is the builtin: it ends at once when a trapped signal comes.
func (sh *shell) wait(ctx context.Context, hc interp.HandlerContext, t *task, args []string) error {
	if len(args) > 0 && args[0] == "-n" {
		return sh.waitAny(ctx, hc)
	}
	if len(args) == 0 {
		sh.mu.Lock()
		all := slices.Clone(sh.jobs)
		sh.mu.Unlock()
		for _, j := range all {
			if stop, err := sh.await(ctx, hc, j.done); stop {
				return err
			}
		}
		sh.forget(all...)
		return nil
	}
	code := 0
	for _, a := range args {
		j := sh.findJob(a)
		if j == nil {
			t.errorf("wait: pid %s is not a child of this shell", a)
			code = 127
			continue
		}
		if stop, err := sh.await(ctx, hc, j.done); stop {
			return err
		}
		code = j.code
	}
	return status(code)
}

func (sh *shell) forget(jobs ...*job) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.jobs = slices.DeleteFunc(sh.jobs, func(j *job) bool { return slices.Contains(jobs, j) && !j.running() })
}

// waitAny waits for the next job that ends.
func (sh *shell) waitAny(ctx context.Context, hc interp.HandlerContext) error {
	sh.mu.Lock()
	all := slices.Clone(sh.jobs)
	sh.mu.Unlock()
	if len(all) == 0 {
		return status(127)
	}
	first, stopped := make(chan *job, len(all)), make(chan struct{})
	defer close(stopped)
	for _, j := range all {
		sh.spawn(func() {
			sh.block(func() {
				select {
				case <-j.done:
					first <- j
				case <-stopped:
				}
			})
		})
	}
	ready := make(chan struct{})
	var j *job
	sh.spawn(func() {
		sh.block(func() {
			select {
			case j = <-first:
				close(ready)
			case <-stopped:
			}
		})
	})
	if stop, err := sh.await(ctx, hc, ready); stop {
		return err
	}
	sh.forget(j)
	return status(j.code)
}

// await waits for done or for a trapped signal, whose trap it runs.
func (sh *shell) await(ctx context.Context, hc interp.HandlerContext, done <-chan struct{}) (bool, error) {
	signal := 0
	sh.block(func() {
		select {
		case <-done:
		case <-ctx.Done():
		case signal = <-sh.signals:
			sh.note(signal)
		}
	})
	switch {
	case ctx.Err() != nil:
		return true, ctx.Err()
	case signal == 0:
		return false, nil
	}
	if err := sh.runTraps(ctx, hc); err != nil {
		return true, err
	}
	return true, status(128 + signal)
}
