//go:build linux

// Package uplink is a supervisor's part in networks: published ports, cables, names, and the plan as it was carried out. It is apart from
// package shim, whose first stages have to begin before what this needs is initialised.
package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/trace"
)

// orders are what a supervisor is told (shim.Net), read.
type orders struct {
	*shim.Net

	plan    network.Plan
	servers []netip.Addr
}

func read(n *shim.Net) (*orders, error) {
	o := &orders{Net: n}
	if err := json.Unmarshal(n.Plan, &o.plan); err != nil {
		return nil, fmt.Errorf("read plan of networks: %w", err)
	}
	for _, s := range n.Servers {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("read name servers: %w", err)
		}
		o.servers = append(o.servers, a)
	}
	return o, nil
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
	cfg    *orders
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

// Connect implements shim.Connector.
func Connect(n *shim.Net, id string, netns *os.File, log func() *eventlog.Log) (shim.Connection, error) {
	o, err := read(n)
	if err != nil {
		return nil, errors.Join(err, netns.Close())
	}
	c := &connection{cfg: o, id: id, state: Connected{n.Dir}, tell: &teller{id: id, log: log}, netns: netns}
	c.cables = newCables(c.cfg, c.tell.change)
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	if err := c.open(ctx, o.plan); err != nil {
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
		c.tell.resolver(plan, c.cfg.servers)
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

// Notes implements shim.Connection.
func (c *connection) Notes() []trace.Event { return c.tell.taken() }

// Withdraw implements shim.Connection.
func (c *connection) Withdraw() error { c.tell.taken(); return limited(c.withdraw) }

// Close implements shim.Connection.
func (c *connection) Close() error { return limited(c.close) }

// Rewire implements shim.Connection.
func (c *connection) Rewire(n *shim.Net) (json.RawMessage, error) {
	o, err := read(n)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	plan, err := c.rewire(ctx, o.plan)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plan)
}

// Plan implements shim.Connection.
func (c *connection) Plan() (json.RawMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return json.Marshal(c.plan)
}

func limited(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	return do(ctx)
}

// newCables chooses how containers are joined.
func newCables(cfg *orders, report func(wiring.Change)) cables {
	if cfg.Rootless {
		return &userCables{networks: filepath.Dir(cfg.Dir), path: cfg.Path, report: report}
	}
	return wiring.Host{Owner: cfg.Home, Report: report}
}
