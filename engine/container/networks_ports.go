package container

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/moby/moby/api/types/container"
	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
)

// hostPorts reads the port of a binding: a number, a range to choose from, or nothing for any.
func hostPorts(word string) (first, last uint16, err error) {
	if word == "" {
		return 0, 0, nil
	}
	r, err := api.ParsePortRange(word)
	if err != nil || r.Start() == r.End() {
		return r.Start(), 0, err
	}
	return r.Start(), r.End(), nil
}

func validHostPort(word string) bool {
	_, _, err := hostPorts(word)
	return err == nil
}

// published are the ports of the host that lead to a container, at its place in the network that is its way out. Those with a number come
// first: no free one that is drawn may be theirs.
func published(c *Container, at place) []network.Published {
	bindings := maps.Clone(c.HostConfig.PortBindings)
	if bindings == nil {
		bindings = api.PortMap{}
	}
	if c.HostConfig.PublishAllPorts {
		for port := range c.Config.ExposedPorts {
			if len(bindings[port]) == 0 {
				bindings[port] = []api.PortBinding{{}}
			}
		}
	}
	var all []network.Published
	for _, port := range slices.SortedFunc(maps.Keys(bindings), comparePorts) {
		for _, b := range bindings[port] {
			all = append(all, publish(port, b, at)...)
		}
	}
	slices.SortStableFunc(all, func(a, b network.Published) int { return cmp.Compare(drawn(a), drawn(b)) })
	return all
}

func comparePorts(a, b api.Port) int {
	return cmp.Or(cmp.Compare(a.Num(), b.Num()), cmp.Compare(a.Proto(), b.Proto()))
}

func drawn(p network.Published) int {
	if p.HostPort == 0 {
		return 1
	}
	return 0
}

// publish gives one binding its addresses.
func publish(port api.Port, b api.PortBinding, at place) []network.Published {
	first, last, err := hostPorts(b.HostPort)
	if err != nil {
		return nil // it was refused when the container was made
	}
	var all []network.Published
	for _, ip := range hostAddresses(b.HostIP, at.net) {
		all = append(all, network.Published{Protocol: port.Proto(), HostIP: ip, HostPort: first, HostLast: last, To: netip.AddrPortFrom(at.reached(ip), port.Num())})
	}
	return all
}

// hostAddresses are those of the host that a port is published on: the one that was asked for, else what the network says, else all.
func hostAddresses(asked netip.Addr, n *ledger.Network) []netip.Addr {
	if asked.IsValid() {
		return []netip.Addr{asked.Unmap()}
	}
	if ip, err := netip.ParseAddr(n.Options[ledger.OptionHostIP]); err == nil && ip != netip.IPv4Unspecified() {
		return []netip.Addr{ip.Unmap()}
	}
	return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
}

// PortMap are the container's ports and where they are published, as docker inspect shows them: a port that is only exposed leads nowhere.
// A container that does not run, or has no network of its own, has none.
func (c *Container) PortMap() api.PortMap {
	ports := api.PortMap{}
	if !c.State.Live() || c.Net == nil || len(c.Net.Endpoints) == 0 {
		return ports
	}
	for p := range c.Config.ExposedPorts {
		ports[p] = nil
	}
	for p := range c.HostConfig.PortBindings {
		ports[p] = nil
	}
	for _, p := range c.Net.Ports {
		if port, ok := api.PortFrom(p.To.Port(), p.Protocol); ok {
			ports[port] = append(ports[port], api.PortBinding{HostIP: p.HostIP, HostPort: decimal(p.HostPort)})
		}
	}
	return ports
}

// Ports is PortMap as docker ps shows it, in the order of the container's ports.
func (c *Container) Ports() []container.PortSummary {
	var all []container.PortSummary
	ports := c.PortMap()
	for _, port := range slices.SortedFunc(maps.Keys(ports), comparePorts) {
		if len(ports[port]) == 0 {
			all = append(all, container.PortSummary{PrivatePort: port.Num(), Type: string(port.Proto())})
		}
		for _, b := range ports[port] {
			first, _, _ := hostPorts(b.HostPort)
			all = append(all, container.PortSummary{IP: b.HostIP, PrivatePort: port.Num(), PublicPort: first, Type: string(port.Proto())})
		}
	}
	return all
}
