//go:build linux

package uplink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/leases"
	"github.com/learn-containers/learn/engine/network/names"
)

const nameService = 53

// resolver is the name server of the container while it runs.
type resolver struct {
	zones  *zones
	cancel context.CancelFunc
	done   chan error
}

// serveNames answers in the container's namespace.
func (c *connection) serveNames(plan network.Plan) (*resolver, error) {
	packets, stream, err := listenForNames(int(c.netns.Fd()))
	if err != nil {
		return nil, err
	}
	r := &resolver{zones: &zones{state: c.state}, done: make(chan error, 1)}
	r.zones.set(plan.Resolver.Zones)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		r.done <- names.Serve(ctx, names.Config{Lookup: r.zones, Servers: upstream(plan, c.cfg.servers), Observe: c.tell.lookup}, []net.PacketConn{packets}, []net.Listener{stream})
	}()
	return r, nil
}

func (r *resolver) close() error {
	r.cancel()
	return <-r.done
}

// upstream are the servers that are asked about names of no zone.
func upstream(plan network.Plan, host []netip.Addr) []netip.AddrPort {
	if plan.Resolver.Closed {
		return nil
	}
	if len(plan.Resolv.Servers) > 0 {
		host = plan.Resolv.Servers
	}
	var servers []netip.AddrPort
	for _, a := range host {
		servers = append(servers, netip.AddrPortFrom(a, nameService))
	}
	return servers
}

// listenForNames listens in the network namespace, at ports of which only a rule of its own knows, so that the container's programs may have
// port 53 for themselves. Where the kernel has no such rules, it is port 53.
func listenForNames(netns int) (packets net.PacketConn, stream net.Listener, err error) {
	err = wiring.Within(netns, func() error {
		if err := shim.LoopbackUp(); err != nil { // the first stage does it, too, but maybe not yet
			return err
		}
		if packets, stream, err = listenBoth(0); err != nil {
			return err
		}
		udp, tcp := packets.LocalAddr().(*net.UDPAddr).AddrPort().Port(), stream.Addr().(*net.TCPAddr).AddrPort().Port()
		if wiring.RedirectNames(network.ResolverAddress, udp, tcp) == nil {
			return nil
		}
		_, _ = packets.Close(), stream.Close()
		packets, stream, err = listenBoth(nameService)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("serve names: %w", err)
	}
	return packets, stream, nil
}

func listenBoth(port uint16) (net.PacketConn, net.Listener, error) {
	at := netip.AddrPortFrom(netip.MustParseAddr(network.ResolverAddress), port)
	packets, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, nil, err
	}
	stream, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, nil, errors.Join(err, packets.Close())
	}
	return packets, stream, nil
}

// zones look names up in the leases of networks, as they are at the moment. One whose container is not connected counts for nothing: nobody may
// have noticed yet that it has ended.
type zones struct {
	state Connected

	mu     sync.Mutex
	of     []network.Zone
	seen   []time.Time // when the folders changed last, as the table has them
	read   time.Time
	table  *names.Table
	failed error
}

func (z *zones) set(of []network.Zone) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.of, z.table = of, nil
}

// tick is how long a folder's time has to be past before it is sure that nothing changed since within the same tick of the kernel's clock.
const tick = 50 * time.Millisecond

// current gives the table of all names, read anew if somebody came or went.
func (z *zones) current() (*names.Table, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	now := time.Now()
	changed := z.changes()
	if z.table != nil && z.failed == nil && equalTimes(z.seen, changed) && settled(changed, z.read) {
		return z.table, nil
	}
	var list []names.Network
	for _, zone := range z.of {
		n := names.Network{Name: zone.Name}
		given, err := leases.Read(zone.Folder)
		if err != nil {
			z.failed = err
			return nil, err
		}
		for _, l := range given {
			if !z.state.connects(l.Container, zone.Network) {
				continue
			}
			h := names.Host{Names: l.Names}
			for _, a := range l.Addresses {
				h.Addresses = append(h.Addresses, a.Addr())
			}
			n.Hosts = append(n.Hosts, h)
		}
		list = append(list, n)
	}
	z.table, z.seen, z.read, z.failed = names.NewTable(list), changed, now, nil
	return z.table, nil
}

func settled(changed []time.Time, read time.Time) bool {
	for _, t := range changed {
		if read.Sub(t) < tick {
			return false
		}
	}
	return true
}

// changes are the times at which somebody came or went last: one for each zone, and one for all that are connected.
func (z *zones) changes() []time.Time {
	folders := []string{z.state.Dir}
	for _, zone := range z.of {
		folders = append(folders, zone.Folder)
	}
	times := make([]time.Time, len(folders))
	for i, folder := range folders {
		if st, err := os.Stat(folder); err == nil {
			times[i] = st.ModTime()
		} else if !errors.Is(err, fs.ErrNotExist) {
			times[i] = time.Now()
		}
	}
	return times
}

func equalTimes(a, b []time.Time) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// Addresses implements names.Lookup.
func (z *zones) Addresses(name string) ([]netip.Addr, error) {
	t, err := z.current()
	if err != nil {
		return nil, err
	}
	return t.Addresses(name)
}

// Name implements names.Lookup.
func (z *zones) Name(a netip.Addr) (string, error) {
	t, err := z.current()
	if err != nil {
		return "", err
	}
	return t.Name(a)
}
