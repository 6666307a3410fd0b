package container

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moby/moby/api/types/events"
	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
)

// Connect puts a container in one more network: at once if it runs, else when it is started. settings is what it is to have there; nil:
// nothing in particular. One that does not run and is in the network already stays as it is. Errors: *ledger.NotFoundError; *ConflictError
// for a container that runs and is in the network already; *InvalidError for what can't be had there, or beside its other networks. After an
// error the container is connected as before.
func (m *Manager) Connect(ctx context.Context, net, ref string, settings *api.EndpointSettings) error {
	return m.reconnect(ctx, ref, func(c *Container, live *wires) error {
		n, err := m.Networks.Find(ctx, net)
		if err == nil {
			err = n.Problem
		}
		if err == nil {
			err = checkConnect(c, n, settings)
		}
		if err != nil {
			return err
		}
		if live == nil {
			if c.Networks[n.Name] != nil {
				return nil
			}
			return m.recordNetwork(c, n.Name, askedOf(settings))
		}
		return m.plug(ctx, c, live, n, askedOf(settings))
	})
}

// Disconnect takes a container out of a network: at once if it runs. With force the network need not be there any more. Errors:
// *ledger.NotFoundError; *ConflictError for a container that is not in the network; *InvalidError for the host's network, which is for good.
func (m *Manager) Disconnect(ctx context.Context, net, ref string, force bool) error {
	return m.reconnect(ctx, ref, func(c *Container, live *wires) error {
		n, err := m.Networks.Find(ctx, net)
		gone := ledger.IsNotFound(err) && (force || live == nil)
		switch {
		case gone:
			n = &ledger.Network{Network: api.Network{Name: net}}
		case err != nil:
			return err
		case c.HostConfig.NetworkMode.IsHost() && n.Name == ledger.Host:
			return invalid("cannot disconnect container from host network - container was created in host network mode")
		}
		if live == nil || gone {
			if c.Networks[n.Name] == nil {
				return conflict("container %s is not connected to the network %s", c.ID, n.Name)
			}
			return m.forgetNetwork(c, n.Name)
		}
		return m.unplug(ctx, c, live, n)
	})
}

// wires are what a container that runs is connected by.
type wires struct {
	task driver.Task
	plan network.Plan
}

// reconnect runs change on the record of a container under its lock; live is nil if it does not run.
func (m *Manager) reconnect(ctx context.Context, ref string, change func(c *Container, live *wires) error) error {
	c, err := m.own(ctx, ref)
	if err != nil {
		return err
	}
	if !m.connects() {
		return unsupported("connect containers to networks")
	}
	return m.locked(ctx, c.ID, func(c *Container) error {
		if c.Problem != nil {
			return c.Problem
		}
		if c.State.Removing || c.State.Dead {
			return conflict("Container %s is marked for removal and cannot be connected or disconnected to the network", c.ID)
		}
		live, err := m.wires(ctx, c)
		if err != nil {
			return err
		}
		return change(c, live)
	})
}

func (m *Manager) wires(ctx context.Context, c *Container) (*wires, error) {
	if !c.State.Live() {
		return nil, nil
	}
	task, st, err := m.ask(ctx, c.ID)
	if err != nil || st.State != driver.Running && st.State != driver.Paused {
		return nil, err
	}
	w := &wires{task: task, plan: network.Plan{Container: c.ID}}
	if st.Net != nil {
		w.plan = *st.Net
	}
	return w, nil
}

// checkConnect refuses what a container can't have beside what it has.
func checkConnect(c *Container, n *ledger.Network, s *api.EndpointSettings) error {
	switch mode := c.HostConfig.NetworkMode; {
	case mode.IsContainer():
		return errSharing
	case !mode.IsHost() && n.Name == ledger.Host:
		return invalid("cannot connect container to host network - container must be created in host network mode")
	}
	together := map[string]*api.EndpointSettings{n.Name: {}}
	for _, name := range c.NetworkNames() {
		together[name] = &api.EndpointSettings{}
	}
	if err := checkTogether(together); err != nil || s == nil {
		return err
	}
	if err := checkSettings(n, n.Name, s); err != nil {
		return invalid("%v", err)
	}
	return nil
}

