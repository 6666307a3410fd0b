package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// task is one container's processes, as seen from any command. Its truth is in the container's folder and in who holds its lock.
type task struct {
	runtime *Runtime
	id, dir string
	spec    *driver.Spec // only in the task that Create gave

	mu   sync.Mutex
	link *link // the connection that Start left open, until Wait has used it
}

var (
	_ driver.Runtime     = (*Runtime)(nil)
	_ driver.Leaker      = (*Runtime)(nil)
	_ driver.Clock       = (*Runtime)(nil)
	_ driver.Snapshots   = (*Snapshots)(nil)
	_ driver.Trees       = (*Snapshots)(nil)
	_ driver.Task        = (*task)(nil)
	_ driver.Pauser      = (*task)(nil)
	_ driver.Execer      = (*task)(nil)
	_ driver.Attacher    = (*task)(nil)
	_ driver.Resizer     = (*task)(nil)
	_ driver.PatientTask = (*task)(nil)
	_ driver.Lister      = (*task)(nil)
	_ driver.Eventer     = (*task)(nil)
	_ driver.Updater     = (*task)(nil)
	_ driver.Stater      = (*Runtime)(nil)
	_ driver.Measurer    = (*Runtime)(nil)
)

// Status implements driver.Task: what is recorded counts only as long as somebody holds the container.
func (t *task) Status(ctx context.Context) (driver.Status, error) {
	rec, recorded := readRecord(t.dir)
	if e, ok := readExit(t.dir); ok {
		return t.stopped(rec, e), nil
	}
	if !recorded {
		return driver.Status{State: driver.Ready}, nil
	}
	if t.runtime.local(t.dir) != nil || lives(t.dir) {
		st := driver.Status{State: driver.Running, Pid: rec.Pid, StartedAt: rec.StartedAt, Net: rec.Net}
		if rec.Paused {
			st.State = driver.Paused
		}
		return st, nil
	}
	// It may have ended between the two looks.
	if e, ok := readExit(t.dir); ok {
		return t.stopped(rec, e), nil
	}
	return driver.Status{State: driver.Lost, StartedAt: rec.StartedAt}, nil
}

// Wait implements driver.Task.
func (t *task) Wait(ctx context.Context) (driver.Exit, error) {
	t.mu.Lock()
	l := t.link
	t.link = nil
	t.mu.Unlock()
	if l == nil {
		return t.waitAnew(ctx, nil)
	}
	r, err := l.receive(ctx)
	if err != nil && ctx.Err() != nil {
		t.putBack(l)
		return driver.Exit{}, ctx.Err()
	}
	l.close()
	if err != nil || r.Exit == nil {
		return t.waitAnew(ctx, nil) // the streams' own context ended, or the supervisor did
	}
	t.handOut(ctx)
	return r.Exit.exit(), nil
}

func (t *task) putBack(l *link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.link = l
}

// WaitFor implements driver.PatientTask.
func (t *task) WaitFor(ctx context.Context, d time.Duration) (driver.Exit, error) {
	return t.waitAnew(ctx, &d)
}

// waitAnew waits over a connection of its own.
func (t *task) waitAnew(ctx context.Context, within *time.Duration) (driver.Exit, error) {
	l, err := t.dial(request{Do: doWait, Within: within}, driver.Streams{})
	if err != nil {
		return t.recordedExit(ctx, err)
	}
	r, err := l.receive(ctx)
	l.close()
	if err != nil && ctx.Err() != nil {
		return driver.Exit{}, ctx.Err()
	}
	t.handOut(ctx)
	if err == nil && r.Kind == replyLate {
		return driver.Exit{}, context.DeadlineExceeded
	}
	if err != nil || r.Exit == nil {
		return t.recordedExit(ctx, err)
	}
	return r.Exit.exit(), nil
}

// dyingTime is how long a supervisor whose connection broke may take to be gone.
const dyingTime = 2 * time.Second

// recordedExit answers when no supervisor does. One that was killed closes its connections a moment before it is seen to be dead.
func (t *task) recordedExit(ctx context.Context, cause error) (driver.Exit, error) {
	st, err := t.Status(ctx)
	if err == nil && (st.State == driver.Running || st.State == driver.Paused) && awaitDeath(ctx, t.dir, dyingTime) {
		st, err = t.Status(ctx)
	}
	if err != nil {
		return driver.Exit{}, err
	}
	switch st.State {
	case driver.Stopped:
		return st.Exit, nil
	case driver.Ready:
		return driver.Exit{}, fmt.Errorf("wait for %s: %w", t.id, driver.ErrNotRunning)
	case driver.Lost:
		return driver.Exit{}, fmt.Errorf("wait for %s: its supervisor died and kept no exit status: %w", t.id, driver.ErrNotRunning)
	}
	return driver.Exit{}, fmt.Errorf("wait for %s: %w", t.id, cause)
}

// Signal implements driver.Task.
func (t *task) Signal(ctx context.Context, sig driver.Signal) error {
	return t.SignalFor(ctx, sig, "")
}

// SignalFor implements driver.Sender.
func (t *task) SignalFor(ctx context.Context, sig driver.Signal, why string) error {
	_, err := t.askThrough(ctx, request{Do: doSignal, Signal: int(sig), Why: why, Client: os.Getpid()}, vocab.ProcSignal)
	return err
}

