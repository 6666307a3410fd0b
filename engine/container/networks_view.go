package container

import (
	"context"
	"slices"

	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
)

// Endpoints are the container's networks as docker inspect shows them, by name: what was asked of each, and while the container runs what it
// has there.
func (m *Manager) Endpoints(ctx context.Context, c *Container) (map[string]*api.EndpointSettings, error) {
	all := map[string]*api.EndpointSettings{}
	for _, name := range c.NetworkNames() {
		s := askedOf(c.Networks[name])
		all[name] = s
		if m.Networks == nil || c.Networks == nil {
			continue
		}
		n, err := m.Networks.Find(ctx, name)
		if ledger.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.NetworkID = n.ID
		if c.Net != nil && c.State.Live() {
			s.DNSNames = dnsNames(c, name, s)
			if err := fillEndpoint(s, n, c.Net); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// fillEndpoint adds what plan says of the network n.
func fillEndpoint(s *api.EndpointSettings, n *ledger.Network, plan *network.Plan) error {
	i := slices.IndexFunc(plan.Endpoints, func(e network.Endpoint) bool { return e.Network == n.ID })
	if i < 0 {
		return nil
	}
	e := plan.Endpoints[i]
	s.EndpointID = e.ID
	for _, a := range e.Addresses {
		if a.Addr().Is4() {
			s.IPAddress, s.IPPrefixLen = a.Addr(), a.Bits()
		} else {
			s.GlobalIPv6Address, s.GlobalIPv6PrefixLen = a.Addr(), a.Bits()
		}
	}
	for _, sub := range n.Subnets() {
		switch gateway := sub.GatewayAddr(); {
		case n.Internal:
		case sub.Prefix.Contains(s.IPAddress):
			s.Gateway = gateway
		case sub.Prefix.Contains(s.GlobalIPv6Address):
			s.IPv6Gateway = gateway
		}
	}
	return s.MacAddress.UnmarshalText([]byte(e.MAC))
}

// networkView is what docker inspect says of networks. Another container's network has no name here.
func (m *Manager) networkView(ctx context.Context, c *Container) (*container.NetworkSettings, error) {
	all, err := m.Endpoints(ctx, c)
	if err != nil {
		return nil, err
	}
	n := &container.NetworkSettings{Ports: c.PortMap(), Networks: all}
	if c.State.Live() {
		n.SandboxID = c.ID
	}
	return n, nil
}
