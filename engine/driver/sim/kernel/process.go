package kernel

import (
	"context"
	"slices"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

// Process is one process of a box, from its start until its parent has waited for it. What is exported is for those outside.
type Process struct {
	driver.Process // Args, Env and Cwd are guarded by the clock's lock: execve changes them
	box            *Box
	pid, hostPID   int
	cred           vfs.Cred
	started        time.Time
	file           string // that it was started from outside with, as it was found
	done           chan struct{}

	// Guarded by the clock's lock.
	parent    *Process // nil: somebody outside
	pgid, sid int      // 0: those of whoever started the box
	tty       *tty     // controlling terminal
	im        *image   // nil before the start
	umask     int
	limits    resources
	actions   [maxSignal + 1]action
	pending   uint64 // signals that could not be delivered yet
	stopped   bool
	stopNews  bool // the parent has not been told yet
	zombie    bool
	exit      driver.Exit
	outside   bool  // started from outside, and what is outside has not taken in its end yet
	changed   queue // parents' threads that wait for a child
	cpu       time.Duration
	memory    int64
}

// PID is the number inside the box.
func (p *Process) PID() int { return p.pid }

// File is the program that a process was started from outside with, as it was found: a path, or a name in PATH's folder.
func (p *Process) File() string { return p.file }

// HostPID is the number outside.
func (p *Process) HostPID() int { return p.hostPID }

// Wait returns when the process has ended, or with the error of ctx.
func (p *Process) Wait(ctx context.Context) (driver.Exit, error) {
	select {
	case <-p.done:
		return p.exit, nil
	default:
	}
	select {
	case <-p.done:
		return p.exit, nil
	case <-ctx.Done():
		return driver.Exit{}, ctx.Err()
	}
}

// Settled says that those outside have taken in the end of a process that they started. Until then the machine counts as busy, and no
// time is skipped.
func (p *Process) Settled() {
	c := p.box.m.clock
	c.lock()
	defer c.unlock()
	if p.outside && p.zombie {
		p.outside = false
		c.down()
	}
}

// Signal is kill(2) from outside; 0 only asks. EINVAL for what is no signal, driver.ErrNotRunning if the process has ended.
func (p *Process) Signal(sig driver.Signal) error {
	c := p.box.m.clock
	c.lock()
	defer c.unlock()
	switch {
	case sig < 0 || sig > maxSignal:
		return syscall.EINVAL
	case p.zombie:
		return driver.ErrNotRunning
	case sig > 0:
		p.post(int(sig), true)
	}
	return nil
}

// name is what ps shows as the command.
func (p *Process) name() string {
	name := p.im.prog.name
	const most = 15
	return name[:min(len(name), most)]
}

func (p *Process) ttyName() string {
	if p.tty == nil {
		return "?"
	}
	return p.tty.name()
}

// launch adds a process to the box and starts its image; the lock is held. EAGAIN at the limit.
func (b *Box) launch(im *image) error {
	p := im.p
	if b.dead {
		return syscall.ESRCH
	}
	if b.cfg.Limits.Pids > 0 && int64(len(b.procs)) >= b.cfg.Limits.Pids {
		return syscall.EAGAIN
	}
	b.lastPID++
	p.pid = b.lastPID
	p.started = b.m.clock.now()
	b.procs[p.pid] = p
	if b.init == nil {
		b.init = p
	}
	return nil
}

// begin runs the image's program.
func (im *image) begin() {
	env := im.env()
	im.p.im, im.p.cred = im, im.cred
	main := im.main
	if main == nil {
		main = func() int { return userland.Run(im.ctx, env, im.prog.argv) }
	}
	im.spawn(func() { im.exit(main()) })
	im.p.box.charge(im.p, processMemory-im.p.memory)
}

// exit is the end of a program by itself.
func (im *image) exit(code int) {
	c := im.clock()
	c.lock()
	defer c.unlock()
	if !im.gone {
		im.p.end(driver.Exit{Code: code & 0xff})
	}
}

// exitBySignal is how a process ends that a signal ends.
func exitBySignal(n int) driver.Exit { return driver.Exit{Code: 128 + n, Signal: driver.Signal(n)} }

// end makes a zombie of the process.
func (p *Process) end(e driver.Exit) {
	if p.zombie {
		return
	}
	b := p.box
	p.zombie, p.stopped = true, false
	if p.outside {
		b.m.clock.up()
	}
	p.im.end()
	b.charge(p, -p.memory)
	e.At = b.m.clock.now().UTC()
	e.OOMKilled = b.ooms > 0 && (e.Signal == sigKILL || e.Code == 128+sigKILL)
	p.exit = e
	p.leaveTerminal()
	for _, child := range b.sorted() {
		if child.parent == p && p != b.init {
			child.adopt()
		}
	}
	close(p.done)
	p.tellParent()
	if p == b.init {
		b.extinguish()
	}
}

// adopt gives an orphan to init, which alone decides whether it waits for it.
func (p *Process) adopt() {
	p.parent = p.box.init
	if p.zombie {
		p.tellParent()
	}
}

// tellParent tells of an end or a stop. A process that nobody inside waits for is gone at once.
func (p *Process) tellParent() {
	parent := p.parent
	if p.zombie && (parent == nil || parent.zombie || parent.actions[sigCHLD].ignore) {
		p.reap()
	}
	if parent != nil {
		parent.changed.wake()
		parent.post(sigCHLD, false)
	}
}

func (p *Process) reap() { delete(p.box.procs, p.pid) }

// members are the living processes of a group.
func (b *Box) members(pgid int) []*Process {
	return slices.DeleteFunc(b.sorted(), func(p *Process) bool { return p.pgid != pgid || p.zombie })
}
