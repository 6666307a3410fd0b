//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// RunOptions are those of run besides create's.
type RunOptions struct {
	CreateOptions
	Detach bool // leave when the program runs
	Keep   bool // do not delete the container when it has ended
}

// Run creates and starts a container and, unless it is to be left alone, waits for its end, passing signals on. code is the program's exit
// code, 128 and the signal's number if one ended it.
func (r *Runtime) Run(id string, o RunOptions) (code int, err error) {
	release := adoptOrphans(!o.Detach)
	defer release()
	c, err := r.create(id, o.CreateOptions, false)
	if err != nil {
		return 0, err
	}
	if o.Detach && c.master >= 0 {
		c.undo()
		return 0, fmt.Errorf("run container %s: a detached terminal needs --console-socket", id)
	}
	err = c.conn.Send(report{})
	if err == nil {
		err = c.awaitProgram(c.conn, c.spec)
	}
	if err == nil {
		err = c.poststart(c.spec)
	}
	if err != nil {
		c.undo()
		return 0, fmt.Errorf("run container %s: %w", id, err)
	}
	_ = c.conn.Close()
	if o.Detach {
		return 0, nil
	}
	code = follow(c.rec.Pid, c.master)
	if o.Keep {
		return code, nil
	}
	return code, c.destroy(c.spec)
}

// adoptOrphans makes this process the parent of what the container leaves behind, as for one without a process namespace.
func adoptOrphans(on bool) (release func()) {
	if !on {
		return func() {}
	}
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	return func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }
}

// follow waits for a process that has this one's streams or the terminal, and passes signals on.
func follow(pid, master int) int {
	sigs := make(chan os.Signal, 64)
	signal.Notify(sigs)
	defer signal.Stop(sigs)
	tty := newProxy(master)
	defer tty.restore()
	ended := make(chan unix.WaitStatus, 1)
	go func() { ended <- waitFor(pid) }()
	for {
		select {
		case ws := <-ended:
			tty.drain()
			return exitCode(ws)
		case s := <-sigs:
			switch sig := s.(syscall.Signal); sig {
			case unix.SIGCHLD, unix.SIGURG, unix.SIGPIPE: // ours, or the Go runtime's
			case unix.SIGWINCH:
				tty.resize()
			default:
				_ = unix.Kill(pid, sig)
			}
		}
	}
}

func waitFor(pid int) unix.WaitStatus {
	var ws unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &ws, 0, nil); !errors.Is(err, unix.EINTR) {
			return ws
		}
	}
}

func exitCode(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
