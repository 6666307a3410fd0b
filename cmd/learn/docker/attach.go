package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// attachment says which of the caller's streams a process is connected to, and how.
type attachment struct {
	stdin, stdout, stderr bool
	tty                   bool
	keys                  []byte // that end the connection, on a terminal
	signals               bool   // the caller's signals are passed on to the container
	redraw                bool   // a program that is there already is to draw its screen anew
}

// errDetached ends a connection by keys.
var errDetached = errors.New("read escape sequence")

func asCommandError(err error, target **driver.CommandError) bool { return errors.As(err, target) }

// attachFlags are what run, start, attach and exec share.
type attachFlags struct {
	keys     string
	sigProxy bool
}

func (f *attachFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.keys, "detach-keys", "", "Override the key sequence for detaching a container")
}

func (f *attachFlags) registerProxy(fl *pflag.FlagSet) {
	fl.BoolVar(&f.sigProxy, "sig-proxy", true, "Proxy received signals to the process")
}

// attachList is the value of -a: which streams to connect.
type attachList []string

// String implements pflag.Value.
func (l *attachList) String() string { return strings.Join(*l, ",") }

// Type implements pflag.Value.
func (l *attachList) Type() string { return "list" }

// Set implements pflag.Value.
func (l *attachList) Set(word string) error {
	name := strings.ToLower(word)
	if name != "stdin" && name != "stdout" && name != "stderr" {
		return errors.New("valid streams are STDIN, STDOUT and STDERR")
	}
	*l = append(*l, name)
	return nil
}

func (l attachList) has(name string) bool { return slices.Contains(l, name) }

func (app *App) attachCommand() *cobra.Command {
	var f attachFlags
	var noStdin bool
	cmd := &cobra.Command{
		Use:   "attach [OPTIONS] CONTAINER",
		Short: "Attach local standard input, output, and error streams to a running container",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := detachKeys(f.keys)
			if err != nil {
				return err
			}
			return app.attach(cmd.Context(), args[0], attachment{stdin: !noStdin, stdout: true, stderr: true, keys: keys, signals: f.sigProxy, redraw: true})
		},
	}
	f.register(cmd.Flags())
	f.registerProxy(cmd.Flags())
	cmd.Flags().BoolVar(&noStdin, "no-stdin", false, "Do not attach STDIN")
	return cmd
}

func (app *App) attach(ctx context.Context, name string, a attachment) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	c, err := e.Containers.Find(ctx, name)
	if err != nil {
		return err
	}
	if reason := unattachable(c); reason != "" {
		fmt.Fprintln(app.Err, reason)
		return &exitError{code: 1}
	}
	a.stdin, a.tty = a.stdin && c.Config.OpenStdin, c.Config.Tty
	a.signals = a.signals && !a.tty
	if a.stdin && a.tty && app.Terminal == nil {
		return &exitError{1, usagef("the input device is not a TTY")}
	}
	code, err := app.foreground(ctx, e, c.ID, a, func(ctx context.Context, s driver.Streams) error {
		return e.Containers.Attach(ctx, c.ID, s)
	})
	return app.ended(ctx, e, c, code, err)
}

// unattachable is what docker's client says of a container that nobody can listen to.
func unattachable(c *container.Container) string {
	switch {
	case c.Problem != nil:
		return ""
	case c.State.Restarting:
		return "You cannot attach to a restarting container, wait until it is running"
	case c.State.Paused:
		return "You cannot attach to a paused container, unpause it first"
	case !c.State.Running:
		return "You cannot attach to a stopped container, start it first"
	}
	return ""
}

