package userland

import (
	"context"
	"time"
)

// What a program has of threads and time: the machine's own where it has one, else the Go runtime's.

// spawn runs f as a further thread.
func (t *task) spawn(f func()) {
	if t.Threads != nil {
		t.Threads.Go(f)
		return
	}
	go f()
}

// block runs f, which waits for other threads of this program.
func (t *task) block(f func()) {
	if t.Threads != nil {
		t.Threads.Block(f)
		return
	}
	f()
}

// pause sleeps; it ends early with the error of the task's context.
func (t *task) pause(d time.Duration) error {
	if t.Threads != nil {
		return t.Threads.Sleep(t.ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

// after runs f as a further thread when d has passed, unless stop comes first and says so.
func (t *task) after(d time.Duration, f func()) (stop func() bool) {
	if t.Threads != nil {
		return t.Threads.AfterFunc(d, f)
	}
	return time.AfterFunc(d, f).Stop
}

// limited is the task's context with an end after d; cancel frees it.
func (t *task) limited(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.ctx)
	stop := t.after(d, cancel)
	return ctx, func() { stop(); cancel() }
}

// first waits for a value, and no longer than d; it tells whether one came.
func first[T any](t *task, from <-chan T, d time.Duration) (value T, came bool) {
	up := make(chan struct{})
	defer t.after(d, func() { close(up) })()
	t.block(func() {
		select {
		case value = <-from:
			came = true
		case <-up:
		}
	})
	return value, came
}

// now is the machine's time.
func (t *task) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}
