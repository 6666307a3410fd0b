package kernel

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

// queue holds threads that wait for the same thing. It is guarded by the clock's lock.
type queue []*waiter

// waiter is one waiting thread; im is nil for an outsider's.
type waiter struct {
	im    *image
	ready chan struct{}
	woken bool
}

func (w *waiter) wake() {
	if w.woken {
		return
	}
	w.woken = true
	if w.im != nil {
		w.im.waiting = slices.DeleteFunc(w.im.waiting, func(o *waiter) bool { return o == w })
		w.im.run()
	}
	close(w.ready)
}

// wake lets all that wait look again.
func (q *queue) wake() {
	for _, w := range *q {
		w.wake()
	}
	*q = nil
}

// wait is called with the lock held and returns with the lock held, after somebody woke q or im ended.
func (c *Clock) wait(im *image, q *queue) {
	w := c.waiter(im)
	*q = append(slices.DeleteFunc(*q, func(o *waiter) bool { return o.woken }), w)
	c.park(w)
}

func (c *Clock) waiter(im *image) *waiter {
	w := &waiter{im: im, ready: make(chan struct{})}
	if im != nil {
		im.waiting = append(im.waiting, w)
		im.rest()
	}
	return w
}

func (c *Clock) park(w *waiter) {
	c.unlock()
	<-w.ready
	c.lock()
	c.calls++
}

// image is one execution of one program: what a process is until it ends or calls execve.
type image struct {
	p         *Process
	ctx       context.Context
	cancel    context.CancelFunc
	prog      program
	main      func() int // what it does, if it is none of userland's programs
	cred      vfs.Cred   // that the program runs with
	view      *vfs.View
	fds       []userland.File // descriptors that it was started with; nil: closed
	gone      bool            // guarded by the clock's lock, as all that follows
	running   int             // threads that run, as far as they tell; below 0 when threads wait that nobody told of
	waiting   []*waiter       // threads that wait in the kernel
	timers    []*timer
	listeners []*userListener // closed before anybody can see that the program has ended
	open      []*stream       // that are still open
}

// run counts a thread that runs, rest one that no longer does.
func (im *image) run() {
	im.running++
	if im.running == 1 && !im.gone {
		im.clock().up()
	}
}

func (im *image) rest() {
	im.running--
	if im.running == 0 && !im.gone {
		im.clock().down()
	}
}

func (im *image) clock() *Clock { return im.p.box.m.clock }

// end makes the image dead: whoever waits in it is woken, and its calls fail from now on.
func (im *image) end() {
	if im.gone {
		return
	}
	im.gone = true
	if im.running > 0 {
		im.clock().down()
	}
	for _, t := range im.timers {
		im.clock().drop(t)
	}
	im.timers = nil
	for _, w := range slices.Clone(im.waiting) {
		w.wake()
	}
	im.closeAll()
	im.clock().later(im.cancel)
}

// errGone is what the calls of a dead program give.
const errGone = syscall.EIO

// gate begins a call, with the lock held: it waits while the process is stopped, its box frozen or its share of the processors
// used up, and fails once the image is dead.
func (im *image) gate(cost time.Duration) error {
	p := im.p
	for !im.gone && (p.stopped || p.box.frozen) {
		im.clock().wait(im, &p.box.held)
	}
	if im.gone {
		return errGone
	}
	im.clock().calls++
	p.deliverPending()
	if im.gone {
		return errGone
	}
	return im.spend(cost)
}

// enter is a whole call that only passes the gate.
func (im *image) enter() error {
	c := im.clock()
	c.lock()
	defer c.unlock()
	return im.gate(callCost)
}

// spawn runs f in a goroutine that counts as a thread of the program. The lock is held.
func (im *image) spawn(f func()) {
	im.run()
	im.p.box.goroutines++
	go func() {
		defer im.finish()
		f()
	}()
}

// finish ends a thread, also one that panicked: that is a fault of the program and ends the process, not the machine.
func (im *image) finish() {
	fault := recover()
	c := im.clock()
	c.lock()
	defer c.unlock()
	if fault != nil {
		im.p.box.m.report(im.p, fault)
		if !im.gone {
			im.p.end(exitBySignal(sigSEGV))
		}
	}
	im.rest()
	im.p.box.goroutines--
	im.p.box.settle()
}

// report tells of a program's panic.
func (m *Machine) report(p *Process, fault any) {
	if m.log == nil {
		return
	}
	text := fmt.Sprintf("Segmentation fault: %s (pid %d): %v\n%s", p.name(), p.pid, fault, debug.Stack())
	m.clock.later(func() { io.WriteString(m.log, text) })
}

// threads is userland.Threads for one image.
type threads struct{ im *image }

func (t threads) Go(f func()) {
	c := t.im.clock()
	c.lock()
	defer c.unlock()
	t.im.spawn(f)
}

func (t threads) Block(f func()) {
	c := t.im.clock()
	c.lock()
	t.im.rest()
	c.unlock()
	defer func() {
		c.lock()
		defer c.unlock()
		c.calls++
		t.im.run()
	}()
	f()
}

func (t threads) Sleep(ctx context.Context, d time.Duration) error {
	c := t.im.clock()
	c.lock()
	defer c.unlock()
	if err := t.im.gate(callCost); err != nil {
		return err
	}
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	w := c.waiter(t.im)
	timer := t.im.timer(d, w.wake)
	stop := context.AfterFunc(ctx, func() {
		c.lock()
		defer c.unlock()
		w.wake()
	})
	c.park(w)
	stop()
	t.im.dropTimer(timer)
	if err := t.im.gate(0); err != nil {
		return err
	}
	return ctx.Err()
}

func (t threads) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c := t.im.clock()
	c.lock()
	defer c.unlock()
	if t.im.gone {
		return func() bool { return false }
	}
	timer := t.im.timer(d, nil)
	timer.fire = func() {
		t.im.dropTimer(timer)
		t.im.spawn(f)
	}
	return func() bool {
		c.lock()
		defer c.unlock()
		return t.im.dropTimer(timer)
	}
}

// timer is a timer of the program, which ends with it.
func (im *image) timer(d time.Duration, fire func()) *timer {
	t := im.clock().add(d, im.p.box, im.p, fire)
	im.timers = append(im.timers, t)
	return t
}

func (im *image) dropTimer(t *timer) bool {
	im.timers = slices.DeleteFunc(im.timers, func(o *timer) bool { return o == t })
	return im.clock().drop(t)
}

var _ userland.Threads = threads{}
