package network

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/network"
)

// Plan is all that one container has of networks: what a driver carries out before the container's program begins, and takes back when the
// container has ended.
type Plan struct {
	Container string     // id
	Bridges   []Bridge   // that its endpoints are on; one that is there already is used
	Endpoints []Endpoint // in the order of their interfaces
	Ports     []Published
	Resolv    Resolv
	Resolver  *Resolver // nil: the container asks the servers of Resolv by itself
}

// Resolv is what the user wants to be in the container's /etc/resolv.conf.
type Resolv struct {
	Servers []netip.Addr // that are asked about names; none: those of the host
	Search  []string     // domains; none: those of the host
	Options []string     // none: those of the host
}

// Bridge is the switch of one network on this machine.
type Bridge struct {
	Network   string         // id of the network
	Name      string         // of the interface, at most 15 bytes (netdevice(7): IFNAMSIZ)
	Addresses []netip.Prefix // of the bridge itself: the gateways of its containers; none: the host has no address there
	Internal  bool           // nothing passes between this network and any other, nor the outside
	Isolated  bool           // its containers don't reach one another
	Hidden    bool           // what leaves for the outside carries the host's address (masquerade)
	MTU       int            // bytes; 0: the kernel's default
}

// Endpoint is a container's place in a network.
type Endpoint struct {
	ID        string // 64 hex digits
	Network   string // id of the network
	Bridge    string // interface of the host it is connected to
	HostEnd   string // name of the virtual cable's end on the host
	Interface string // name of the other end, in the container: eth0
	MAC       string // 02:42:ac:11:00:02
	Addresses []netip.Prefix
	Gateways  []netip.Addr // of the default routes that go this way: at most one of each family in a plan
	MTU       int
}

// Published is a port of the host that leads to one of a container.
type Published struct {
	Protocol network.IPProtocol
	HostIP   netip.Addr     // 0.0.0.0 and :: for every address
	HostPort uint16         // the first that may be taken
	HostLast uint16         // the last that may be taken; 0 in both: any that is free
	To       netip.AddrPort // the container's address and port
}

// Resolver is the name server in the container's namespace, at ResolverAddress. It asks the servers of Resolv about names that are in none of
// its zones.
type Resolver struct {
	Zones  []Zone // in the order in which they are asked
	Closed bool   // it knows no other names: all networks of the container are internal
}

// Zone is a network whose names a resolver knows.
type Zone struct {
	Network string // id
	Name    string // of the network
	Folder  string // where package leases finds who is in it
}

// ResolverAddress is where a container's own name server listens, as docker has it.
const ResolverAddress = "127.0.0.11"

// Lease is an endpoint with the names that lead to it: whose an address of a network is while a container runs.
type Lease struct {
	Network   string // id
	Container string // id
	Endpoint  string // id
	Name      string // the container's
	Names     []string
	MAC       string
	Addresses []netip.Prefix
}

// Called reports whether name leads to the lease. Case does not matter (RFC 4343).
func (l Lease) Called(name string) bool {
	return slices.ContainsFunc(l.Names, func(n string) bool { return strings.EqualFold(n, name) })
}
