//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// Start runs the program of a created container.
func (c *Container) Start() error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if st := c.Status(); st != specs.StateCreated {
		return fmt.Errorf("start container %s: it is %s, not created", c.rec.ID, st)
	}
	spec, err := c.config()
	if err != nil {
		return err
	}
	conn, err := dialAt(c.dir)
	if err != nil {
		return fmt.Errorf("start container %s: %w", c.rec.ID, err)
	}
	defer conn.Close()
	err = c.awaitProgram(conn, spec)
	if err == nil {
		err = wrap("start container "+c.rec.ID, os.Remove(filepath.Join(c.dir, startSock)))
	}
	if err == nil {
		err = c.poststart(spec)
	}
	if err != nil {
		c.kill()
		return fmt.Errorf("start container %s: %w", c.rec.ID, err)
	}
	return nil
}

// awaitProgram reads what the stage has to say until its connection ends with execve.
func (c *Container) awaitProgram(conn *shim.Conn, spec *specs.Spec) error {
	for {
		var r report
		err := conn.Receive(&r)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case r.Kind == reportError:
			return &stageError{r.Error, r.Code}
		case r.Kind == reportWarning:
			c.warn(errors.New(r.Error))
		case r.Kind == reportListener:
			fds, err := conn.TakeFDs(1)
			if err != nil {
				return err
			}
			err = sendListener(spec.Linux.Seccomp, c.state(specs.StateCreated), c.rec.Pid, fds[0])
			unix.Close(fds[0])
			if err != nil {
				return err
			}
		}
	}
}

func (c *Container) poststart(spec *specs.Spec) error {
	if spec.Hooks == nil {
		return nil
	}
	return runHooks("poststart", spec.Hooks.Poststart, c.rec.Bundle, c.state(specs.StateRunning))
}

// kill ends the process and waits until it is gone.
func (c *Container) kill() {
	if c.rec.Pid <= 0 || !shim.Alive(c.rec.Pid, c.rec.StartTime) {
		return
	}
	fd, err := unix.PidfdOpen(c.rec.Pid, 0)
	if err != nil || !shim.Alive(c.rec.Pid, c.rec.StartTime) {
		return
	}
	defer unix.Close(fd)
	_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	_ = groups(c.rec.Groups).freeze(false)
	const most = 10_000 // ms
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, most)
}

// Signal sends a signal to the container's process, or to all in its control groups.
func (c *Container) Signal(sig unix.Signal, all bool) error {
	st := c.Status()
	if all && (st == specs.StateStopped || st == specs.StateRunning || st == statePaused) {
		groups(c.rec.Groups).signalAll(sig)
		return nil
	}
	if st == specs.StateStopped || c.rec.Pid <= 0 {
		return fmt.Errorf("kill container %s: container not running", c.rec.ID)
	}
	fd, err := unix.PidfdOpen(c.rec.Pid, 0)
	if err == nil {
		defer unix.Close(fd)
		if !shim.Alive(c.rec.Pid, c.rec.StartTime) {
			return fmt.Errorf("kill container %s: container not running", c.rec.ID)
		}
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
	if err != nil {
		return fmt.Errorf("kill container %s: %w", c.rec.ID, err)
	}
	return nil
}

// Delete removes a stopped container and what was made for it; force ends it before.
func (c *Container) Delete(force bool) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if st := c.Status(); st != specs.StateStopped {
		if !force {
			return fmt.Errorf("delete container %s: it is %s, not stopped; --force ends it before", c.rec.ID, st)
		}
		c.kill()
	}
	spec, err := c.config()
	if err != nil {
		c.warn(err)
	}
	return c.destroy(spec)
}

// destroy undoes what create made, and runs the poststop hooks.
func (c *Container) destroy(spec *specs.Spec) error {
	gs := groups(c.rec.Groups)
	if gs.ours() { // without a process namespace of its own something may be left
		for range 100 {
			if len(gs.procs()) == 0 {
				break
			}
			gs.signalAll(unix.SIGKILL)
			time.Sleep(time.Millisecond)
		}
	}
	gs.remove()
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("delete container %s: %w", c.rec.ID, err)
	}
	if spec == nil || spec.Hooks == nil {
		return nil
	}
	st := c.state(specs.StateStopped)
	for _, h := range spec.Hooks.Poststop { // each, whatever becomes of the one before
		if err := runHooks("poststop", []specs.Hook{h}, "/", st); err != nil {
			c.warn(err)
		}
	}
	return nil
}

// Pause stops every process of a running container; Resume lets them go on.
func (c *Container) Pause() error  { return c.freeze(true) }
func (c *Container) Resume() error { return c.freeze(false) }

func (c *Container) freeze(on bool) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	want, verb := statePaused, "resume"
	if on {
		want, verb = specs.StateRunning, "pause"
	}
	st := c.Status()
	if st != want && (!on || st != specs.StateCreated) {
		return fmt.Errorf("%s container %s: it is %s, not %s", verb, c.rec.ID, st, want)
	}
	return wrap(verb+" container "+c.rec.ID, groups(c.rec.Groups).freeze(on))
}

// Processes lists the ids of the container's processes.
func (c *Container) Processes() ([]int, error) {
	if st := c.Status(); st == specs.StateStopped || st == specs.StateCreating {
		return nil, fmt.Errorf("list processes of container %s: it is %s", c.rec.ID, st)
	}
	if pids := groups(c.rec.Groups).procs(); len(pids) > 0 {
		return pids, nil
	}
	return []int{c.rec.Pid}, nil
}
