package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/sim/lan"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/describe"
	"github.com/learn-containers/learn/engine/network/names"
	"github.com/learn-containers/learn/engine/network/proxy"
)

var (
	_ driver.Networker = (*Runtime)(nil)
	_ driver.Rewirer   = (*task)(nil)
)

// trunkFolder is where the processes of the machine find each other's part of its networks.
const trunkFolder = "lan"

// UsedPrefixes implements driver.Networker: the simulated machine has no networks but those of the home.
func (r *Runtime) UsedPrefixes(context.Context) ([]netip.Prefix, error) { return nil, nil }

// SweepNetworks implements driver.Networker. Ports and addresses end with their process; what is left is names of sockets.
func (r *Runtime) SweepNetworks(context.Context) error {
	if err := lan.Sweep(r.machine.file(trunkFolder)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("sweep networks: %w", err)
	}
	return nil
}

// RestoreNetworks implements driver.Networker: nothing outside can take anything from the simulated machine.
func (r *Runtime) RestoreNetworks(context.Context) error { return nil }

// joinLAN joins the networks of the other processes of the machine. A machine in one process has no others.
func (m *machine) joinLAN() error {
	if m.frozen {
		return nil
	}
	return m.joined()
}

// connection is a container's part in networks.
type connection struct {
	machine *machine
	host    *lan.Host
	id      string
	events  *eventlog.Log

	mu      sync.Mutex // guards what follows
	plan    network.Plan
	proxies []*proxy.Proxy
	moved   map[netip.AddrPort]netip.AddrPort // where ports lead that have been published as leading elsewhere
	ended   bool
	told    int // events of what programs do
}

// maxTold bounds the events of what programs do with a network: a flood of lookups is not to fill the disk.
const maxTold = 2000

func newConnection(h *host) *connection {
	c := &connection{machine: h.machine, host: h.net, id: h.spec.ID, events: h.events, moved: map[netip.AddrPort]netip.AddrPort{}}
	h.net.Resolve = c.resolve
	h.net.Lost = h.machine.lost
	h.net.Names = func() ([]byte, error) { return readAll(h.view, "/etc/hosts") }
	return c
}

func readAll(v *vfs.View, name string) ([]byte, error) {
	f, err := v.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 1 << 20
	data := make([]byte, most)
	n := 0
	for n < most {
		k, err := f.Read(data[n:])
		if n += k; err != nil || k == 0 {
			break
		}
	}
	return data[:n], nil
}

// lost is how long a container waits for an answer that does not come, by the machine's time.
func (m *machine) lost(ctx context.Context) error {
	over := make(chan struct{})
	stop := m.clock.AfterFunc(lan.Patience, func() { close(over) })
	defer stop()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connect carries out a plan and tells of it. An error leaves nothing of it behind, and is told nobody but the caller.
func (c *connection) connect(ctx context.Context, plan network.Plan) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	facts, err := c.extend(ctx, plan, plan.Bridges)
	if err != nil {
		return err
	}
	c.plan.Container, c.plan.Resolv, c.plan.Resolver = plan.Container, plan.Resolv, plan.Resolver
	c.tell(facts)
	return nil
}

// extend adds endpoints and ports of a plan. Ports come first: a conflict costs nothing.
func (c *connection) extend(ctx context.Context, more network.Plan, bridges []network.Bridge) ([]describe.Fact, error) {
	if err := c.machine.joinLAN(); err != nil {
		return nil, fmt.Errorf("connect container: %w", err)
	}
	p, err := c.publish(ctx, more.Ports)
	if err != nil {
		return nil, err
	}
	fresh, err := c.machine.lan.Plug(c.host, plugs(more, bridges)...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect container: %w", err), p.Close())
	}
	if more.Ports = p.Ports(); len(more.Ports) > 0 {
		c.proxies = append(c.proxies, p)
	}
	c.plan.Ports = append(c.plan.Ports, more.Ports...)
	c.plan.Endpoints = append(c.plan.Endpoints, more.Endpoints...)
	c.plan.Bridges = append(c.plan.Bridges, more.Bridges...)
	c.route()
	made := func(b network.Bridge) bool { return slices.Contains(fresh, b.Network) }
	return describe.Connected(more, made, c.servers(more)), nil
}

// route makes those networks the container's ways that have its default routes.
func (c *connection) route() {
	var ways []string
	for _, e := range c.plan.Endpoints {
		if len(e.Gateways) > 0 {
			ways = append(ways, e.Network)
		}
	}
	c.machine.lan.Route(c.host, ways...)
}

// plugs are the addresses of a plan's endpoints.
func plugs(plan network.Plan, bridges []network.Bridge) []lan.Plug {
	var all []lan.Plug
	for _, e := range plan.Endpoints {
		n := lan.Network{ID: e.Network}
		if i := slices.IndexFunc(bridges, func(b network.Bridge) bool { return b.Network == e.Network }); i >= 0 {
			n.Isolated = bridges[i].Isolated
			for _, a := range bridges[i].Addresses {
				n.Gateways = append(n.Gateways, a.Addr())
			}
		}
		for _, a := range e.Addresses {
			all = append(all, lan.Plug{Network: n, Address: a})
		}
	}
	return all
}

