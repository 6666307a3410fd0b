package container

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network/ledger"
)

// NetworkNames are the networks that the container is in when it runs, sorted; none if it has another container's.
func (c *Container) NetworkNames() []string {
	if c.HostConfig.NetworkMode.IsContainer() {
		return nil
	}
	if c.Networks == nil {
		return []string{or(string(c.HostConfig.NetworkMode), ledger.None)}
	}
	return slices.Sorted(maps.Keys(c.Networks))
}

// Holds reports whether the container id runs and is connected to the network with that id, or somebody is about to connect it. It takes no
// lock and writes nothing down: whoever asks may hold the lock of a network.
func (m *Manager) Holds(ctx context.Context, network, id string) bool {
	if !isID(id) {
		return false
	}
	c, err := m.read(id)
	switch {
	case err != nil || c.Problem != nil || !c.State.Live() && !c.State.Starting:
		return false
	case m.foreign(c) != nil || m.busy(id):
		return true
	}
	_, st, err := m.ask(ctx, id)
	return err != nil || st.Net != nil && endpointIn(st.Net, network) >= 0
}

// connects reports whether containers can be connected to networks here.
func (m *Manager) connects() bool {
	_, able := m.runtime.(driver.Networker)
	return able && m.Networks != nil
}

// chooseNetworks settles which networks a container is in, by their names. As in docker a network that is not there is no error until the
// container starts. Errors: *InvalidError for what can't be had in a network, or together.
func (m *Manager) chooseNetworks(ctx context.Context, c *Container, asked map[string]*api.EndpointSettings) error {
	h := c.HostConfig
	if !m.connects() {
		return m.chooseNone(c, asked)
	}
	if h.NetworkMode == "" || h.NetworkMode.IsDefault() {
		h.NetworkMode = ledger.DefaultBridge
	}
	if err := m.checkLinks(ctx, c, asked); err != nil {
		return err
	}
	chosen := map[string]*api.EndpointSettings{}
	for _, ref := range slices.Sorted(maps.Keys(asked)) {
		name, err := m.checkEndpoint(ctx, c, ref, asked[ref])
		if err != nil {
			return err
		}
		if chosen[name] != nil {
			return invalid("network %q is specified multiple times", name)
		}
		chosen[name] = askedOf(asked[ref])
	}
	mode, _, err := m.network(ctx, string(h.NetworkMode))
	if err != nil {
		return err
	}
	if h.NetworkMode.IsUserDefined() {
		h.NetworkMode = container.NetworkMode(mode)
	}
	if chosen[mode] == nil {
		chosen[mode] = &api.EndpointSettings{}
	}
	if h.NetworkMode.IsHost() && len(h.PortBindings) > 0 {
		c.Warnings = append(c.Warnings, "Published ports are discarded when using host network mode")
	}
	if err := checkTogether(chosen); err != nil || h.NetworkMode.IsContainer() {
		return err
	}
	c.Networks = chosen
	return nil
}

// askedOf gives the settings as they were asked for, without what follows from them.
func askedOf(s *api.EndpointSettings) *api.EndpointSettings {
	if s == nil {
		return &api.EndpointSettings{}
	}
	c := s.Copy()
	return &api.EndpointSettings{IPAMConfig: c.IPAMConfig, Links: c.Links, Aliases: c.Aliases, DriverOpts: c.DriverOpts, GwPriority: c.GwPriority, MacAddress: slices.Clone(s.MacAddress)}
}

// chooseNone is for a machine that can't connect containers: nobody is told so who didn't ask for anything.
func (m *Manager) chooseNone(c *Container, asked map[string]*api.EndpointSettings) error {
	h := c.HostConfig
	for _, name := range append(slices.Sorted(maps.Keys(asked)), string(h.NetworkMode)) {
		if container.NetworkMode(name).IsUserDefined() && name != "" {
			return invalid("network %s: this machine's driver can't connect containers; none (loopback only), host and container:<name|id> are there", name)
		}
	}
	if h.NetworkMode.IsDefault() || h.NetworkMode.IsBridge() {
		h.NetworkMode = ledger.None
	}
	if len(h.PortBindings) > 0 || h.PublishAllPorts {
		c.Warnings = append(c.Warnings, "Published ports are discarded: this machine's driver can't connect containers to networks")
	}
	return nil
}

// network gives the name of the network that ref means, and the network; nil if there is none.
func (m *Manager) network(ctx context.Context, ref string) (string, *ledger.Network, error) {
	if container.NetworkMode(ref).IsDefault() {
		ref = ledger.DefaultBridge
	}
	if container.NetworkMode(ref).IsContainer() {
		return ref, nil, nil
	}
	n, err := m.Networks.Find(ctx, ref)
	switch {
	case ledger.IsNotFound(err):
		return ref, nil, nil
	case errors.As(err, new(*ledger.ConflictError)):
		return "", nil, conflict("%v", err)
	case err != nil:
		return "", nil, err
	}
	return n.Name, n, n.Problem
}

// tellNetworks tells that the container is connected to its networks, or is no more.
func (m *Manager) tellNetworks(ctx context.Context, c *Container, action events.Action) {
	if m.Events == nil || !m.connects() {
		return
	}
	for _, name := range c.order() {
		if n, err := m.Networks.Find(ctx, name); err == nil {
			m.tellNetwork(c, n, action)
		}
	}
}

func (m *Manager) tellNetwork(c *Container, n *ledger.Network, action events.Action) {
	m.Events.Add(events.NetworkEventType, action, n.ID, map[string]string{"container": c.ID, "name": n.Name, "type": n.Driver})
}

// order is that of the container's interfaces: the network of its mode first, then the others by name.
func (c *Container) order() []string {
	first := string(c.HostConfig.NetworkMode)
	return slices.SortedFunc(maps.Keys(c.Networks), func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == first:
			return -1
		case b == first:
			return 1
		}
		return strings.Compare(a, b)
	})
}
