package container

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
)

// place is what a container has in one network.
type place struct {
	net      *ledger.Network
	lease    network.Lease
	inside   string // its interface in the container
	priority int    // as a way out
	folder   string // of the network's leases
}

// address is the container's one of a family; not valid: it has none.
func (p place) address(family func(netip.Addr) bool) netip.Addr {
	for _, a := range p.lease.Addresses {
		if family(a.Addr()) {
			return a.Addr()
		}
	}
	return netip.Addr{}
}

// reached is the address at which what comes in on one of the host's reaches the container: with IPv6 by IPv4 if it has no other.
func (p place) reached(host netip.Addr) netip.Addr {
	if to := p.address(netip.Addr.Is6); host.Is6() && to.IsValid() {
		return to
	}
	return p.address(netip.Addr.Is4)
}

// makePlan says how a container with these places is to be connected.
func makePlan(c *Container, places []place) network.Plan {
	p := network.Plan{Container: c.ID, Resolv: network.Resolv{Servers: c.HostConfig.DNS, Search: c.HostConfig.DNSSearch, Options: c.HostConfig.DNSOptions}}
	out4, out6 := wayOut(places, netip.Addr.Is4), wayOut(places, netip.Addr.Is6)
	for i, at := range places {
		p.Bridges = append(p.Bridges, at.net.Bridge())
		e := at.net.Endpoint(at.lease, at.inside, true)
		e.Gateways = slices.DeleteFunc(e.Gateways, func(a netip.Addr) bool { return i != out4 && a.Is4() || i != out6 && a.Is6() })
		p.Endpoints = append(p.Endpoints, e)
	}
	if out4 >= 0 {
		p.Ports = published(c, places[out4])
	}
	p.Resolver = makeResolver(places)
	return p
}

// wayOut is which place has the default route of a family: that of highest priority, then the one whose network's name is first. -1: none
// leads outside.
func wayOut(places []place, family func(netip.Addr) bool) int {
	best := -1
	for i, at := range places {
		if at.net.Internal || !at.address(family).IsValid() {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(places[best].priority, at.priority), strings.Compare(at.net.Name, places[best].net.Name)) < 0 {
			best = i
		}
	}
	return best
}

// makeResolver knows the names of the user's networks; nil if the container is in none: on the default bridge nobody has a name.
func makeResolver(places []place) *network.Resolver {
	r := &network.Resolver{Closed: true}
	for _, at := range places {
		r.Closed = r.Closed && at.net.Internal
		if container.NetworkMode(at.net.Name).IsUserDefined() {
			r.Zones = append(r.Zones, network.Zone{Network: at.net.ID, Name: at.net.Name, Folder: at.folder})
		}
	}
	if len(r.Zones) == 0 {
		return nil
	}
	return r
}

// interfaceName is the first that none of the places has: eth0, eth1 ...
func interfaceName(places []place) string {
	for i := 0; ; i++ {
		name := "eth" + strconv.Itoa(i)
		if !slices.ContainsFunc(places, func(p place) bool { return p.inside == name }) {
			return name
		}
	}
}

func decimal(n uint16) string { return strconv.Itoa(int(n)) }
