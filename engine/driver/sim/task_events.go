package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
)

// Events implements driver.Eventer.
func (t *task) Events(ctx context.Context) error {
	if trace.From(ctx) == nil {
		return nil
	}
	t.settle(ctx)
	return t.importEvents(ctx)
}

// settle has a living container record everything that has happened so far.
func (t *task) settle(ctx context.Context) {
	l, err := t.dial(request{Do: doSync}, driver.Streams{})
	if err != nil {
		return // it has ended: all is recorded
	}
	defer l.close()
	_, _ = l.receive(ctx)
}

func (t *task) importEvents(ctx context.Context) error { return t.importThrough(ctx, "") }

func (t *task) importThrough(ctx context.Context, kind string) error {
	events, err := t.takeEvents(ctx, kind)
	if err != nil {
		return fmt.Errorf("read events of %s: %w", t.id, err)
	}
	trace.Import(ctx, events)
	return nil
}

// takeEvents returns what has not been handed out yet, up to the first event of kind, and marks it as handed out. Who does so holds a lock that
// lies beside: not every system lets others write a file that is locked.
func (t *task) takeEvents(ctx context.Context, kind string) ([]trace.Event, error) {
	return eventlog.Take(filepath.Join(t.dir, eventsFile), kind, func(*os.File) (unlock func(), err error) {
		lock := flock.New(filepath.Join(t.dir, handFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
		if _, err := lock.TryLockContext(context.WithoutCancel(ctx), time.Millisecond); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
		return func() { _ = lock.Close() }, nil
	})
}

// handOut hands out what is recorded, where nobody can do anything about an error: a trace that lacks events is no reason to fail.
func (t *task) handOut(ctx context.Context) { t.handOutThrough(ctx, "") }

// handOutThrough is handOut up to the first event of kind: what comes after it waits until the caller has told what it did itself.
func (t *task) handOutThrough(ctx context.Context, kind string) {
	if trace.From(ctx) != nil {
		_ = t.importThrough(ctx, kind)
	}
}
