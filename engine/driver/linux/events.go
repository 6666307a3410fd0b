//go:build linux

package linux

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/trace"
)

// Events implements driver.Eventer. The events file itself says how far it has been handed out; whoever holds its lock hands
// out the rest.
func (t *task) Events(ctx context.Context) error {
	if trace.From(ctx) == nil {
		return nil
	}
	t.settle(ctx)
	return t.importEvents(ctx)
}

// settle has a living supervisor record everything that has happened so far.
func (t *task) settle(ctx context.Context) {
	if !shim.Listening(t.dir) {
		return // it has ended: all is recorded
	}
	l, err := t.dial(shim.Request{Do: shim.DoSync}, driver.Streams{})
	if err != nil {
		return // it has ended meanwhile
	}
	defer l.close()
	_, _ = l.receive(ctx)
}

func (t *task) importEvents(ctx context.Context) error { return t.importThrough(ctx, "") }

// importThrough hands out what is recorded up to the first event of kind, or all if there is none: what comes after it waits until the
// caller has told what it did itself.
func (t *task) importThrough(ctx context.Context, kind string) error {
	events, err := t.takeEvents(kind)
	if err != nil {
		return fmt.Errorf("read events of %s: %w", t.id, err)
	}
	trace.Import(ctx, events)
	return nil
}

// handOut hands out what is recorded, where nobody can do anything about an error: a trace that lacks events is no reason to fail.
func (t *task) handOut(ctx context.Context) {
	if trace.From(ctx) != nil {
		_ = t.importEvents(ctx)
	}
}

// handOutThrough is handOut up to an event of kind.
func (t *task) handOutThrough(ctx context.Context, kind string) {
	if trace.From(ctx) != nil {
		_ = t.importThrough(ctx, kind)
	}
}

// takeEvents returns what has not been handed out yet, up to the first event of kind, and marks it as handed out.
func (t *task) takeEvents(kind string) ([]trace.Event, error) {
	return eventlog.Take(filepath.Join(t.dir, shim.EventsFile), kind, func(f *os.File) (unlock func(), err error) {
		return func() {}, unix.Flock(int(f.Fd()), unix.LOCK_EX) // closing it gives the lock back
	})
}
