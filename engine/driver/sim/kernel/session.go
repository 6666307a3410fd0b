package kernel

import (
	"strconv"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/userland"
)

// takeTerminal makes p the leader of a session that t controls.
func (p *Process) takeTerminal(t *tty) {
	p.sid, p.pgid, p.tty = p.pid, p.pid, t
	t.sid, t.fg = p.pid, p.pid
	if t.box != nil {
		return
	}
	t.box = p.box
	for p.box.terminals[t.index] != nil {
		t.index++
	}
	p.box.terminals[t.index] = t
	p.box.link(t, p)
}

// link makes the node of a terminal, unlink removes it.
func (b *Box) link(t *tty, owner *Process) {
	if b.cfg.Pts == nil {
		return
	}
	const group, mode = 5, 0o620 // tty
	name := strconv.Itoa(t.index)
	node := fsys.New{Kind: fsys.CharDevice, Mode: mode, UID: int(owner.UID), GID: group, Rdev: t.number()}
	b.m.clock.later(func() { _ = b.cfg.Pts.Make(name, node) }) // it can only be there already
}

func (b *Box) unlink(t *tty) {
	if b.cfg.Pts == nil {
		return
	}
	name := strconv.Itoa(t.index)
	b.m.clock.later(func() { _ = b.cfg.Pts.Remove(name) }) // a program may have done that
}

// leaveTerminal is what happens when a session's leader ends: the terminal is free, and the foreground hears of it.
func (p *Process) leaveTerminal() {
	t := p.tty
	if t == nil || p.sid != p.pid {
		return
	}
	fg := t.fg
	t.sid, t.fg = 0, 0
	for _, o := range p.box.sorted() {
		if o.sid != p.sid {
			continue
		}
		o.tty = nil
		if o.pgid == fg && o != p {
			o.post(sigHUP, false)
			o.post(sigCONT, false)
		}
	}
}

// lead makes p the leader of a session and a group.
func (p *Process) lead() { p.sid, p.pgid, p.tty = p.pid, p.pid, nil }

// NewSession is setsid(2).
func (s starter) NewSession() error {
	c := s.im.clock()
	c.lock()
	defer c.unlock()
	if err := s.im.gate(callCost); err != nil {
		return err
	}
	p := s.im.p
	if p.pgid == p.pid || len(p.box.members(p.pid)) > 0 {
		return syscall.EPERM
	}
	p.lead()
	return nil
}

// joinGroup puts a process that is about to start into its group.
func (p *Process) joinGroup(g userland.Group) error {
	p.pgid, p.sid, p.tty = p.parent.pgid, p.parent.sid, p.parent.tty
	switch {
	case g.Session:
		p.lead()
	case g.ID == userland.OwnGroup:
		p.pgid = p.pid
	case g.ID > 0:
		others := p.box.members(g.ID)
		if len(others) == 0 || others[0].sid != p.sid {
			return syscall.EPERM
		}
		p.pgid = g.ID
	}
	return nil
}

// foreground is tcsetpgrp(3).
func (im *image) foreground(terminal any, group int) error {
	s, ok := terminal.(*terminalStream)
	if !ok {
		return syscall.ENOTTY
	}
	c := im.clock()
	c.lock()
	defer c.unlock()
	if err := im.gate(callCost); err != nil {
		return err
	}
	if im.p.tty != s.tty || s.tty.hung {
		return syscall.ENOTTY
	}
	if err := s.tty.control(im); err != nil {
		return err
	}
	if group == 0 {
		group = im.p.pgid
	}
	members := im.p.box.members(group)
	if len(members) == 0 || members[0].sid != im.p.sid {
		return syscall.EPERM
	}
	s.tty.fg = group
	return nil
}

// terminal finds the terminal that a device number means to a process.
func (p *Process) terminal(rdev uint64) *tty {
	const ttyMajor, ttyMinor, consoleMinor = 5, 0, 1
	switch major, minor := fsys.Major(rdev), fsys.Minor(rdev); {
	case major == ttyMajor && minor == ttyMinor:
		return p.tty
	case major == ttyMajor && minor == consoleMinor:
		return p.box.terminals[0]
	case major == ptsMajor:
		return p.box.terminals[int(minor)]
	}
	return nil
}
