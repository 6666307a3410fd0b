package kernel

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// What one Hurry may skip before the clock goes on at the pace of real time.
const (
	hurryJumps = 200
	hurryTime  = time.Hour
)

// settleTime is how long the machine must have been silent before a time is skipped: some of a program's goroutines wait for
// each other without telling.
const settleTime = 200 * time.Microsecond

// Clock is the time of simulated machines. It is ahead of the host's clock by the times that were skipped, or, frozen, stands
// still but for skips and ticks. A time is skipped when somebody is in a hurry and every process waits for a timer. A timer
// goes off at the latest when as much real time has passed.
//
// It is also what the machines on it are locked and scheduled by. Its methods may be called from many goroutines.
type Clock struct {
	mu     sync.Mutex // guards everything of every machine on this clock
	after  []func()   // to be done when the lock is free
	host   func() time.Time
	jumped func(time.Duration)
	frozen bool

	at       time.Time     // now, if frozen
	skew     time.Duration // ahead of the host, if not frozen
	skipped  time.Duration // all that was ever skipped or ticked
	timers   []*timer      // by the time when they are due, then by age
	hurries  []*hurry
	busy     int    // images with a running thread, and streams that hold something for an outsider
	calls    uint64 // grows with everything that happens
	settling bool   // a goroutine is about to see whether it stays silent
	alarm    *time.Timer
}

// timer is something to be done at a time. All of it is guarded by the clock's lock.
type timer struct {
	when time.Time
	real time.Time // the real time at which it goes off anyway, had nothing been skipped since zero
	box  *Box      // whose time stands still while it is frozen; nil for outsiders
	proc *Process  // that waits for it, if it is one
	fire func()    // called with the lock held
}

type hurry struct {
	box     *Box     // whose processes are waited for; nil: a time is
	of      *Process // of the box, with its descendants; nil: all
	within  time.Duration
	until   time.Time // no timer after this is brought forward; zero: no bound
	jumps   int
	skipped time.Duration
}

// NewClock makes a clock. now is the host's time; a frozen clock starts at it. jumped, which may be nil, is told of every skip
// after it happened.
func NewClock(now func() time.Time, frozen bool, jumped func(d time.Duration)) *Clock {
	return &Clock{host: now, frozen: frozen, jumped: jumped, at: now()}
}

// Now is the time of the machines.
func (c *Clock) Now() time.Time {
	c.lock()
	defer c.unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	if c.frozen {
		return c.at
	}
	return c.host().Add(c.skew)
}

// Tick moves a frozen clock on; another one moves by itself.
func (c *Clock) Tick(d time.Duration) {
	c.lock()
	defer c.unlock()
	if c.frozen && d > 0 {
		c.at = c.at.Add(d)
		c.passed(d)
	}
}

// Skew is how far the clock is ahead of the host's; 0 for a frozen one.
func (c *Clock) Skew() time.Duration {
	c.lock()
	defer c.unlock()
	return c.skew
}

// SetSkew takes in what another process has skipped. The clock never goes back: a smaller skew than its own changes nothing.
func (c *Clock) SetSkew(d time.Duration) {
	c.lock()
	defer c.unlock()
	if !c.frozen && d > c.skew {
		more := d - c.skew
		c.skew = d
		c.passed(more)
	}
}

// Hurry says that somebody outside waits for a time of an AfterFunc: until done is called, times in which every process waits are
// skipped, up to a bound.
func (c *Clock) Hurry() (done func()) { return c.hurry(&hurry{}) }

// Hurry says that somebody outside waits for the box: until done is called, times in which its processes sleep and every process of the
// machine waits are skipped, up to a bound.
func (b *Box) Hurry() (done func()) { return b.m.clock.hurry(&hurry{box: b}) }

