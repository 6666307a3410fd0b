package kernel

import (
	"math/bits"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

// Signals by Linux's numbers.
const (
	sigHUP, sigINT, sigQUIT, sigKILL, sigSEGV, sigPIPE   = 1, 2, 3, 9, 11, 13
	sigCHLD, sigCONT, sigSTOP, sigTSTP, sigTTIN, sigTTOU = 17, 18, 19, 20, 21, 22
	sigURG, sigWINCH                                     = 23, 28
	maxSignal                                            = 64
)

func bit(n int) uint64 { return 1 << (n - 1) }

// What a signal does to a process that has not said otherwise.
type effect uint8

const (
	terminates effect = iota
	ignored
	stops
	continues
)

func defaultEffect(n int) effect {
	switch n {
	case sigCHLD, sigURG, sigWINCH:
		return ignored
	case sigSTOP, sigTSTP, sigTTIN, sigTTOU:
		return stops
	case sigCONT:
		return continues
	}
	return terminates
}

// action is what a process has said about one signal; the zero action is the default.
type action struct {
	ignore  bool
	handler chan<- int
}

// post sends a signal; outside tells that it does not come from the box. The lock is held.
func (p *Process) post(n int, outside bool) {
	if p.zombie || n == sigKILL && p.protected(n, outside) {
		return
	}
	if n == sigKILL {
		p.end(exitBySignal(n))
		return
	}
	switch defaultEffect(n) {
	case continues:
		p.resume()
	case stops:
		p.pending &^= bit(sigCONT)
	}
	if a := p.actions[n]; a.ignore || a.handler == nil && (defaultEffect(n) == ignored || p.protected(n, outside)) {
		return
	}
	if p.stopped || p.box.frozen {
		p.pending |= bit(n)
		return
	}
	p.take(n)
}

// protected tells whether init is spared, see pid_namespaces(7): a signal that it has no handler for does nothing, but for
// SIGKILL and SIGSTOP from outside.
func (p *Process) protected(n int, outside bool) bool {
	return p == p.box.init && !(outside && (n == sigKILL || n == sigSTOP))
}

// take lets a signal have its effect.
func (p *Process) take(n int) {
	if handler := p.actions[n].handler; handler != nil {
		select {
		case handler <- n:
			p.box.m.clock.calls++
		default:
			p.pending |= bit(n) // until it has read some
		}
		return
	}
	switch defaultEffect(n) {
	case terminates:
		p.end(exitBySignal(n))
	case stops:
		p.stopped, p.stopNews = true, true
		p.tellParent()
	}
}

// deliverPending lets the signals have their effect that came when they could not.
func (p *Process) deliverPending() {
	for waiting := p.pending; waiting != 0 && !p.zombie && !p.stopped; {
		n := bits.TrailingZeros64(waiting) + 1
		waiting &^= bit(n)
		p.pending &^= bit(n)
		if !p.actions[n].ignore {
			p.take(n)
		}
	}
}

// resume is what SIGCONT does in any case.
func (p *Process) resume() {
	for _, n := range []int{sigSTOP, sigTSTP, sigTTIN, sigTTOU} {
		p.pending &^= bit(n)
	}
	if !p.stopped {
		return
	}
	p.stopped, p.stopNews = false, false
	if !p.box.frozen {
		p.box.held.wake()
		p.deliverPending()
	}
	p.box.m.clock.consider()
}

// signals is userland.Signals for one image.
type signals struct{ im *image }

// set changes the actions of those signals that can be changed.
func (s signals) set(a action, numbers []int) {
	c := s.im.clock()
	c.lock()
	defer c.unlock()
	if s.im.gone {
		return
	}
	for _, n := range numbers {
		if n > 0 && n <= maxSignal && n != sigKILL && n != sigSTOP {
			s.im.p.actions[n] = a
		}
	}
}

func (s signals) Notify(ch chan<- int, numbers ...int) { s.set(action{handler: ch}, numbers) }
func (s signals) Ignore(numbers ...int)                { s.set(action{ignore: true}, numbers) }
func (s signals) Default(numbers ...int)               { s.set(action{}, numbers) }

func (s signals) Umask(mask int) int {
	c := s.im.clock()
	c.lock()
	defer c.unlock()
	old := s.im.p.umask
	if !s.im.gone {
		s.im.p.umask = mask & 0o777
		s.im.view.Umask(mask & 0o777)
	}
	return old
}

// kill is kill(2).
func (im *image) kill(pid, n int) error {
	c := im.clock()
	c.lock()
	defer c.unlock()
	if err := im.gate(callCost); err != nil {
		return err
	}
	if n < 0 || n > maxSignal {
		return syscall.EINVAL
	}
	targets := im.p.targets(pid)
	if len(targets) == 0 {
		return syscall.ESRCH
	}
	allowed := false
	for _, t := range targets {
		if !im.p.maySignal(t, n) {
			continue
		}
		allowed = true
		if n != 0 {
			t.post(n, false)
		}
	}
	if !allowed {
		return syscall.EPERM
	}
	return nil
}

// targets are the processes that a number means to kill(2).
func (p *Process) targets(pid int) []*Process {
	var all []*Process
	for _, t := range p.box.sorted() {
		switch {
		case pid > 0 && t.pid == pid, pid == 0 && t.pgid == p.pgid, pid < -1 && t.pgid == -pid, pid == -1 && t != p && t != p.box.init:
			all = append(all, t)
		}
	}
	return all
}

func (p *Process) maySignal(t *Process, n int) bool {
	return p.cred.Can(vfs.CapKill) || p.cred.UID == t.cred.UID || n == sigCONT && p.sid == t.sid
}

var _ userland.Signals = signals{}
