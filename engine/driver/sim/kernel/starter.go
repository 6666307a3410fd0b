package kernel

import (
	"context"
	"runtime"
	"slices"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/userland"
)

// starter is userland.Starter and userland.Terminals for one image.
type starter struct{ im *image }

var (
	_ userland.Starter   = starter{}
	_ userland.Terminals = starter{}
	_ userland.Sessions  = starter{}
)

// Start is fork and execve.
func (s starter) Start(ctx context.Context, c userland.Command) (userland.Child, error) {
	parent := s.im.p
	if err := s.im.enter(); err != nil {
		return nil, err
	}
	own := driver.Process{Args: c.Args, Env: slices.Clone(c.Environ), Cwd: c.Dir, UID: uint32(s.im.cred.UID), GID: uint32(s.im.cred.GID), Groups: parent.Groups,
		Privileged: parent.Privileged, NoNewPrivs: parent.NoNewPrivs, Powers: parent.Powers, Seccomp: parent.Seccomp}
	p := parent.box.newProcess(own, parent)
	im, err := p.prepare(c, s.im)
	if err != nil {
		return nil, err
	}
	p.hostPID = p.box.m.hostPID()
	clock := im.clock()
	clock.lock()
	err = p.bear(s.im, im, c.Group)
	clock.unlock()
	if err != nil {
		im.discard()
		return nil, err
	}
	ch := &child{parent: s.im, p: p}
	ch.stop = context.AfterFunc(ctx, ch.abandon)
	return ch, nil
}

// prepare makes the image that a command describes, for a new process or for one that calls execve.
func (p *Process) prepare(c userland.Command, caller *image) (*image, error) {
	clock := caller.clock()
	clock.lock()
	umask := caller.p.umask
	clock.unlock()
	im := p.newImage(umask)
	prog, err := p.box.load(im.view, c.Dir, c.Path, c.Args)
	if err == nil {
		err = im.view.CheckDir(c.Dir)
	}
	if err != nil {
		im.cancel()
		return nil, err
	}
	im.assume(prog)
	for _, stream := range slices.Concat([]any{c.Stdin, c.Stdout, c.Stderr}, further(c)) {
		if closed, ok := stream.(closedStream); ok {
			im.fds = append(im.fds, closed)
		} else if err := im.inherit(stream, false); err != nil {
			im.discard()
			return nil, err
		}
	}
	return im, nil
}

// further are the descriptors above 2.
func further(c userland.Command) []any {
	var all []any
	for _, f := range c.Files {
		if f == nil {
			all = append(all, closedStream{})
		} else {
			all = append(all, f)
		}
	}
	return all
}

// bear lets a prepared process live. The lock is held.
func (p *Process) bear(caller, im *image, g userland.Group) error {
	if caller.gone {
		return errGone
	}
	if caller.p.crowded() {
		return syscall.EAGAIN
	}
	if err := p.joinGroup(g); err != nil {
		return err
	}
	if err := p.box.launch(im); err != nil {
		return err
	}
	switch t := im.terminal(); {
	case g.Session:
		if p.lead(); g.Foreground && t != nil && t.sid == 0 {
			p.takeTerminal(t)
		}
	case g.ID == userland.OwnGroup:
		p.pgid = p.pid
	}
	if t := im.terminal(); g.Foreground && t != nil && t == p.tty {
		t.fg = p.pgid
	}
	for n, a := range caller.p.actions {
		p.actions[n].ignore = a.ignore
	}
	p.Args, p.umask, p.limits = im.prog.argv, caller.p.umask, caller.p.limits
	im.begin()
	return nil
}

// Replace is execve: the caller does not come back from it, and what it had going is over.
func (s starter) Replace(c userland.Command) error {
	if err := s.im.enter(); err != nil {
		return err
	}
	p := s.im.p
	im, err := p.prepare(c, s.im)
	if err != nil {
		return err
	}
	clock := im.clock()
	clock.lock()
	if s.im.gone {
		clock.unlock()
		im.discard()
		return errGone
	}
	p.Args, p.Env, p.Cwd = im.prog.argv, slices.Clone(c.Environ), c.Dir
	for n := range p.actions {
		p.actions[n].handler = nil
	}
	im.begin()
	s.im.end()
	clock.unlock()
	runtime.Goexit()
	return nil
}

func (s starter) Foreground(terminal any, group int) error { return s.im.foreground(terminal, group) }

// child is a process as its parent knows it.
type child struct {
	parent *image
	p      *Process
	stop   func() bool // of the watch on the context
}

func (c *child) PID() int { return c.p.pid }

func (c *child) Signal(n int) error { return c.parent.kill(c.p.pid, n) }

// abandon kills the child when the context of its start ends, unless that is because the parent ended.
func (c *child) abandon() {
	clock := c.parent.clock()
	clock.lock()
	defer clock.unlock()
	if !c.parent.gone {
		c.p.post(sigKILL, false)
	}
}

// Wait is waitpid(2), with WUNTRACED for a child in another group.
func (c *child) Wait() (int, error) {
	clock := c.parent.clock()
	clock.lock()
	defer clock.unlock()
	for {
		if err := c.parent.gate(callCost); err != nil {
			return 0, err
		}
		if c.p.zombie {
			c.p.reap()
			c.stop()
			return c.p.exit.Code, nil
		}
		if c.p.stopNews && c.p.pgid != c.parent.p.pgid {
			c.p.stopNews = false
			return 0, userland.ErrStopped
		}
		clock.wait(c.parent, &c.parent.p.changed)
	}
}

// closedStream is a descriptor that is not open.
type closedStream struct{ userland.File }
