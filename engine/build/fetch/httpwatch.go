package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// watch ends a download whose server falls silent.
type watch struct {
	after time.Duration
	timer *time.Timer
}

var errSilent = errors.New("the server sends nothing any more")

func newWatch(after time.Duration, cancel context.CancelCauseFunc) *watch {
	if after == 0 {
		after = time.Minute
	}
	return &watch{after: after, timer: time.AfterFunc(after, func() { cancel(fmt.Errorf("%w: nothing came for %v", errSilent, after)) })}
}

func (w *watch) stop() { w.timer.Stop() }

// cause is why the download ended: err, or what cancelled it.
func (w *watch) cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// watched tells the watch of everything that comes.
type watched struct {
	r io.Reader
	w *watch
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.w.timer.Reset(r.w.after)
	}
	return n, err
}