// HurryFor is Hurry for somebody who waits for d at most: what is to happen later is left where it is, also when he has not said yet that he is done.
func (b *Box) HurryFor(d time.Duration) (done func()) {
	return b.m.clock.hurry(&hurry{box: b, within: max(d, 1)})
}

// Hurry says that somebody outside waits for p: as for the box, but what others in it sleep for is no reason to skip. Somebody who sits at a
// prompt in a container does not make its first process sleep for less.
func (p *Process) Hurry() (done func()) { return p.box.m.clock.hurry(&hurry{box: p.box, of: p}) }

func (c *Clock) hurry(h *hurry) (done func()) {
	c.lock()
	defer c.unlock()
	if h.within > 0 {
		h.until = c.now().Add(h.within)
	}
	c.hurries = append(c.hurries, h)
	c.consider()
	return sync.OnceFunc(func() {
		c.lock()
		defer c.unlock()
		c.hurries = slices.DeleteFunc(c.hurries, func(o *hurry) bool { return o == h })
	})
}

// Sleep is for those outside of the machines, and is a Hurry. It gives the error of ctx if that ends first.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	defer c.Hurry()()
	over := make(chan struct{})
	stop := c.AfterFunc(d, func() { close(over) })
	defer stop()
	select {
	case <-over:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AfterFunc calls f in a goroutine of its own after d of the machines' time, or never if stop comes before; stop tells so.
// It is no Hurry.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c.lock()
	defer c.unlock()
	t := c.add(d, nil, nil, func() { go f() })
	return func() bool {
		c.lock()
		defer c.unlock()
		return c.drop(t)
	}
}

// AfterFunc is the clock's, for those outside who serve the box: the timer stands still while the box is frozen.
func (b *Box) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c := b.m.clock
	c.lock()
	defer c.unlock()
	t := c.add(d, b, nil, func() { go f() })
	return func() bool {
		c.lock()
		defer c.unlock()
		return c.drop(t)
	}
}

func (c *Clock) lock() { c.mu.Lock() }

// unlock also does what had to wait for it.
func (c *Clock) unlock() {
	after := c.after
	c.after = nil
	c.mu.Unlock()
	for _, f := range after {
		f()
	}
}

// later notes what may not be done under the lock.
func (c *Clock) later(f func()) { c.after = append(c.after, f) }

// up says that something runs, down that it waits or ended.
func (c *Clock) up() {
	c.busy++
	c.calls++
}

func (c *Clock) down() {
	c.busy--
	c.calls++
	if c.frozen && c.busy == 0 && len(c.timers) > 0 {
		c.arm()
	}
	c.consider()
}

func (c *Clock) add(d time.Duration, box *Box, p *Process, fire func()) *timer {
	d = max(d, 0)
	t := &timer{when: c.now().Add(d), real: time.Now().Add(d + c.skipped), box: box, proc: p, fire: fire}
	at, _ := slices.BinarySearchFunc(c.timers, t.when, func(o *timer, when time.Time) int {
		if o.when.After(when) {
			return 1
		}
		return -1
	})
	c.timers = slices.Insert(c.timers, at, t)
	c.arm()
	c.consider()
	return t
}

// drop takes a timer away and tells whether it was still there.
func (c *Clock) drop(t *timer) bool {
	at := slices.Index(c.timers, t)
	if at < 0 {
		return false
	}
	c.timers = slices.Delete(c.timers, at, at+1)
	return true
}

func (t *timer) held() bool { return t.box != nil && t.box.frozen }

// next is the timer that is due first.
func (c *Clock) next() *timer {
	for _, t := range c.timers {
		if !t.held() {
			return t
		}
	}
	return nil
}

// passed is called after time has moved by other means than its own.
func (c *Clock) passed(d time.Duration) {
	c.skipped += d
	c.calls++
	c.arm()
	c.consider()
}

// consider has it looked into whether a time can be skipped.
func (c *Clock) consider() {
	if !c.settling && c.idle() {
		c.settling = true
		go c.settle()
	}
}

