package container

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network/ledger"
)

// joinNetworks leases what the container has in its networks and adds the plan to s. It is to be called under the container's lock when its record
// says that it starts: leases of others are void. After an error leaveNetworks gives back what was leased.
func (m *Manager) joinNetworks(ctx context.Context, c *Container, s *driver.Spec) error {
	var places []place
	if m.wired(c) {
		var err error
		if places, err = m.lease(ctx, c); err != nil {
			return fmt.Errorf("failed to set up container networking: %w", err)
		}
		p := makePlan(c, places)
		s.Net = &p
	}
	links, err := m.linkedHosts(ctx, c, places)
	if err != nil {
		return err
	}
	hosts, err := m.furtherHosts(ctx, c, places)
	s.Hosts = append(hosts, links...)
	return err
}

// wired reports whether the container is connected to networks by interfaces of its own.
func (m *Manager) wired(c *Container) bool {
	return m.connects() && len(c.Networks) > 0 && c.Networks[ledger.Host] == nil && c.Networks[ledger.None] == nil && !c.HostConfig.NetworkMode.IsContainer()
}

func (m *Manager) lease(ctx context.Context, c *Container) ([]place, error) {
	var places []place
	for _, name := range c.order() {
		n, err := m.Networks.Find(ctx, name)
		if err == nil {
			err = n.Problem
		}
		if err != nil {
			return nil, err
		}
		at, err := m.claim(ctx, c, n, c.Networks[name])
		if err != nil {
			return nil, err
		}
		at.inside = interfaceName(places)
		places = append(places, at)
	}
	return places, nil
}

// claim leases what a container asks of one network.
func (m *Manager) claim(ctx context.Context, c *Container, n *ledger.Network, s *api.EndpointSettings) (place, error) {
	r := ledger.Request{Container: c.ID, Name: c.Name, Names: dnsNames(c, n.Name, s), Addresses: addresses(s)}
	if len(s.MacAddress) > 0 {
		r.MAC = s.MacAddress.String()
	}
	l, err := m.Networks.Claim(ctx, n, r)
	return place{net: n, lease: l, priority: s.GwPriority, folder: m.Networks.LeasesDir(n.ID)}, err
}

// dnsNames are what the container is called in a network, as docker has it; on the networks that are always there nothing has a name.
func dnsNames(c *Container, network string, s *api.EndpointSettings) []string {
	if !container.NetworkMode(network).IsUserDefined() {
		return nil
	}
	var names []string
	for _, n := range slices.Concat([]string{c.Name}, s.Aliases, []string{c.ID[:12], c.Config.Hostname}) {
		if n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// renameInNetworks has a container that runs found by its new name.
func (m *Manager) renameInNetworks(ctx context.Context, c *Container) error {
	if !c.State.Live() || !m.wired(c) {
		return nil
	}
	for _, name := range c.order() {
		n, err := m.Networks.Find(ctx, name)
		if ledger.IsNotFound(err) {
			continue
		}
		if err == nil {
			err = m.Networks.Rename(ctx, n, c.ID, c.Name, dnsNames(c, n.Name, c.Networks[name]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaveNetworks gives the addresses of a container back that has ended for good.
func (m *Manager) leaveNetworks(ctx context.Context, c *Container) error {
	if c.State.Active() || c.State.Starting || !m.wired(c) {
		return nil
	}
	return m.releaseNetworks(ctx, c.ID)
}

func (m *Manager) releaseNetworks(ctx context.Context, id string) error {
	if m.Networks == nil {
		return nil
	}
	return m.Networks.ReleaseAll(ctx, id)
}

// furtherHosts are the names that the user gives addresses. The host's own is that of the bridge which the container reaches the outside by:
// a bridge is there only while somebody is connected to it, and the default one need not be.
func (m *Manager) furtherHosts(ctx context.Context, c *Container, places []place) ([]string, error) {
	var all []string
	for _, word := range c.HostConfig.ExtraHosts {
		name, address, _ := strings.Cut(word, ":")
		if address == hostGateway {
			gateway, err := m.hostAddress(ctx, places)
			if err != nil {
				return nil, err
			}
			address = gateway.String()
		}
		all = append(all, name+":"+address)
	}
	return all, nil
}

func (m *Manager) hostAddress(ctx context.Context, places []place) (netip.Addr, error) {
	var n *ledger.Network
	if i := wayOut(places, netip.Addr.Is4); i >= 0 {
		n = places[i].net
	} else if m.Networks != nil {
		var err error
		if n, err = m.Networks.Find(ctx, ledger.DefaultBridge); err != nil {
			return netip.Addr{}, err
		}
	}
	if n == nil || n.Problem != nil || len(n.Subnets()) == 0 {
		return netip.Addr{}, errors.New("unable to derive the IP value for host-gateway")
	}
	return n.Subnets()[0].GatewayAddr(), nil
}
