package sim

import (
	"context"
	"fmt"

	"github.com/learn-containers/learn/engine/driver"
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
	events, err := takeEvents(ctx, t.dir, kind)
	if err != nil {
		return fmt.Errorf("read events of %s: %w", t.id, err)
	}
	trace.Import(ctx, events)
	return nil
}

// handOut hands out what is recorded, where nobody can do anything about an error: a trace that lacks events is no reason to fail.
func (t *task) handOut(ctx context.Context) { t.handOutThrough(ctx, "") }

// handOutThrough is handOut up to the first event of kind: what comes after it waits until the caller has told what it did itself.
func (t *task) handOutThrough(ctx context.Context, kind string) {
	if trace.From(ctx) != nil {
		_ = t.importThrough(ctx, kind)
	}
}