// Pause implements driver.Pauser.
func (t *task) Pause(ctx context.Context) error {
	_, err := t.ask(ctx, request{Do: doPause})
	return err
}

// Resume implements driver.Pauser.
func (t *task) Resume(ctx context.Context) error {
	_, err := t.ask(ctx, request{Do: doResume})
	return err
}

// Resize implements driver.Resizer.
func (t *task) Resize(ctx context.Context, cols, rows uint16) error {
	_, err := t.ask(ctx, request{Do: doResize, Cols: cols, Rows: rows})
	return err
}

// Processes implements driver.Lister.
func (t *task) Processes(ctx context.Context) ([]driver.ProcessInfo, error) {
	r, err := t.ask(ctx, request{Do: doProcesses})
	if err != nil {
		return nil, err
	}
	return r.Processes, nil
}

// ask makes a request that is answered at once.
func (t *task) ask(ctx context.Context, req request) (reply, error) {
	return t.askThrough(ctx, req, "")
}

// askThrough is ask, and hands out no event after the first of kind.
func (t *task) askThrough(ctx context.Context, req request, kind string) (reply, error) {
	l, err := t.dial(req, driver.Streams{})
	if err != nil {
		return reply{}, err
	}
	defer l.close()
	r, err := l.receive(ctx)
	if err != nil {
		return r, fmt.Errorf("ask supervisor of %s: %w", t.id, err)
	}
	t.handOutThrough(ctx, kind)
	return r, t.replyError(r)
}

// replyError turns a refusal into the driver's errors.
func (t *task) replyError(r reply) error {
	switch r.Kind {
	case replyCommand:
		return &driver.CommandError{Code: r.Code, Msg: r.Message}
	case replyGone:
		return fmt.Errorf("container %s: %w", t.id, driver.ErrNotRunning)
	case replyMissing:
		return &missingError{r.Message}
	case replyError:
		return errors.New(r.Message)
	}
	return nil
}

// missingError is driver.ErrNotFound with the words of the host, which end with it already.
type missingError struct{ msg string }

func (e *missingError) Error() string { return e.msg }
func (e *missingError) Unwrap() error { return driver.ErrNotFound }

func decodeReply(data []byte, r *reply) error {
	if err := json.Unmarshal(data, r); err != nil {
		return fmt.Errorf("read reply: %w", err)
	}
	return nil
}

// dial connects to where the container lives and makes a request with streams.
func (t *task) dial(req request, s driver.Streams) (*link, error) {
	w, err := t.connect()
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", t.id, errors.Join(driver.ErrNotRunning, err))
	}
	l, err := newLink(w, req, s)
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", t.id, err)
	}
	return l, nil
}

func (t *task) connect() (*wire, error) {
	if h := t.runtime.local(t.dir); h != nil {
		if !h.admit() {
			return nil, errors.New("it does not run")
		}
		near, far := net.Pipe()
		go h.serve(newWire(far))
		return newWire(near), nil
	}
	rec, ok := readRecord(t.dir)
	if !ok {
		return nil, errors.New("no process of it was started")
	}
	if _, ended := readExit(t.dir); ended && !rec.Rests {
		return nil, errors.New("it has ended")
	}
	if rec.Address == "" {
		return nil, fmt.Errorf("it lives inside process %d, which serves no other", rec.Supervisor)
	}
	return dial(rec.Address)
}

// traceOn makes a host that was started untraced record from now on.
func (t *task) traceOn(ctx context.Context) {
	if trace.From(ctx) == nil {
		return
	}
	if _, err := os.Lstat(filepath.Join(t.dir, eventsFile)); err == nil {
		return
	}
	_, _ = t.ask(ctx, request{Do: doTrace})
}

// Attach implements driver.Attacher.
func (t *task) Attach(ctx context.Context, streams driver.Streams) (driver.Exit, error) {
	t.traceOn(ctx)
	l, err := t.dial(request{Do: doAttach}, streams)
	if err != nil {
		return driver.Exit{}, err
	}
	r, err := l.receive(ctx)
	l.close()
	if err != nil && ctx.Err() != nil {
		return driver.Exit{}, ctx.Err()
	}
	t.handOut(ctx)
	if err != nil || r.Exit == nil {
		return t.recordedExit(ctx, err)
	}
	return r.Exit.exit(), nil
}

// Exec implements driver.Execer.
func (t *task) Exec(ctx context.Context, process driver.Process, streams driver.Streams) (driver.Exit, error) {
	t.traceOn(ctx)
	if err := errors.Join(checkProcess(process), checkFilter(&process)); err != nil {
		return driver.Exit{}, err
	}
	l, err := t.dial(request{Do: doExec, Process: &process, Detach: process.Detach}, streams)
	if err != nil {
		return driver.Exit{}, err
	}
	defer l.close()
	r, err := l.receive(ctx)
	if err == nil {
		err = t.replyError(r)
	}
	if err != nil || process.Detach {
		t.handOut(ctx)
		return driver.Exit{}, err
	}
	r, err = l.receive(ctx)
	t.handOut(ctx)
	if err != nil && ctx.Err() != nil {
		return driver.Exit{}, ctx.Err()
	}
	if err != nil || r.Exit == nil {
		return driver.Exit{}, fmt.Errorf("exec in %s: the supervisor went away: %w", t.id, errors.Join(err, driver.ErrNotRunning))
	}
	return r.Exit.exit(), nil
}
