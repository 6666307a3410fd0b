//go:build linux

package shim

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/trace"
)

// Net is what a supervisor connects its container to.
type Net struct {
	Plan     network.Plan `json:"plan"`
	Home     string       `json:"home"`      // the engine's folder: whose bridges and rules they are
	Dir      string       `json:"connected"` // folder of Connected
	Servers  []netip.Addr `json:"servers,omitempty"`
	Rootless bool         `json:"rootless,omitempty"`
	Path     string       `json:"path,omitempty"` // the user's PATH, for programs that are a way out
}

// cables join a container's network namespace to others'.
type cables interface {
	// Connect carries out a plan whose ports are chosen.
	Connect(ctx context.Context, plan network.Plan, netns int) error
	// Withdraw makes the container of the plan unreachable, and what it had free for others. Disconnect follows.
	Withdraw(ctx context.Context, plan network.Plan) error
	// Disconnect takes back what Connect made.
	Disconnect(ctx context.Context, plan network.Plan) error
	// Reroute gives the container the default routes that the plan says, and no other.
	Reroute(ctx context.Context, plan network.Plan, netns int) error
	// Restore puts back what is missing of plans that were carried out.
	Restore(ctx context.Context, plans []network.Plan) (lost []wiring.Change, err error)
}

// connection is a container's part in networks, as its supervisor keeps it.
type connection struct {
	cfg    *Net
	id     string
	state  Connected
	tell   *teller
	cables cables
	netns  *os.File

	stop  context.CancelFunc // of the watch
	watch sync.WaitGroup

	mu    sync.Mutex // guards what follows
	ports *publishing
	ended bool
	plan  network.Plan
	file  *os.File // holds the lock of the plan's file
	names *resolver
}

// connectLimit is how long the machine may take to connect a container.
const connectLimit = 30 * time.Second

// connect carries out the plan for the container whose first process is pid. An error leaves nothing of it behind.
func (s *shim) connect(pid int) (*connection, error) {
	netns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("connect container: %w", err)
	}
	c := &connection{cfg: s.cfg.Net, id: s.cfg.ID, state: Connected{s.cfg.Net.Dir}, tell: &teller{id: s.cfg.ID, log: s.eventLog}, netns: netns}
	c.cables = newCables(c.cfg, c.tell.change)
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	if err := c.open(ctx, c.cfg.Plan); err != nil {
		return nil, errors.Join(err, c.close(ctx))
	}
	return c, nil
}

// open publishes ports first: only then it is known which ones, and a conflict costs nothing.
func (c *connection) open(ctx context.Context, plan network.Plan) (err error) {
	if c.ports, err = c.publish(ctx, plan.Ports); err != nil {
		return err
	}
	plan.Ports = c.ports.now
	if c.file, err = c.state.hold(plan, nil); err != nil {
		return err
	}
	failpoint.Hit("shim.connect.recorded")
	c.plan = plan
	if err := c.cables.Connect(ctx, plan, int(c.netns.Fd())); err != nil {
		return err
	}
	failpoint.Hit("shim.connect.connected")
	plan = confined(plan, c.cables)
	c.tell.published(plan.Ports)
	if plan.Resolver != nil {
		if c.names, err = c.serveNames(plan); err != nil {
			return err
		}
		c.tell.resolver(plan, c.cfg.Servers)
	}
	c.keep()
	return nil
}

// withdraw ends the container's part in networks as far as others can see: its ports and addresses are free, its names gone. The file that stays
// says that there is something left to take apart.
func (c *connection) withdraw(ctx context.Context) error {
	if c.stop != nil {
		c.stop()
		c.watch.Wait()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	c.ended = true
	errs := []error{c.ports.close()}
	if c.names != nil {
		errs = append(errs, c.names.close())
	}
	if c.file == nil {
		return errors.Join(errs...)
	}
	errs = append(errs, c.cables.Withdraw(ctx, c.plan))
	file, err := c.state.hold(network.Plan{Container: c.id}, c.file)
	if err == nil {
		c.file = file
	}
	c.tell.stop()
	return errors.Join(append(errs, err)...)
}

// close takes back all that open made. What could not be taken back is found by the file that stays.
func (c *connection) close(ctx context.Context) error {
	errs := []error{c.withdraw(ctx)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil {
		err := c.cables.Disconnect(ctx, c.plan)
		if err == nil {
			err = c.state.Drop(c.id)
		}
		errs = append(errs, err, c.file.Close())
		c.file = nil
	}
	return errors.Join(append(errs, c.netns.Close())...)
}

// How often a supervisor looks whether rules and bridges are still there.
const restoreEvery = 4 * time.Second

// keep has what the machine loses put back, by one of all supervisors.
func (c *connection) keep() {
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.watch.Go(func() {
		w := watchman{connection: c}
		defer w.leave()
		t := time.NewTicker(restoreEvery)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				w.look(ctx)
			}
		}
	})
}

// watchman is on duty while it holds the lock that all supervisors of a home ask for.
type watchman struct {
	*connection

	lock *os.File
}

func (w *watchman) look(ctx context.Context) {
	if w.lock == nil && !w.take() {
		return
	}
	plans, err := w.state.Alive()
	if err != nil {
		return
	}
	_, _ = w.cables.Restore(ctx, plans) // it is tried again
}

func (w *watchman) take() bool {
	f, err := os.OpenFile(filepath.Join(w.state.Dir, ".watch"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = f.Close()
		return false
	}
	w.lock = f
	return true
}

func (w *watchman) leave() {
	if w.lock != nil {
		_ = w.lock.Close()
	}
}

// Alive gives the plans of the containers whose supervisors are there.
func (c Connected) Alive() ([]network.Plan, error) {
	all, err := c.All()
	var plans []network.Plan
	for _, p := range all {
		if p.Alive {
			plans = append(plans, p.Plan)
		}
	}
	return plans, err
}

// connecting is a connection that is being made while the first stage puts the container's root together.
type connecting struct {
	done chan struct{}
	c    *connection
	err  error
}

// beginConnect connects beside the caller; nil if there is nothing to connect.
func (s *shim) beginConnect() *connecting {
	if s.cfg.Net == nil {
		return nil
	}
	b := &connecting{done: make(chan struct{})}
	go func() {
		defer close(b.done)
		b.c, b.err = s.connect(s.pid)
	}()
	return b
}

// wait waits until it is made, or can't be.
func (b *connecting) wait() error {
	if b == nil {
		return nil
	}
	<-b.done
	return b.err
}

// notes tell of what was made.
func (b *connecting) notes() []trace.Event {
	if b == nil || b.wait() != nil {
		return nil
	}
	return b.c.tell.taken()
}

// keepConnection makes what was begun the supervisor's.
func (s *shim) keepConnection(b *connecting) {
	if b != nil && b.wait() == nil {
		s.net = b.c
	}
}

// withdraw ends the container's part in networks before anybody is told that it has ended.
func (s *shim) withdraw() {
	if s.net == nil {
		return
	}
	s.net.tell.taken()
	s.unwire("withdraw from networks", s.net.withdraw)
}

// disconnect takes apart what the container was connected with.
func (s *shim) disconnect() {
	if s.net != nil {
		s.unwire("disconnect", s.net.close)
	}
}

func (s *shim) unwire(what string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	if err := do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", what+":", err)
	}
}

// newCables chooses how containers are joined.
func newCables(cfg *Net, report func(wiring.Change)) cables {
	if cfg.Rootless {
		return &userCables{networks: filepath.Dir(cfg.Dir), path: cfg.Path, report: report}
	}
	return wiring.Host{Owner: cfg.Home, Report: report}
}
