package kernel

import (
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// What things cost. The machine's own unit of work is a call; what a program computes in between is free.
const (
	callCost = 2 * time.Microsecond
	moveCost = time.Microsecond // of a KiB through a stream

	processMemory = 1 << 20  // of every process from its start
	programSize   = 16 << 20 // of the address space, besides what is in memory

	defaultPeriod = 100 * time.Millisecond
)

// spend counts processor time, and waits for the next period when the box has used up its share of this one.
func (im *image) spend(cost time.Duration) error {
	im.p.used(cost)
	b := im.p.box
	for !im.gone && b.exhausted() {
		w := im.clock().waiter(im)
		t := im.timer(b.window.Add(period(b.cfg.Limits)).Sub(im.clock().now()), w.wake)
		im.clock().park(w)
		im.dropTimer(t)
	}
	if im.gone {
		return errGone
	}
	return nil
}

// used counts processor time.
func (p *Process) used(cost time.Duration) {
	p.cpu += cost
	p.box.cpu += cost
	p.box.used += cost
}

// exhausted tells whether the quota of this period is used up; it begins the next one when that is due.
func (b *Box) exhausted() bool {
	quota, now := b.cfg.Limits.CPUQuota, b.m.clock.now()
	if quota <= 0 {
		return false
	}
	if now.Sub(b.window) >= period(b.cfg.Limits) {
		b.window, b.used = now, 0
	}
	return b.used > quota
}

func period(l driver.Limits) time.Duration {
	if l.CPUPeriod > 0 {
		return l.CPUPeriod
	}
	return defaultPeriod
}

// memory is userland.Memory.
type memory struct{ im *image }

func (m memory) Grow(n int64) error {
	c := m.im.clock()
	c.lock()
	defer c.unlock()
	if err := m.im.gate(callCost); err != nil {
		return err
	}
	p := m.im.p
	p.box.charge(p, max(n, processMemory-p.memory))
	if m.im.gone {
		return syscall.ENOMEM
	}
	return nil
}

// charge counts memory of a process, or gives it back.
func (b *Box) charge(p *Process, n int64) {
	p.memory += n
	b.grow(n)
}

// Account counts memory of the box that is no process's: pages of a tmpfs. It is made for vfs.NewTmpfs. ENOSPC if the memory is
// not there even after processes were killed for it.
func (b *Box) Account(delta int64) error {
	c := b.m.clock
	c.lock()
	b.shared += delta
	b.grow(delta)
	over := delta > 0 && b.memory > b.limit()
	if over {
		b.shared -= delta
		b.grow(-delta)
	}
	// What is left to do may concern the very file system that calls.
	after := c.after
	c.after = nil
	c.unlock()
	if len(after) > 0 {
		go func() {
			for _, f := range after {
				f()
			}
		}()
	}
	if over {
		return syscall.ENOSPC
	}
	return nil
}

// grow counts memory; as long as it is more than there may be, the largest process is killed.
func (b *Box) grow(n int64) {
	b.memory += n
	b.m.used += n
	if n > 0 {
		b.squeeze()
	}
	b.peak = max(b.peak, b.memory)
}

// squeeze kills until what is left fits.
func (b *Box) squeeze() {
	for b.memory > b.limit() {
		b.peak = b.limit() // pages come one by one, so it was all there was
		victim := b.largest()
		if victim == nil {
			return
		}
		b.ooms++
		victim.end(exitBySignal(sigKILL))
	}
}

// SetLimits changes what bounds the box. Processes that do not fit any more are killed, as version 2 of control groups does it.
func (b *Box) SetLimits(l driver.Limits) {
	b.m.clock.lock()
	defer b.m.clock.unlock()
	b.cfg.Limits = l
	b.squeeze()
}

// cpus is how many CPUs the box may use.
func (b *Box) cpus() int {
	if set, err := driver.ParseSet(b.cfg.Limits.CPUs); err == nil {
		return len(set)
	}
	return b.m.cpus
}

func (b *Box) limit() int64 {
	if l := b.cfg.Limits.MemoryBytes; l > 0 {
		return min(l, b.m.memory)
	}
	return b.m.memory
}

// largest is the process that has the most memory, of several the youngest. Its owner may have shifted that by thousandths of what the box
// may have, and with the lowest value it is never chosen (proc_pid_oom_score_adj(5)).
func (b *Box) largest() *Process {
	const never = -1000
	var found *Process
	var most int64
	for _, p := range b.sorted() {
		badness := p.memory + int64(p.OOMScoreAdj)*(b.limit()/1000)
		if !p.zombie && p.OOMScoreAdj != never && (found == nil || badness >= most) {
			found, most = p, badness
		}
	}
	return found
}
