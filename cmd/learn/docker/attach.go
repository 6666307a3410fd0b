package docker

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
)

// attachment says which of the caller's streams a container is connected to.
type attachment struct{ stdin, tty bool }

func asCommandError(err error, target **driver.CommandError) bool { return errors.As(err, target) }

// foreground starts a container connected to the caller's streams and returns its exit code.
func (app *App) foreground(ctx context.Context, e *engine.Engine, id string, a attachment) (int, error) {
	streams, restore, err := app.streams(a)
	if err != nil {
		return 0, err
	}
	defer restore()
	started := make(chan struct{})
	stop := app.forward(ctx, e, id, a, started)
	defer stop()
	err = e.Containers.Start(ctx, id, container.StartOptions{Streams: streams, Attach: true})
	close(started)
	if err != nil {
		return 0, err
	}
	return e.Containers.Wait(ctx, id)
}

// streams connects what the attachment asks for; with a terminal it is put into raw mode until restore is called.
func (app *App) streams(a attachment) (driver.Streams, func(), error) {
	s := driver.Streams{Stdout: app.Out, Stderr: app.Err}
	if a.stdin {
		s.Stdin = app.In
	}
	if !a.tty || app.Terminal == nil {
		return s, func() {}, nil
	}
	s.Cols, s.Rows = app.Terminal.Size()
	if !a.stdin {
		return s, func() {}, nil
	}
	restore, err := app.Terminal.Raw()
	return s, restore, err
}

// forward passes the caller's signals and terminal sizes on to the container, once it has started. The returned function ends that.
func (app *App) forward(ctx context.Context, e *engine.Engine, id string, a attachment, started <-chan struct{}) func() {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	stops := []func(){cancel}
	if app.Interrupts != nil && !(a.tty && a.stdin) {
		signals, stop := app.Interrupts()
		stops = append(stops, stop)
		wait.Go(func() {
			relay(ctx, signals, started, func(s driver.Signal) { _ = e.Containers.Kill(ctx, id, strconv.Itoa(int(s))) })
		})
	}
	if a.tty && app.Terminal != nil {
		changes, stop := app.Terminal.Resized()
		stops = append(stops, stop)
		wait.Go(func() {
			relay(ctx, changes, started, func(struct{}) {
				cols, rows := app.Terminal.Size()
				_ = e.Containers.Resize(ctx, id, cols, rows)
			})
		})
	}
	return func() {
		for _, s := range stops {
			s()
		}
		wait.Wait()
	}
}

// relay hands every value to act, but none before started is closed.
func relay[T any](ctx context.Context, values <-chan T, started <-chan struct{}, act func(T)) {
	select {
	case <-started:
	case <-ctx.Done():
		return
	}
	for {
		select {
		case v, ok := <-values:
			if !ok {
				return
			}
			act(v)
		case <-ctx.Done():
			return
		}
	}
}
