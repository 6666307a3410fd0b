package reach

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/network"
)

// Facts are what was found.
type Facts struct {
	To       Party
	From     *Party    // who wants to reach it; nil: somebody outside of all containers
	Name     string    // that From uses for it, or an address; empty: its own name
	Port     Port      // that is meant; zero: all that may be meant
	Networks []Network // that the parties are in
	Default  string    // the network for those who name none, where names mean nothing
}

// sharing begins the mode of a container that has another's network.
const sharing = "container:"

// Port is one of a container.
type Port struct {
	Number   uint16
	Protocol string // tcp or udp
}

// String gives the port as docker writes it: 80/tcp.
func (p Port) String() string { return strconv.Itoa(int(p.Number)) + "/" + p.Protocol }

// Party is a container at one end of a way.
type Party struct {
	ID, Name string
	Running  bool
	Mode     string        // its network mode: bridge, host, none, container:NAME or a network's name
	Plan     *network.Plan // as it was carried out; nil: it is in no network by a cable of its own
	Exposed  []Port        // that the image or the user noted as the program's, published or not
	Sockets  []Socket      // that listen in its network namespace
	Looked   bool          // Sockets are known
	Proc     string        // where they were found: /proc/4711
	Wires    []Wire        // what its plan means on this machine; nil: nobody has looked
}

// Socket is one that takes what comes for a port.
type Socket struct {
	Port
	Address netip.Addr
}

// String gives address and port: 127.0.0.1:80.
func (s Socket) String() string { return netip.AddrPortFrom(s.Address, s.Number).String() }

// Wire is an interface, an address, a route or a rule that a plan needs on this machine.
type Wire struct {
	What    string // in words: bridge br-0123456789ab
	Where   string // how it is seen: nft list table inet learn-1a2b3c4d
	Missing bool
}

// Network is one that parties are in.
type Network struct {
	ID, Name string
	Internal bool // nothing passes between it and the outside
	Isolated bool // its containers don't reach one another
	Leases   []network.Lease
}

func (f *Facts) network(id string) Network {
	for _, n := range f.Networks {
		if n.ID == id {
			return n
		}
	}
	return Network{ID: id, Name: id[:min(len(id), 12)]}
}

// endpoints are a party's places, without those on nothing.
func (p *Party) endpoints() []network.Endpoint {
	if p.Plan == nil {
		return nil
	}
	return p.Plan.Endpoints
}

func (p *Party) endpoint(net string) (network.Endpoint, bool) {
	for _, e := range p.endpoints() {
		if e.Network == net {
			return e, true
		}
	}
	return network.Endpoint{}, false
}

func (f *Facts) namesOf(p *Party) string {
	var names []string
	for _, e := range p.endpoints() {
		names = append(names, f.network(e.Network).Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// addressesIn are those of an endpoint.
func addressesIn(e network.Endpoint) []netip.Addr {
	var all []netip.Addr
	for _, a := range e.Addresses {
		all = append(all, a.Addr())
	}
	return all
}

// addresses are all of a party's.
func (p *Party) addresses() []netip.Addr {
	var all []netip.Addr
	for _, e := range p.endpoints() {
		all = append(all, addressesIn(e)...)
	}
	return all
}

// published are the ports of the host that lead to one of the container's.
func (p *Party) published(port Port) []network.Published {
	if p.Plan == nil {
		return nil
	}
	var all []network.Published
	for _, have := range p.Plan.Ports {
		if have.To.Port() == port.Number && string(have.Protocol) == port.Protocol {
			all = append(all, have)
		}
	}
	return all
}

// outside are the ports that somebody outside may mean: those that are published, else those that are noted or listened on.
func (f *Facts) outside() []Port {
	if f.Port.Number != 0 {
		return []Port{f.Port}
	}
	var all []Port
	if f.To.Plan != nil {
		for _, p := range f.To.Plan.Ports {
			all = append(all, Port{p.To.Port(), string(p.Protocol)})
		}
	}
	if len(all) == 0 {
		all = f.inside()
	}
	return distinct(all)
}

// inside are the ports that a neighbour may mean.
func (f *Facts) inside() []Port {
	if f.Port.Number != 0 {
		return []Port{f.Port}
	}
	all := slices.Clone(f.To.Exposed)
	if f.To.Mode == "host" || strings.HasPrefix(f.To.Mode, sharing) {
		return distinct(all) // what listens there need not be the container's
	}
	for _, s := range f.To.Sockets {
		if s.Address != resolver { // the container's name server listens for the container alone
			all = append(all, s.Port)
		}
	}
	if f.To.Plan != nil {
		for _, p := range f.To.Plan.Ports {
			all = append(all, Port{p.To.Port(), string(p.Protocol)})
		}
	}
	return distinct(all)
}

func distinct(ports []Port) []Port {
	slices.SortFunc(ports, func(a, b Port) int {
		if a.Number != b.Number {
			return int(a.Number) - int(b.Number)
		}
		return strings.Compare(a.Protocol, b.Protocol)
	})
	return slices.Compact(ports)
}