// idle tells whether nothing can happen before the next timer, and that may be brought forward.
func (c *Clock) idle() bool {
	t := c.next()
	if c.busy > 0 || t == nil {
		return false
	}
	d := t.when.Sub(c.now())
	return d <= 0 || c.hurried(d)
}

// hurried tells whether d may be skipped: somebody waits for a timer, if perhaps a later one, and has not skipped too much already.
func (c *Clock) hurried(d time.Duration) bool {
	return slices.ContainsFunc(c.hurries, func(h *hurry) bool {
		return h.jumps < hurryJumps && d <= hurryTime-h.skipped && (h.until.IsZero() || !c.now().Add(d).After(h.until)) && c.awaited(h)
	})
}

// awaited tells whether h waits for some timer. What a process waits for otherwise, such as input, takes as long as it takes, and the
// timers of other boxes are nothing to h.
func (c *Clock) awaited(h *hurry) bool {
	return slices.ContainsFunc(c.timers, func(t *timer) bool { return !t.held() && (t.box == nil || t.box == h.box && t.concerns(h.of)) })
}

// concerns tells whether p, or one that descends from it, waits for the timer; nil is everybody.
func (t *timer) concerns(p *Process) bool {
	if p == nil {
		return true
	}
	for q := t.proc; q != nil; q = q.parent {
		if q == p {
			return true
		}
	}
	return false
}

// settle fires timers, one at a time, as long as the machine stays idle in between. It ends when it does not.
func (c *Clock) settle() {
	for {
		c.lock()
		calls := c.calls
		c.unlock()
		for range 4 {
			runtime.Gosched()
			time.Sleep(settleTime / 4)
		}
		c.lock()
		if !c.idle() {
			c.settling = false
			c.unlock()
			return
		}
		if c.calls == calls {
			c.skip()
		}
		c.unlock()
	}
}

// skip brings the next timer forward.
func (c *Clock) skip() {
	t := c.next()
	if d := t.when.Sub(c.now()); d > 0 {
		for _, h := range c.hurries {
			h.jumps++
			h.skipped += d
		}
		c.advance(t.when, d)
		c.skipped += d
	}
	c.drop(t)
	c.calls++
	t.fire()
	c.arm()
}

func (c *Clock) advance(to time.Time, d time.Duration) {
	if c.frozen {
		c.at = to
	} else {
		c.skew += d
	}
	if c.jumped != nil {
		c.later(func() { c.jumped(d) })
	}
}

// patience is how much longer a timer of a frozen clock waits for real time while something runs: on a host that is slow just
// then, what runs would come too late for its own time.
const patience = 250 * time.Millisecond

// left is the real time until a timer goes off by itself.
func (c *Clock) left(t *timer) time.Duration {
	d := time.Until(t.real) - c.skipped
	if c.frozen && c.busy > 0 {
		d += patience
	}
	return d
}

// arm sets the host's timer to the first of ours.
func (c *Clock) arm() {
	first := time.Duration(-1)
	for _, t := range c.timers {
		if d := max(c.left(t), 0); !t.held() && (first < 0 || d < first) {
			first = d
		}
	}
	switch {
	case first < 0 && c.alarm != nil:
		c.alarm.Stop()
	case first < 0:
	case c.alarm == nil:
		c.alarm = time.AfterFunc(first, c.ring)
	default:
		c.alarm.Reset(first)
	}
}

// ring fires the timers whose real time has come.
func (c *Clock) ring() {
	c.lock()
	defer c.unlock()
	for i := 0; i < len(c.timers); {
		t := c.timers[i]
		if t.held() || c.left(t) > 0 {
			i++
			continue
		}
		if d := t.when.Sub(c.now()); c.frozen && d > 0 {
			c.advance(t.when, d)
		}
		c.drop(t)
		c.calls++
		t.fire()
		i = 0
	}
	c.arm()
}