// plug connects a container that runs to the network n, and writes that down once it is so.
func (m *Manager) plug(ctx context.Context, c *Container, live *wires, n *ledger.Network, s *api.EndpointSettings) (err error) {
	if endpointIn(&live.plan, n.ID) >= 0 {
		if c.Networks[n.Name] == nil { // whoever connected it died before it wrote that down
			return m.recordNetwork(c, n.Name, s)
		}
		return conflict("endpoint with name %s already exists in network %s", c.Name, n.Name)
	}
	if n.Driver != ledger.DriverBridge { // none: there is nothing to plug in
		return m.recordNetwork(c, n.Name, s)
	}
	places, err := m.places(ctx, c, &live.plan)
	if err != nil {
		return err
	}
	op, err := m.home.Begin("connect container") // if it dies on the way the sweep that follows gives the lease back
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	at, err := m.claim(ctx, c, n, s)
	if err != nil {
		return err
	}
	at.inside = interfaceName(places)
	failpoint.Hit("container.connect.claimed")
	if err := m.rewire(ctx, c, live, append(places, at)); err != nil {
		return errors.Join(err, m.Networks.Release(context.WithoutCancel(ctx), n.ID, c.ID))
	}
	failpoint.Hit("container.connect.rewired")
	if err := m.recordNetwork(c, n.Name, s); err != nil {
		return err
	}
	m.tellNetwork(c, n, events.ActionConnect)
	return nil
}

// unplug takes a container that runs out of the network n, and writes that down once it is so.
func (m *Manager) unplug(ctx context.Context, c *Container, live *wires, n *ledger.Network) error {
	plugged := endpointIn(&live.plan, n.ID) >= 0
	if !plugged && c.Networks[n.Name] == nil {
		err := conflict("container %s is not connected to network %s", c.ID, n.Name)
		return errors.Join(err, m.Networks.Release(ctx, n.ID, c.ID)) // whoever was about to connect it may have died
	}
	if plugged {
		places, err := m.places(ctx, c, &live.plan)
		if err != nil {
			return err
		}
		places = slices.DeleteFunc(places, func(p place) bool { return p.net.ID == n.ID })
		if err := m.rewire(ctx, c, live, places); err != nil {
			return err
		}
	}
	failpoint.Hit("container.disconnect.rewired")
	if err := m.Networks.Release(ctx, n.ID, c.ID); err != nil {
		return err
	}
	if err := m.forgetNetwork(c, n.Name); err != nil {
		return err
	}
	m.tellNetwork(c, n, events.ActionDisconnect)
	return nil
}

func endpointIn(p *network.Plan, id string) int {
	return slices.IndexFunc(p.Endpoints, func(e network.Endpoint) bool { return e.Network == id })
}

// places are those that a plan was made of.
func (m *Manager) places(ctx context.Context, c *Container, p *network.Plan) ([]place, error) {
	var all []place
	for _, e := range p.Endpoints {
		n, err := m.Networks.Find(ctx, e.Network)
		if err == nil {
			err = n.Problem
		}
		if err != nil {
			return nil, err
		}
		at := place{net: n, inside: e.Interface, folder: m.Networks.LeasesDir(n.ID)}
		at.lease = network.Lease{Network: n.ID, Container: c.ID, Endpoint: e.ID, MAC: e.MAC, Addresses: e.Addresses}
		if s := c.Networks[n.Name]; s != nil {
			at.priority = s.GwPriority
		}
		all = append(all, at)
	}
	return all, nil
}

// rewire has the container connected by places from now on.
func (m *Manager) rewire(ctx context.Context, c *Container, live *wires, places []place) error {
	r, ok := live.task.(driver.Rewirer)
	if !ok {
		return unsupported("change the networks of a running container")
	}
	_, err := r.Rewire(ctx, remakePlan(c, &live.plan, places))
	if errors.Is(err, driver.ErrNotRunning) {
		return notRunning(c.ID)
	}
	if err != nil {
		return fmt.Errorf("connect container %s: %w", c.Name, err)
	}
	return nil
}

// remakePlan is makePlan for a container that runs by now: the ports of the host that it got stay its own, and lead to its way out of today.
func remakePlan(c *Container, now *network.Plan, places []place) network.Plan {
	p := makePlan(c, places)
	if len(p.Ports) == 0 || len(now.Ports) == 0 {
		return p
	}
	at := places[wayOut(places, netip.Addr.Is4)]
	p.Ports = slices.Clone(now.Ports)
	for i, port := range p.Ports {
		p.Ports[i].To = netip.AddrPortFrom(at.reached(port.HostIP), port.To.Port())
	}
	return p
}

func (m *Manager) recordNetwork(c *Container, name string, s *api.EndpointSettings) error {
	if c.Networks == nil {
		c.Networks = map[string]*api.EndpointSettings{}
	}
	c.Networks[name] = s
	return m.rewrite(c)
}

func (m *Manager) forgetNetwork(c *Container, name string) error {
	if c.Networks[name] == nil {
		return nil
	}
	delete(c.Networks, name)
	return m.rewrite(c)
}
