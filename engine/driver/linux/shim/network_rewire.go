//go:build linux

package shim

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// rewire connects the container as a new plan says.
func (s *shim) rewire(to *Net) (network.Plan, error) {
	if to == nil {
		return network.Plan{}, errors.New("connect container: no plan")
	}
	s.mu.Lock()
	c := s.net
	s.mu.Unlock()
	if c == nil {
		return s.connectLate(to)
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectLimit)
	defer cancel()
	return c.rewire(ctx, to.Plan)
}

// connectLate connects a container that had no part in networks.
func (s *shim) connectLate(to *Net) (network.Plan, error) {
	s.cfg.Net = to
	c, err := s.connect(s.pid)
	if err != nil {
		s.cfg.Net = nil
		return network.Plan{}, err
	}
	s.eventLog().Postpone()
	s.eventLog().Resume(c.tell.taken()...)
	s.mu.Lock()
	s.net = c
	ended := s.ended
	s.mu.Unlock()
	if ended {
		s.disconnect()
		return network.Plan{}, unix.ESRCH
	}
	return c.plan, nil
}

// rewire makes what only the new plan has, and then takes back what only the present one has.
func (c *connection) rewire(ctx context.Context, plan network.Plan) (network.Plan, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return network.Plan{}, unix.ESRCH
	}
	old := c.plan
	plan.Ports = retarget(old.Ports, plan.Ports)
	added, gone := without(plan.Endpoints, old.Endpoints), without(old.Endpoints, plan.Endpoints)
	moved := !slices.Equal(old.Ports, plan.Ports)
	if moved {
		if err := c.cables.Disconnect(ctx, network.Plan{Container: c.id, Ports: old.Ports}); err != nil {
			return old, err
		}
	}
	if err := c.cables.Connect(ctx, part(plan, added, plan.Ports), int(c.netns.Fd())); err != nil {
		if moved {
			err = errors.Join(err, c.cables.Connect(ctx, part(old, nil, old.Ports), int(c.netns.Fd())))
		}
		return old, errors.Join(err, c.cables.Reroute(ctx, old, int(c.netns.Fd())))
	}
	c.plan = plan // from here on it is the new one that has to be taken back
	errs := []error{c.leave(ctx, old, gone), c.cables.Reroute(ctx, plan, int(c.netns.Fd())), c.rename(plan)}
	file, err := c.state.hold(plan, c.file)
	if err == nil {
		c.file = file
	}
	return plan, errors.Join(append(errs, err)...)
}

func (c *connection) leave(ctx context.Context, old network.Plan, gone []network.Endpoint) error {
	if len(gone) == 0 {
		return nil
	}
	return c.cables.Disconnect(ctx, part(old, gone, nil))
}

// rename has the name server know the zones of the new plan.
func (c *connection) rename(plan network.Plan) (err error) {
	switch {
	case plan.Resolver == nil:
	case c.names != nil:
		c.names.zones.set(plan.Resolver.Zones)
	default:
		if c.names, err = c.serveNames(plan); err == nil {
			c.tell.resolver(plan, c.cfg.Servers)
		}
	}
	return err
}

// retarget gives ports that were published already where they lead to now: the host's side of them stays.
func retarget(have, want []network.Published) []network.Published {
	all := slices.Clone(have)
	for i := range all {
		if i < len(want) && all[i].Protocol == want[i].Protocol && all[i].To.Port() == want[i].To.Port() {
			all[i].To = want[i].To
		}
	}
	return all
}

// part is a plan with some of the endpoints, the bridges that they are on, and some ports.
func part(p network.Plan, endpoints []network.Endpoint, ports []network.Published) network.Plan {
	out := network.Plan{Container: p.Container, Endpoints: endpoints, Ports: ports}
	for _, b := range p.Bridges {
		if slices.ContainsFunc(endpoints, func(e network.Endpoint) bool { return e.Bridge == b.Name }) {
			out.Bridges = append(out.Bridges, b)
		}
	}
	return out
}

// without gives the endpoints that others has not.
func without(all, others []network.Endpoint) []network.Endpoint {
	return slices.DeleteFunc(slices.Clone(all), func(e network.Endpoint) bool {
		return slices.ContainsFunc(others, func(o network.Endpoint) bool { return o.ID == e.ID })
	})
}