// ended turns how an attached container ended, or how the caller left it, into the exit code.
func (app *App) ended(ctx context.Context, e *engine.Engine, c *container.Container, code int, err error) error {
	if errors.Is(err, errDetached) {
		fmt.Fprintln(app.Err, errDetached)
		return &exitError{code: 1}
	}
	if err != nil {
		return err
	}
	if c.HostConfig.AutoRemove {
		if err := e.Containers.Remove(ctx, c.ID, true); err != nil && !isNoContainer(err) {
			return err
		}
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// foreground connects a container to the caller's streams by begin, and returns its exit code when it has ended. The error is errDetached if
// the caller has left it with keys, or if it was only to be given input and has that.
func (app *App) foreground(ctx context.Context, e *engine.Engine, id string, a attachment, begin func(context.Context, driver.Streams) error) (int, error) {
	c := app.connect(ctx, a)
	defer c.close()
	if a.signals {
		c.forward(func(s driver.Signal) { _ = e.Containers.Kill(ctx, id, strconv.Itoa(int(s))) })
	}
	streams, err := c.streams()
	if err != nil {
		return 0, err
	}
	if err := begin(c.ctx, streams); err != nil {
		return 0, c.cause(err)
	}
	c.begun()
	code, err := e.Containers.Wait(c.ctx, id)
	return code, c.cause(err)
}

// starting is the begin of foreground for a container that does not run yet, or may.
func starting(e *engine.Engine, id string) func(context.Context, driver.Streams) error {
	return func(ctx context.Context, s driver.Streams) error {
		return e.Containers.Start(ctx, id, container.StartOptions{Streams: s, Attach: true})
	}
}

// connection is what one process is connected to the caller with. Its goroutines end in close, but for one that waits in a Read of the
// caller's input.
type connection struct {
	app     *App
	a       attachment
	ctx     context.Context // ends when the caller leaves
	leave   context.CancelCauseFunc
	started chan struct{} // closed when the process runs
	stops   []func()
	wait    sync.WaitGroup
	restore func() // puts the terminal back, at once and once
	gate    *gate  // before the terminal that keys can leave
}

// gate is the way to the caller's terminal. Once it is shut nothing comes through: the last words of a connection that was left are the
// caller's own, and nothing is written in raw mode's manner to a terminal that was put back.
type gate struct {
	mu   sync.Mutex
	out  io.Writer
	shut bool
}

// Write implements io.Writer.
func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return 0, io.ErrClosedPipe
	}
	return g.out.Write(b)
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

func (app *App) connect(ctx context.Context, a attachment) *connection {
	ctx, leave := context.WithCancelCause(ctx)
	return &connection{app: app, a: a, ctx: ctx, leave: leave, started: make(chan struct{}), restore: func() {}}
}

// streams are the driver's ends. A terminal is put into raw mode until close.
func (c *connection) streams() (driver.Streams, error) {
	var s driver.Streams
	if c.a.stdout {
		s.Stdout = c.app.Out
	}
	if c.a.stderr && !c.a.tty {
		s.Stderr = c.app.Err
	}
	if c.a.stdin {
		s.Stdin = c.app.In
	}
	if c.a.stdin && !c.a.stdout && !c.a.stderr {
		s.Stdin = &lastRead{c.app.In, c.detach}
	}
	if !c.a.tty || c.app.Terminal == nil {
		return s, nil
	}
	s.Cols, s.Rows = c.app.Terminal.Size()
	s.Sizes = c.sizes(driver.Size{Cols: s.Cols, Rows: s.Rows})
	if !c.a.stdin {
		return s, nil
	}
	if err := c.makeRaw(); err != nil {
		return s, err
	}
	if len(c.a.keys) > 0 {
		if s.Stdout != nil {
			c.gate = &gate{out: s.Stdout}
			s.Stdout = c.gate
		}
		s.Stdin = newEscapeReader(s.Stdin, c.a.keys, c.detach)
	}
	return s, nil
}

// makeRaw puts the terminal into raw mode until close, or until a signal ends this process: signals are caught before, so that none comes
// too early.
func (c *connection) makeRaw() error {
	var signals <-chan driver.Signal
	if c.app.Interrupts != nil && c.app.Die != nil && !c.a.signals {
		var stop func()
		signals, stop = c.app.Interrupts()
		c.stops = append(c.stops, stop)
	}
	restore, err := c.app.Terminal.Raw()
	if err != nil {
		return err
	}
	c.restore = sync.OnceFunc(restore)
	if signals != nil {
		c.goes(func() { c.guard(signals) })
	}
	return nil
}

// guard puts the terminal back before a signal ends this process.
func (c *connection) guard(signals <-chan driver.Signal) {
	select {
	case s, ok := <-signals:
		if ok {
			c.restore()
			c.app.Die(s)
		}
	case <-c.ctx.Done():
	}
}

// goes runs f in a goroutine that close waits for. A panic in it leaves the terminal as it was.
func (c *connection) goes(f func()) {
	c.wait.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				c.restore()
				panic(p)
			}
		}()
		f()
	})
}

// sizes tells the sizes of the caller's terminal after the first one.
func (c *connection) sizes(last driver.Size) <-chan driver.Size {
	out := make(chan driver.Size)
	changes, stop := c.app.Terminal.Resized()
	c.stops = append(c.stops, stop)
	send := func(s driver.Size) {
		select {
		case out <- s:
		case <-c.ctx.Done():
		}
	}
	c.goes(func() {
		if c.a.redraw { // a size that is another one makes programs draw
			send(driver.Size{Cols: last.Cols + 1, Rows: last.Rows + 1})
			send(last)
		}
		for {
			select {
			case _, ok := <-changes:
				if !ok {
					return
				}
				cols, rows := c.app.Terminal.Size()
				send(driver.Size{Cols: cols, Rows: rows})
			case <-c.ctx.Done():
				return
			}
		}
	})
	return out
}

// forward passes the caller's signals on to act, once the process runs.
func (c *connection) forward(act func(driver.Signal)) {
	if c.app.Interrupts == nil {
		return
	}
	signals, stop := c.app.Interrupts()
	c.stops = append(c.stops, stop)
	c.goes(func() {
		select {
		case <-c.started:
		case <-c.ctx.Done():
			return
		}
		for {
			select {
			case s, ok := <-signals:
				if !ok {
					return
				}
				act(s)
			case <-c.ctx.Done():
				return
			}
		}
	})
}

// begun says that the process runs.
func (c *connection) begun() { close(c.started) }

// detach leaves the process, which must run for that.
func (c *connection) detach() {
	select {
	case <-c.started:
		if c.gate != nil {
			c.gate.close()
		}
		c.leave(errDetached)
	case <-c.ctx.Done():
	}
}

// cause is why the connection ended: err, or that the caller has left.
func (c *connection) cause(err error) error {
	if err != nil && errors.Is(context.Cause(c.ctx), errDetached) {
		return errDetached
	}
	return err
}

// close puts the terminal back and ends what was begun.
func (c *connection) close() {
	c.restore()
	c.leave(nil)
	for _, stop := range c.stops {
		stop()
	}
	c.wait.Wait()
}
