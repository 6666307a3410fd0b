package container

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/learn-containers/learn/engine/network/reach"
)

// ReachOptions say who is to reach a container, and how.
type ReachOptions struct {
	From string     // a container; empty: somebody outside of all of them
	Name string     // that From uses, or an address; empty: the container's own name
	Port reach.Port // zero: all that may be meant
}

// Reach follows the ways to the container, link by link; none if nothing in it is there to be reached. With o.From a ref that is no
// container's is examined as a name. Errors: *NotFoundError, *ConflictError if the container does not run.
func (m *Manager) Reach(ctx context.Context, ref string, o ReachOptions) ([]reach.Way, error) {
	f := reach.Facts{Name: o.Name, Port: o.Port, Default: ledger.DefaultBridge}
	c, err := m.Find(ctx, ref)
	switch {
	case IsNotFound(err) && o.From != "":
		f.Name, f.To.Name = cmp.Or(o.Name, ref), ref
	case err != nil:
		return nil, err
	case !c.State.Live():
		return nil, conflict("container %s is not running: nobody can reach it; ask why it ended: learn why %s", c.ID, c.Name)
	default:
		if f.To, err = m.party(ctx, c); err != nil {
			return nil, err
		}
	}
	if o.From != "" {
		from, err := m.Find(ctx, o.From)
		if err != nil {
			return nil, err
		}
		p, err := m.party(ctx, from)
		if err != nil {
			return nil, err
		}
		f.From = &p
	}
	if f.Networks, err = m.reachNetworks(ctx, &f); err != nil {
		return nil, err
	}
	return reach.Examine(f), nil
}

// party looks at all that is known of a container's networks.
func (m *Manager) party(ctx context.Context, c *Container) (reach.Party, error) {
	p := reach.Party{ID: c.ID, Name: c.Name, Running: c.State.Live()}
	if c.Problem != nil {
		return p, c.Problem
	}
	p.Mode = m.modeName(ctx, c.HostConfig.NetworkMode)
	for port := range c.Config.ExposedPorts {
		p.Exposed = append(p.Exposed, reach.Port{Number: port.Num(), Protocol: string(port.Proto())})
	}
	if m.foreign(c) != nil || !p.Running {
		return p, nil
	}
	p.Plan = c.Net
	seen := m.sockets(ctx, c)
	p.Sockets, p.Proc, p.Looked = seen.list, seen.proc, seen.looked
	wires, err := m.probe(ctx, c)
	if err != nil {
		return p, err
	}
	for _, w := range wires {
		p.Wires = append(p.Wires, wireWords(w))
	}
	return p, nil
}

// modeName is a network mode with the other container's name instead of its id.
func (m *Manager) modeName(ctx context.Context, mode container.NetworkMode) string {
	if other, err := m.Find(ctx, mode.ConnectedContainer()); mode.IsContainer() && err == nil {
		return "container:" + other.Name
	}
	return string(mode)
}

// seenSockets are those that listen in a container's network namespace.
type seenSockets struct {
	list   []reach.Socket
	looked bool   // somebody could look
	proc   string // the folder of the process that shows them
	inside bool   // proc is a path in the container, for there is none outside
}

// sockets looks for those of a running container.
func (m *Manager) sockets(ctx context.Context, c *Container) seenSockets {
	task, err := m.runtime.Load(ctx, c.ID)
	if err != nil {
		return seenSockets{}
	}
	r, ok := task.(driver.Revealer)
	if !ok {
		return seenSockets{}
	}
	shown, err := r.Reveal(ctx)
	if err != nil {
		return seenSockets{}
	}
	_, looked := shown.Files[reach.SocketFiles[0]]
	return seenSockets{reach.Listening(shown.Files), looked, shown.Proc, shown.Inside}
}

