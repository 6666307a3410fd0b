package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/respawn"
)

var _ driver.Rester = (*task)(nil)

// SetOnEnd implements driver.Rester.
func (t *task) SetOnEnd(ctx context.Context, command []string, rested time.Duration) error {
	_, err := t.ask(ctx, request{Do: doOnEnd, OnEnd: command, Env: ownEnv(), Rested: rested})
	return err
}

// Dismiss implements driver.Rester.
func (t *task) Dismiss(ctx context.Context) error {
	rec, ok := readRecord(t.dir)
	if !ok || !rec.Rests {
		return nil
	}
	_, _ = t.ask(ctx, request{Do: doDismiss}) // it may have gone meanwhile
	if !awaitDeath(ctx, t.dir, 10*time.Second) {
		return fmt.Errorf("let supervisor of %s go: process %d does not end", t.id, rec.Supervisor)
	}
	return nil
}

// stopped is the status of a task that ended.
func (t *task) stopped(rec record, e exitRecord) driver.Status {
	return driver.Status{State: driver.Stopped, StartedAt: rec.StartedAt, Exit: e.exit(),
		Resting: rec.Rests && (t.runtime.local(t.dir) != nil || lives(t.dir))}
}

// setOnEnd changes what is run after the end.
func (h *host) setOnEnd(req *request) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return driver.ErrNotRunning
	}
	h.spec.OnEnd, h.spec.Rested, h.orders.OnExitEnv = req.OnEnd, req.Rested, req.Env
	h.record.Rests = len(req.OnEnd) > 0
	return writeState(h.spec.Dir, taskFile, h.record, false)
}

// rest is what is left of a host after the end of a container that may be started again: it waits its time and has that done, unless it is
// dismissed before. That it lives is how others know that somebody will.
func (h *host) rest() {
	due := make(chan struct{})
	clock := h.machine.clock
	ran := h.exit.At.Sub(h.record.StartedAt)
	stop := clock.AfterFunc(respawn.Next(h.spec.Rested, ran)-clock.Now().Sub(h.exit.At), func() { close(due) })
	defer stop()
	select {
	case <-h.dismissed:
		return
	case <-due:
	}
	ended, err := h.run(h.spec.OnEnd)
	if err != nil {
		h.complain("start the container again", err)
		return
	}
	select {
	case <-h.dismissed: // by the command itself: it makes a new supervisor
	case <-ended:
	}
}
