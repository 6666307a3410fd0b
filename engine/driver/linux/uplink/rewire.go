//go:build linux

package uplink

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// rewire makes what only the new plan has, and then takes back what only the present one has.
func (c *connection) rewire(ctx context.Context, plan network.Plan) (done network.Plan, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return network.Plan{}, unix.ESRCH
	}
	old, before := c.plan, c.ports
	ports, same := before.retargeted(plan.Ports)
	if !same {
		if c.ports, err = c.publish(ctx, plan.Ports); err != nil {
			c.ports = before
			return old, err
		}
		ports = c.ports.now
	}
	plan.Ports = ports
	if err := c.change(ctx, old, plan); err != nil {
		if !same {
			err = errors.Join(err, c.ports.close())
			c.ports = before
		}
		return old, err
	}
	c.plan = plan // from here on it is the new one that has to be taken back
	if c.ports.lead(ports); !same {
		err = before.close()
		c.tell.published(ports)
	}
	file, holdErr := c.state.hold(plan, c.file)
	if holdErr == nil {
		c.file = file
	}
	return plan, errors.Join(err, holdErr, c.leave(ctx, old, plan), c.cables.Reroute(ctx, plan, int(c.netns.Fd())), c.rename(plan))
}

// change connects what only the new plan has, and leads the rules of published ports to where they lead now. An error leaves the old plan as it was.
func (c *connection) change(ctx context.Context, old, plan network.Plan) error {
	netns := int(c.netns.Fd())
	more, _ := network.Difference(old, plan)
	more.Ports = plan.Ports
	ports, moved := network.Plan{Container: c.id, Ports: old.Ports}, !slices.Equal(old.Ports, plan.Ports)
	if moved {
		if err := c.cables.Disconnect(ctx, ports); err != nil {
			return err
		}
	}
	err := c.cables.Connect(ctx, more, netns)
	if err == nil {
		return nil
	}
	if moved {
		err = errors.Join(err, c.cables.Connect(ctx, ports, netns))
	}
	return errors.Join(err, c.cables.Reroute(ctx, old, netns))
}

// leave disconnects from the networks that only the old plan has. Its ports have gone before.
func (c *connection) leave(ctx context.Context, old, plan network.Plan) error {
	_, less := network.Difference(old, plan)
	if len(less.Endpoints) == 0 {
		return nil
	}
	less.Ports = nil
	return c.cables.Disconnect(ctx, less)
}

// rename has the name server know the zones of the new plan.
func (c *connection) rename(plan network.Plan) (err error) {
	switch {
	case plan.Resolver == nil:
	case c.names != nil:
		c.names.zones.set(plan.Resolver.Zones)
	default:
		if c.names, err = c.serveNames(plan); err == nil {
			c.tell.resolver(plan, c.cfg.servers)
		}
	}
	return err
}
