//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// task is one container's processes, as seen from any command. Its truth is in the container's folder and in the kernel.
type task struct {
	runtime *Runtime
	id, dir string
	spec    *driver.Spec // only in the task that Create gave

	mu    sync.Mutex
	link  *wire       // the connection that Start left open, until Wait has used it
	leave func() bool // forgets that link ends with the context of Start
}

// Status implements driver.Task: what is recorded counts only if the kernel agrees.
func (t *task) Status(ctx context.Context) (driver.Status, error) {
	rec, recorded := shim.ReadRecord(t.dir)
	if e, ok := shim.ReadExit(t.dir); ok {
		return stopped(rec, e), nil
	}
	if !recorded {
		return driver.Status{State: driver.Ready}, nil
	}
	boot := home.BootID()
	if rec.Supervised(boot) {
		st := driver.Status{State: driver.Running, Pid: rec.Pid, StartedAt: rec.StartedAt, Net: t.plan()}
		if rec.Paused {
			st.State = driver.Paused
		}
		return st, nil
	}
	// The supervisor may have ended between the two looks.
	if e, ok := shim.ReadExit(t.dir); ok {
		return stopped(rec, e), nil
	}
	killLeftover(rec, boot)
	for _, dir := range rec.Cgroups {
		_ = shim.RemoveGroup(dir) // nobody else will
	}
	if err := t.runtime.SweepNetworks(ctx); err != nil {
		return driver.Status{}, err
	}
	return driver.Status{State: driver.Lost, StartedAt: rec.StartedAt}, nil
}

func stopped(rec shim.Record, e shim.Exit) driver.Status {
	return driver.Status{State: driver.Stopped, StartedAt: rec.StartedAt, Exit: exitOf(e), Resting: rec.Rests && rec.Supervised(home.BootID())}
}

// killLeftover ends a first process whose supervisor died, and with it its process namespace; or, where that is shared, what is left one by one.
func killLeftover(rec shim.Record, boot string) {
	defer rec.KillShared()
	if !rec.Running(boot) {
		return
	}
	fd, err := unix.PidfdOpen(rec.Pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	// Between the look and the open the number may have been given to somebody else.
	if rec.Running(boot) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		for _, dir := range rec.Cgroups {
			shim.ThawGroup(dir) // what is frozen does not even die
		}
		awaitProcess(fd, time.Second)
	}
}

// awaitProcess waits until the process behind a pidfd has ended.
func awaitProcess(pidfd int, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return false
		}
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
		if n > 0 {
			return true
		}
	}
}

func exitOf(e shim.Exit) driver.Exit {
	return driver.Exit{Code: e.Code, Signal: driver.Signal(e.Signal), OOMKilled: e.OOMKilled, OOM: (*driver.OOM)(e.OOM), At: e.At}
}

// Wait implements driver.Task.
func (t *task) Wait(ctx context.Context) (driver.Exit, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.link; l != nil {
		reply, err := l.receive(ctx)
		if err != nil && ctx.Err() != nil {
			return driver.Exit{}, ctx.Err()
		}
		t.link = nil
		t.leave()
		l.finish()
		if err == nil && reply.Exit != nil {
			t.handOut(ctx)
			return exitOf(*reply.Exit), nil
		}
	}
	return t.waitAnew(ctx)
}

// waitAnew waits over a connection of its own: there is no other, or the context of its streams has ended, or the supervisor has.
func (t *task) waitAnew(ctx context.Context) (driver.Exit, error) {
	l, err := t.dial(shim.Request{Do: shim.DoWait}, driver.Streams{})
	if err != nil {
		return t.recordedExit(ctx, err)
	}
	reply, err := l.receive(ctx)
	l.close()
	if err != nil && ctx.Err() != nil {
		return driver.Exit{}, ctx.Err()
	}
	t.handOut(ctx)
	if err != nil || reply.Exit == nil {
		return t.recordedExit(ctx, err)
	}
	return exitOf(*reply.Exit), nil
}

// dyingTime is how long a supervisor whose connection broke may take to be gone.
const dyingTime = 2 * time.Second