// probe compares what a running container is connected by with the machine; nil where nobody can.
func (m *Manager) probe(ctx context.Context, c *Container) ([]driver.Wire, error) {
	p, ok := m.runtime.(driver.Prober)
	if !ok || c.Net == nil || m.foreign(c) != nil {
		return nil, nil
	}
	wires, err := p.ProbeNetwork(ctx, *c.Net)
	if errors.Is(err, driver.ErrUnsupported) {
		return nil, nil
	}
	return wires, err
}

func wireWords(w driver.Wire) reach.Wire {
	r := reach.Wire{Missing: w.Missing, Where: "ip addr show " + w.Interface}
	switch w.Kind {
	case driver.WireForwarding:
		r.What, r.Where = w.Rule, "sysctl "+strings.TrimSuffix(w.Rule, " = 1")
	case driver.WireBridge:
		r.What = "bridge " + w.Interface
	case driver.WireCable:
		r.What, r.Where = "the cable "+w.Interface+", plugged into its bridge", "bridge link show dev "+w.Interface
	case driver.WireAddress:
		r.What = "address " + w.Address.String() + " of " + w.Interface
	case driver.WireRoute:
		r.What, r.Where = "the route by "+w.Gateway.String()+" through "+w.Interface, "ip route"
	default:
		r.What, r.Where = "in "+w.Place+" of the firewall: "+w.Bare(), "nft list table "+w.Table
	}
	return r
}

// reachNetworks are the networks of both parties, with who runs in them.
func (m *Manager) reachNetworks(ctx context.Context, f *reach.Facts) ([]reach.Network, error) {
	var ids []string
	for _, p := range []*reach.Party{&f.To, f.From} {
		if p == nil || p.Plan == nil {
			continue
		}
		for _, e := range p.Plan.Endpoints {
			if !slices.Contains(ids, e.Network) {
				ids = append(ids, e.Network)
			}
		}
	}
	var all []reach.Network
	for _, id := range ids {
		n, err := m.Networks.Find(ctx, id)
		if ledger.IsNotFound(err) { // it was removed by force of a tool that is not ours
			continue
		}
		if err != nil {
			return nil, err
		}
		leases, err := m.Networks.Leases(ctx, n)
		if err != nil {
			return nil, err
		}
		all = append(all, reach.Network{ID: n.ID, Name: n.Name, Internal: n.Internal, Isolated: n.Bridge().Isolated, Leases: leases})
	}
	return all, nil
}

// Connection is what connects a running container, as it was carried out and as it is now.
type Connection struct {
	*Container

	Sockets []reach.Socket // that listen in it
	Looked  bool           // Sockets are known
	Inside  bool           // the machine is a simulated one, that no other tool sees
	Wires   []driver.Wire  // nil where nobody can look
}

// Connections are the running containers of a network, in the order of their addresses there.
func (m *Manager) Connections(ctx context.Context, n *ledger.Network) ([]Connection, error) {
	leases, err := m.Networks.Leases(ctx, n)
	if err != nil {
		return nil, err
	}
	var all []Connection
	for _, l := range leases {
		c, err := m.Find(ctx, l.Container)
		if IsNotFound(err) || err == nil && (c.Problem != nil || c.Net == nil || !c.State.Live()) { // it has ended meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		seen := m.sockets(ctx, c)
		at := Connection{Container: c, Sockets: seen.list, Looked: seen.looked, Inside: seen.inside}
		if at.Wires, err = m.probe(ctx, c); err != nil {
			return nil, err
		}
		all = append(all, at)
	}
	return all, nil
}

// ParsePort reads a port as docker writes it: 80, 80/udp.
func ParsePort(word string) (reach.Port, error) {
	p, err := api.ParsePort(word)
	if err != nil || p.Num() == 0 || p.Proto() != api.TCP && p.Proto() != api.UDP {
		return reach.Port{}, invalid("invalid port %q: expected a number with tcp or udp, as in 80 or 53/udp", word)
	}
	return reach.Port{Number: p.Num(), Protocol: string(p.Proto())}, nil
}
