//go:build linux

package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	api "github.com/moby/moby/api/types/network"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/rootnet"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/proxy"
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
	proxy *proxy.Proxy
	// dialer is how published ports reach the container; nil: it is reached from the host.
	dialer *rootnet.Dialer

	mu    sync.Mutex // guards what follows
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
	if c.cfg.Rootless && len(plan.Ports) > 0 {
		if c.dialer, err = rootnet.OpenDialer(int(c.netns.Fd())); err != nil {
			return err
		}
	}
	if c.proxy, err = c.publish(ctx, plan.Ports); err != nil {
		return err
	}
	plan.Ports = c.proxy.Ports()
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

func (c *connection) publish(ctx context.Context, ports []network.Published) (*proxy.Proxy, error) {
	p, err := proxy.Open(ctx, ports, proxy.Config{Dial: c.dial, Unreached: c.tell.refused})
	var taken *proxy.ConflictError
	if errors.As(err, &taken) {
		if id, ok := c.state.publisher(taken.Port); ok {
			return nil, fmt.Errorf("driver failed programming external connectivity on endpoint %.12s: Bind for %s failed: port is already allocated: container %.12s has it; "+
				"publish another port, or remove that container", c.id, netip.AddrPortFrom(taken.Port.HostIP, taken.Port.HostPort), id)
		}
	}
	return p, rootnet.ExplainPublish(err, ports)
}

// dial connects to the container from the host. Where a port leads may have changed since it was published: its place is the same.
func (c *connection) dial(ctx context.Context, protocol api.IPProtocol, to netip.AddrPort) (net.Conn, error) {
	c.mu.Lock()
	for i, first := range c.proxy.Ports() {
		if first.To == to && i < len(c.plan.Ports) {
			to = c.plan.Ports[i].To
			break
		}
	}
	c.mu.Unlock()
	if c.dialer != nil {
		return c.dialer.Dial(ctx, protocol, to)
	}
	var d net.Dialer
	return d.DialContext(ctx, string(protocol), to.String())
}

// close takes back all that open made. What could not be taken back is found by the file that stays.
func (c *connection) close(ctx context.Context) error {
	if c.stop != nil {
		c.stop()
		c.watch.Wait()
	}
	var errs []error
	if c.proxy != nil {
		errs = append(errs, c.proxy.Close()) // whose connections may want the lock
	}
	if c.dialer != nil {
		c.dialer.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.names != nil {
		errs = append(errs, c.names.close())
	}
	if c.file != nil {
		err := c.cables.Disconnect(ctx, c.plan)
		if err == nil {
			err = c.state.Drop(c.id)
		}
		errs = append(errs, err, c.file.Close())
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

// disconnect ends the container's part in networks.
func (s *shim) disconnect() {
	if s.net == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	s.net.tell.live()
	if err := s.net.close(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: disconnect:", err)
	}
}

// newCables chooses how containers are joined.
func newCables(cfg *Net, report func(wiring.Change)) cables {
	if cfg.Rootless {
		return &userCables{networks: filepath.Dir(cfg.Dir), path: cfg.Path, report: report}
	}
	return wiring.Host{Owner: cfg.Home, Report: report}
}
