package container

import (
	"context"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// ExecOptions describe a further process in a running container.
type ExecOptions struct {
	Cmd        []string
	Env        []string // added to the container's own
	WorkingDir string   // empty: the container's
	User       string   // name|uid[:group|gid]; empty: the container's
	Tty        bool
	Privileged bool
	Detach     bool // do not wait; the exit code is 0 then
	Streams    driver.Streams
}

// Exec runs a process in a running container and returns its exit code. Errors: *ConflictError when the container does not run
// or is paused, *driver.CommandError when the command cannot be executed.
func (m *Manager) Exec(ctx context.Context, ref string, opts ExecOptions) (int, error) {
	if len(opts.Cmd) == 0 {
		return 0, invalid("No exec command specified")
	}
	c, err := m.own(ctx, ref)
	if err != nil {
		return 0, err
	}
	switch {
	case c.Problem != nil:
		return 0, c.Problem
	case c.State.Paused:
		return 0, conflict("Container %s is paused, unpause the container before exec", ref)
	case c.State.Restarting:
		return 0, isRestarting(c.ID)
	case !c.State.Running:
		return 0, notRunning(c.ID)
	}
	if opts.WorkingDir != "" && opts.WorkingDir[0] != '/' {
		return 0, invalid("Cwd must be an absolute path: %s", opts.WorkingDir)
	}
	user, groups := opts.User, []string(nil)
	if user == "" {
		user, groups = c.Config.User, c.HostConfig.GroupAdd
	}
	who, err := m.identify(ctx, c.ID, user, groups)
	if err != nil {
		return 0, err
	}
	p := driver.Process{
		Args: opts.Cmd, Env: environment(c, opts.Tty, who.home, opts.Env), Cwd: or(opts.WorkingDir, or(c.Config.WorkingDir, "/")),
		UID: who.uid, GID: who.gid, Groups: who.groups, Terminal: opts.Tty,
		Detach: opts.Detach,
	}
	if err := secureProcess(c.HostConfig, &p); err != nil {
		return 0, err
	}
	limitProcess(c.HostConfig, &p)
	if opts.Privileged { // all powers and no filter, whatever the container has
		p.Privileged, p.Powers, p.Seccomp = true, nil, ""
	}
	return m.exec(ctx, c, p, opts.Streams)
}

func (m *Manager) exec(ctx context.Context, c *Container, p driver.Process, streams driver.Streams) (int, error) {
	ctx, end := trace.Step(ctx, vocab.ContainerExec, trace.String("container", c.ID), trace.Strings("argv", p.Args))
	task, err := m.runtime.Load(ctx, c.ID)
	if err != nil {
		end(err)
		return 0, err
	}
	e, ok := task.(driver.Execer)
	if !ok {
		err := unsupported("run a further process in a container")
		end(err)
		return 0, err
	}
	exec := newExecID()
	m.tellExecBegins(c, exec, p.Args, time.Time{})
	exit, err := e.Exec(ctx, p, streams)
	if err == nil && !p.Detach {
		m.tell(c, events.ActionExecDie, "execID", exec, "exitCode", strconv.Itoa(exit.Code))
	}
	importEvents(ctx, task)
	end(err, trace.Int("exit_code", int64(exit.Code)))
	return exit.Code, err
}
