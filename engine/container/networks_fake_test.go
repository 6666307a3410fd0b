package container_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/learn-containers/learn/engine/oci"
)

// connecting is a runtime that can connect containers.
type connecting struct{ runtime }

func (connecting) UsedPrefixes(context.Context) ([]netip.Prefix, error) { return nil, nil }
func (connecting) SweepNetworks(context.Context) error                  { return nil }
func (connecting) RestoreNetworks(context.Context) error                { return nil }

// firstFree is the first port of the host that the machine gives who wants any.
const firstFree = 32768

// connect carries a plan out: what wants any port gets one, on all addresses the same.
func (m *machine) connect(p *network.Plan) *network.Plan {
	if p == nil {
		return nil
	}
	done, next := *p, uint16(firstFree)
	done.Ports = slices.Clone(p.Ports)
	for i := range done.Ports {
		port := &done.Ports[i]
		switch {
		case port.HostPort != 0:
			port.HostLast = 0
		case i > 0 && p.Ports[i-1].HostPort == 0 && p.Ports[i-1].To == port.To && p.Ports[i-1].HostIP != port.HostIP:
			port.HostPort = done.Ports[i-1].HostPort
		default:
			port.HostPort = next
			next++
		}
	}
	return &done
}

// errWires is what a machine says whose wires can't be changed.
var errWires = errors.New("the cable is broken")

// Rewire implements driver.Rewirer.
func (t *task) Rewire(_ context.Context, p network.Plan) (network.Plan, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.st.State != driver.Running && t.st.State != driver.Paused {
		return p, driver.ErrNotRunning
	}
	if t.m.failRewire {
		return p, errWires
	}
	t.st.Net = t.m.connect(&p)
	return *t.st.Net, nil
}

// newNetBench is newBench over a machine that connects containers.
func newNetBench(t testing.TB) *bench {
	t.Helper()
	b := newBench(t, oci.ImageConfig{})
	b.connectContainers()
	return b
}

// connectContainers gives the machine of b the ability to do so.
func (b *bench) connectContainers() {
	m := container.New(b.home, b.images, snapshots{b.machine}, trees{b.machine}, connecting{runtime{b.machine}})
	m.Events = events.New(b.home, time.Now)
	m.AgainCommand, m.Volumes = b.AgainCommand, b.Volumes
	m.Networks = ledger.New(b.home)
	m.Networks.Holds, m.Networks.Events = m.Holds, m.Events
	b.Manager = m
}

// network makes a network.
func (b *bench) network(o ledger.CreateOptions) *ledger.Network {
	b.t.Helper()
	n, err := b.Networks.Create(b.ctx, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// leases are the addresses of those who run in a network, each with its container's name.
func (b *bench) leases(net string) []string {
	b.t.Helper()
	n, err := b.Networks.Find(b.ctx, net)
	if err != nil {
		b.t.Fatal(err)
	}
	given, err := b.Networks.Leases(b.ctx, n)
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, l := range given {
		all = append(all, l.Name+" "+l.Addresses[0].String())
	}
	return all
}