func (c *connection) tell(facts []describe.Fact) {
	for _, f := range facts {
		c.events.Fact(f.Kind, f.Attrs...)
	}
}

// observed tells what a program did, unless it does so without end.
func (c *connection) observed(f describe.Fact) {
	c.mu.Lock()
	c.told++
	tells := c.told <= maxTold
	c.mu.Unlock()
	if tells {
		c.events.Observed(f.Kind, f.Attrs...)
	}
}

// publish opens ports on the host.
func (c *connection) publish(ctx context.Context, ports []network.Published) (*proxy.Proxy, error) {
	if len(ports) > 0 && runtime.GOOS == "js" {
		return nil, fmt.Errorf("publish port %d: ports of a web browser are %w; run learn itself", ports[0].To.Port(), driver.ErrUnsupported)
	}
	return proxy.Open(ctx, ports, proxy.Config{Dial: c.dial, Unreached: func(p network.Published, _ netip.AddrPort, err error) {
		c.observed(describe.Refused(c.id, p, err))
	}})
}

// dial connects from the machine to the container.
func (c *connection) dial(ctx context.Context, protocol api.IPProtocol, to netip.AddrPort) (net.Conn, error) {
	if protocol != api.TCP {
		return nil, syscall.ECONNREFUSED // no program of the machine speaks anything else
	}
	c.mu.Lock()
	if now, ok := c.moved[to]; ok {
		to = now
	}
	c.mu.Unlock()
	conn, err := c.machine.own.Dial(ctx, to.String())
	if err != nil {
		return nil, err
	}
	return conn.(net.Conn), nil // both kinds of them are
}

// close takes everything back.
func (c *connection) close() error {
	c.mu.Lock()
	proxies := c.proxies
	c.proxies, c.ended = nil, true
	c.mu.Unlock()
	var errs []error
	for _, p := range proxies { // whose connections may want the lock
		errs = append(errs, p.Close())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	errs = append(errs, c.leave(c.plan))
	c.plan = network.Plan{Container: c.id}
	return errors.Join(errs...)
}

// leave unplugs the endpoints of a plan.
func (c *connection) leave(plan network.Plan) error {
	if len(plan.Endpoints) == 0 {
		return nil
	}
	var left []string
	for _, e := range plan.Endpoints {
		left = append(left, e.Network)
	}
	empty, err := c.machine.lan.Unplug(c.host, left...)
	c.tell(describe.Disconnected(plan, func(b network.Bridge) bool { return slices.Contains(empty, b.Network) }))
	return err
}

// present is the plan as it was carried out.
func (c *connection) present() network.Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.plan
	p.Ports, p.Endpoints, p.Bridges = slices.Clone(p.Ports), slices.Clone(p.Endpoints), slices.Clone(p.Bridges)
	return p
}

// interfaces are those that programs see.
func (c *connection) interfaces() []vfs.Interface {
	var all []vfs.Interface
	for _, e := range c.present().Endpoints {
		mtu := e.MTU
		if mtu == 0 {
			mtu = 1500
		}
		all = append(all, vfs.Interface{Name: e.Interface, MAC: e.MAC, MTU: mtu, Addresses: e.Addresses, Gateways: e.Gateways})
	}
	return all
}

// sockets are those that programs see.
func sockets(h *lan.Host) func() []vfs.Socket {
	return func() []vfs.Socket {
		var all []vfs.Socket
		for _, s := range h.Sockets() {
			all = append(all, vfs.Socket(s))
		}
		return all
	}
}

// servers are asked about names that are in no network of the plan.
func (c *connection) servers(plan network.Plan) []netip.AddrPort {
	var all []netip.AddrPort
	if plan.Resolver == nil || plan.Resolver.Closed {
		return nil
	}
	servers := plan.Resolv.Servers
	if len(servers) == 0 {
		servers = machineResolv().Servers
	}
	for _, a := range servers {
		all = append(all, netip.AddrPortFrom(a, nameService))
	}
	return all
}

const nameService = 53

// machineResolv is how the simulated machine finds names: by a server that knows none, since there is nothing outside of it.
func machineResolv() network.Resolv {
	return network.Resolv{Servers: []netip.Addr{netip.MustParseAddr("192.0.2.53")}} // of TEST-NET-1 (RFC 5737)
}

// resolve answers as the container's name server.
func (c *connection) resolve(name string) (addresses []netip.Addr, server string) {
	plan := c.present()
	switch {
	case len(plan.Endpoints) == 0:
		return nil, ""
	case plan.Resolver == nil:
		return nil, netip.AddrPortFrom(c.asked(plan), nameService).String()
	}
	own := netip.AddrPortFrom(netip.MustParseAddr(network.ResolverAddress), nameService).String()
	found, err := c.lookup(plan.Resolver.Zones, name)
	for _, e := range answers(name, found, err) {
		if servers := c.servers(plan); err != nil && len(servers) > 0 && errors.Is(err, names.ErrUnknown) {
			e.Server = servers[0]
		}
		c.observed(describe.Lookup(c.id, e))
	}
	return found, own
}

// asked is the first server of a container without one of its own.
func (c *connection) asked(plan network.Plan) netip.Addr {
	if len(plan.Resolv.Servers) > 0 {
		return plan.Resolv.Servers[0]
	}
	return machineResolv().Servers[0]
}
