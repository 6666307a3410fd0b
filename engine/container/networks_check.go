package container

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network/ledger"
)

// checkNetworking refuses, with docker's words, what contradicts itself whatever networks there are.
func checkNetworking(o *CreateOptions) error {
	h := &o.HostConfig
	if err := checkHosts(h.ExtraHosts); err != nil {
		return err
	}
	for port, bindings := range h.PortBindings {
		for _, b := range bindings {
			if !port.IsValid() || !validHostPort(b.HostPort) {
				return invalid("invalid port specification: %q", b.HostPort)
			}
		}
	}
	if h.NetworkMode.IsHost() && hasLinks(o) {
		return conflictingOptions("host type networking can't be used with links. This would result in undefined behavior")
	}
	if (h.NetworkMode.IsHost() || h.NetworkMode.IsContainer()) && hasMAC(o) {
		return conflictingOptions("mac-address and the network mode")
	}
	if !h.NetworkMode.IsContainer() {
		return nil
	}
	switch {
	case hasLinks(o):
		return conflictingOptions("container type network can't be used with links. This would result in undefined behavior")
	case len(h.DNS) > 0:
		return conflictingOptions("dns and the network mode")
	case len(h.ExtraHosts) > 0:
		return conflictingOptions("custom host-to-IP mapping and the network mode")
	case len(h.PortBindings) > 0 || h.PublishAllPorts:
		return conflictingOptions("port publishing and the container type network mode")
	case len(o.Config.ExposedPorts) > 0:
		return conflictingOptions("port exposing and the container type network mode")
	}
	return nil
}

// hostGateway stands for an address of the host in further names of a container.
const hostGateway = "host-gateway"

func checkHosts(hosts []string) error {
	for _, word := range hosts {
		name, address, ok := strings.Cut(word, ":")
		if !ok || name == "" {
			return invalid("bad format for add-host: %q", word)
		}
		if _, err := netip.ParseAddr(address); err != nil && address != hostGateway {
			return invalid("invalid IP address in add-host: %q", address)
		}
	}
	return nil
}

func hasLinks(o *CreateOptions) bool { return len(links(o.HostConfig.Links, o.Networks)) > 0 }

func hasMAC(o *CreateOptions) bool {
	for _, s := range o.Networks {
		if s != nil && len(s.MacAddress) > 0 {
			return true
		}
	}
	return false
}

// checkEndpoint refuses what a container can't have in the network that ref means, and gives its name.
func (m *Manager) checkEndpoint(ctx context.Context, c *Container, ref string, s *api.EndpointSettings) (string, error) {
	name, n, err := m.network(ctx, ref)
	if err != nil {
		return "", err
	}
	if c.HostConfig.NetworkMode.IsContainer() && name != string(c.HostConfig.NetworkMode) {
		return "", errSharing
	}
	if s == nil {
		return name, nil
	}
	if err := checkSettings(n, name, s); err != nil {
		return "", invalid("invalid config for network %s: %v", name, err)
	}
	return name, nil
}

var (
	errSharing = &InvalidError{"container sharing network namespace with another container or host cannot be connected to any other network"}
	errPrivate = &InvalidError{"container cannot be connected to multiple networks with one of the networks in private (none) mode"}
)

// checkTogether refuses networks that no container is in together.
func checkTogether(networks map[string]*api.EndpointSettings) error {
	switch {
	case len(networks) < 2:
		return nil
	case networks[ledger.Host] != nil:
		return errSharing
	case networks[ledger.None] != nil:
		return errPrivate
	}
	return nil
}

// checkSettings says in docker's words what is wrong with what is asked of a network; n is nil if nobody knows it yet.
func checkSettings(n *ledger.Network, name string, s *api.EndpointSettings) error {
	var problems []string
	wanted := addresses(s)
	if !container.NetworkMode(name).IsUserDefined() {
		if len(wanted) > 0 {
			problems = append(problems, "user specified IP address is supported on user defined networks only")
		}
		if len(s.Aliases) > 0 {
			problems = append(problems, "network-scoped alias is supported only for containers in user defined networks")
		}
	}
	if n != nil && len(problems) == 0 {
		for _, a := range wanted {
			problems = append(problems, checkAddress(n, a)...)
		}
	}
	if mac := s.MacAddress; len(mac) > 0 && (len(mac) != 6 || mac[0]&1 != 0) {
		problems = append(problems, "invalid MAC address "+mac.String())
	}
	if len(problems) > 0 {
		return fmt.Errorf("invalid endpoint settings:\n%s", strings.Join(problems, "\n"))
	}
	return nil
}

// addresses are those that must be the container's in a network.
func addresses(s *api.EndpointSettings) []netip.Addr {
	if s == nil || s.IPAMConfig == nil {
		return nil
	}
	var all []netip.Addr
	for _, a := range []netip.Addr{s.IPAMConfig.IPv4Address, s.IPAMConfig.IPv6Address} {
		if a.IsValid() {
			all = append(all, a.Unmap())
		}
	}
	return all
}

func checkAddress(n *ledger.Network, a netip.Addr) []string {
	configured := false
	for _, s := range n.Subnets() {
		if s.Prefix.Addr().BitLen() != a.BitLen() || slices.Contains(n.Drawn, s.Prefix) {
			continue
		}
		if configured = true; s.Prefix.Contains(a) {
			return nil
		}
	}
	if configured {
		return []string{"no configured subnet or ip-range contain the IP address " + a.String()}
	}
	return []string{"user specified IP address is supported only when connecting to networks with user configured subnets"}
}