// recordedExit answers when no supervisor does. One that was killed closes its connections a moment before it is seen to be dead.
func (t *task) recordedExit(ctx context.Context, cause error) (driver.Exit, error) {
	st, err := t.Status(ctx)
	if err == nil && (st.State == driver.Running || st.State == driver.Paused) && t.supervisorGoes() {
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

// supervisorGoes waits for a supervisor that is dying, and tells whether it is gone.
func (t *task) supervisorGoes() bool {
	rec, ok := shim.ReadRecord(t.dir)
	if !ok || !rec.Supervised(home.BootID()) {
		return true
	}
	pidfd, err := unix.PidfdOpen(rec.ShimPid, 0)
	if err != nil {
		return true
	}
	defer unix.Close(pidfd)
	return awaitProcess(pidfd, dyingTime)
}

// Signal implements driver.Task.
func (t *task) Signal(ctx context.Context, sig driver.Signal) error {
	return t.SignalFor(ctx, sig, "")
}

// SignalFor implements driver.Sender.
func (t *task) SignalFor(ctx context.Context, sig driver.Signal, why string) error {
	_, err := t.askThrough(ctx, shim.Request{Do: shim.DoSignal, Signal: int(sig), Why: why, Client: os.Getpid()}, vocab.ProcSignal)
	return err
}

// Pause implements driver.Pauser.
func (t *task) Pause(ctx context.Context) error {
	_, err := t.ask(ctx, shim.Request{Do: shim.DoPause})
	return err
}

// Resume implements driver.Pauser.
func (t *task) Resume(ctx context.Context) error {
	_, err := t.ask(ctx, shim.Request{Do: shim.DoResume})
	return err
}

// Resize implements driver.Resizer.
func (t *task) Resize(ctx context.Context, cols, rows uint16) error {
	_, err := t.ask(ctx, shim.Request{Do: shim.DoResize, Cols: cols, Rows: rows})
	return err
}

// Processes implements driver.Lister.
func (t *task) Processes(ctx context.Context) ([]driver.ProcessInfo, error) {
	reply, err := t.ask(ctx, shim.Request{Do: shim.DoProcesses})
	if err != nil {
		return nil, err
	}
	list := make([]driver.ProcessInfo, len(reply.Processes))
	names := map[uint32]string{}
	for i, p := range reply.Processes {
		if _, known := names[p.UID]; !known {
			if u, err := user.LookupId(strconv.FormatUint(uint64(p.UID), 10)); err == nil {
				names[p.UID] = u.Username
			}
		}
		list[i] = driver.ProcessInfo(p)
		list[i].User = names[p.UID]
	}
	return list, nil
}

// ask makes a request that is answered at once.
func (t *task) ask(ctx context.Context, req shim.Request) (shim.Reply, error) {
	return t.askThrough(ctx, req, "")
}

// askThrough is ask, and hands out no event after the first of kind.
func (t *task) askThrough(ctx context.Context, req shim.Request, kind string) (shim.Reply, error) {
	l, err := t.dial(req, driver.Streams{})
	if err != nil {
		return shim.Reply{}, err
	}
	defer l.close()
	reply, err := l.receive(ctx)
	if err != nil {
		return reply, fmt.Errorf("ask supervisor of %s: %w", t.id, err)
	}
	t.handOutThrough(ctx, kind)
	return reply, t.replyError(reply)
}

// replyError turns a refusal into the driver's errors.
func (t *task) replyError(r shim.Reply) error {
	switch r.Kind {
	case shim.ReplyCommand:
		return &driver.CommandError{Code: r.Code, Msg: r.Message}
	case shim.ReplyGone:
		return fmt.Errorf("container %s: %w", t.id, driver.ErrNotRunning)
	case shim.ReplyError:
		return errors.New(r.Message)
	}
	return nil
}

// dial connects to the task's supervisor and makes a request with streams. A traced command first sees to it that events are recorded.
func (t *task) dial(req shim.Request, s driver.Streams) (*wire, error) {
	conn, err := shim.Dial(t.dir)
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", t.id, errors.Join(driver.ErrNotRunning, err))
	}
	l, err := newWire(conn, req, s)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("container %s: %w", t.id, err), conn.Close())
	}
	return l, nil
}

// traceOn makes a supervisor that was started untraced record from now on.
func (t *task) traceOn(ctx context.Context) {
	if trace.From(ctx) == nil {
		return
	}
	if _, err := os.Lstat(filepath.Join(t.dir, shim.EventsFile)); err == nil {
		return
	}
	_, _ = t.ask(ctx, shim.Request{Do: shim.DoTrace})
}

// Attach implements driver.Attacher.
func (t *task) Attach(ctx context.Context, streams driver.Streams) (driver.Exit, error) {
	t.traceOn(ctx)
	l, err := t.dial(shim.Request{Do: shim.DoAttach}, streams)
	if err != nil {
		return driver.Exit{}, err
	}
	reply, err := l.receive(ctx)
	if err != nil && ctx.Err() != nil {
		l.close()
		return driver.Exit{}, ctx.Err()
	}
	l.finish()
	t.handOut(ctx)
	if err != nil || reply.Exit == nil {
		return t.recordedExit(ctx, err)
	}
	return exitOf(*reply.Exit), nil
}

// Exec implements driver.Execer.
func (t *task) Exec(ctx context.Context, process driver.Process, streams driver.Streams) (driver.Exit, error) {
	t.traceOn(ctx)
	p, err := stageProcess(process, streams)
	if err != nil {
		return driver.Exit{}, err
	}
	l, err := t.dial(shim.Request{Do: shim.DoExec, Process: &p, Detach: process.Detach}, streams)
	if err != nil {
		return driver.Exit{}, err
	}
	reply, err := l.receive(ctx)
	if err == nil {
		err = t.replyError(reply)
	}
	if err != nil {
		l.close() // nothing runs that could end the streams
		t.handOut(ctx)
		return driver.Exit{}, err
	}
	defer l.finish()
	if process.Detach {
		t.handOut(ctx)
		return driver.Exit{}, nil
	}
	reply, err = l.receive(ctx)
	t.handOut(ctx)
	if err != nil && ctx.Err() != nil {
		l.close()
		return driver.Exit{}, ctx.Err()
	}
	if err != nil || reply.Exit == nil {
		return driver.Exit{}, fmt.Errorf("exec in %s: the supervisor went away: %w", t.id, errors.Join(err, driver.ErrNotRunning))
	}
	return exitOf(*reply.Exit), nil
}
