package world

import (
	"net/netip"
	"slices"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Network is what containers reach one another by, or the zero Network, for which Exists is false.
type Network struct {
	Exists   bool       `json:"-" expr:"exists"`
	ID       string     `json:"id" expr:"id"`
	Name     string     `json:"name" expr:"name"`
	Driver   string     `json:"driver" expr:"driver"`
	Subnets  []string   `json:"subnets" expr:"subnets"`
	Internal bool       `json:"internal,omitempty" expr:"internal"`
	Bridge   string     `json:"bridge,omitempty" expr:"bridge"` // its interface on the machine; empty: there is none now
	Members  []Endpoint `json:"members" expr:"members"`         // containers that run in it
	Seq      uint64     `json:"seq" expr:"seq"`                 // the event that told of it first
}

// Endpoint is a running container's place in a network.
type Endpoint struct {
	Container string   `json:"container" expr:"container"` // id
	Addresses []string `json:"addresses" expr:"addresses"`
	Names     []string `json:"names" expr:"names"`
	Interface string   `json:"interface,omitempty" expr:"interface"` // in the container; empty: it is not plugged in
	HostEnd   string   `json:"host_end,omitempty" expr:"host_end"`   // the other end of its cable, on the machine
}

// Port is a port of the machine that leads to a running container.
type Port struct {
	Protocol string `json:"protocol" expr:"protocol"` // tcp or udp
	Host     string `json:"host" expr:"host"`         // address and port: 0.0.0.0:8080
	To       string `json:"to" expr:"to"`             // address and port of the container
}

// Refusal is a connection to a published port that the container's program did not take.
type Refusal struct {
	Host  string `json:"host" expr:"host"`
	To    string `json:"to" expr:"to"`
	Error string `json:"error" expr:"error"`
	Seq   uint64 `json:"seq" expr:"seq"`
}

// Lookup is a question that a container's name server has answered.
type Lookup struct {
	Name   string   `json:"name" expr:"name"`
	Type   string   `json:"type" expr:"type"`
	Code   string   `json:"code" expr:"code"`
	Answer []string `json:"answer" expr:"answer"`
	Server string   `json:"server,omitempty" expr:"server"` // empty: the container's own knew
	Seq    uint64   `json:"seq" expr:"seq"`
}

// maxKept is how many refusals, and lookups, of one container a world holds: the latest ones.
const maxKept = 100

// Network finds a network by its name or id.
func (w World) Network(ref string) Network {
	for _, n := range w.Networks {
		if n.Name == ref || n.ID == ref {
			return n
		}
	}
	return Network{}
}

func (f *folder) applyNetwork(e trace.Event) {
	id := e.Attr("network").Str()
	if e.Kind == vocab.NetworkRemove {
		f.removeNetwork(id)
		return
	}
	n := f.network(id, e.Seq)
	switch e.Kind {
	case vocab.NetworkCreate:
		n.Name, n.Driver, n.Subnets, n.Internal = e.Attr("name").Str(), e.Attr("driver").Str(), e.Attr("subnets").List(), e.Attr("internal").Bool()
	case vocab.NetworkLease:
		if n.Name == "" {
			n.Name = e.Attr("name").Str()
		}
		n.join(e.Attr("container").Str(), e.Attr("addresses").List(), e.Attr("names").List())
	case vocab.NetworkRelease:
		n.leave(e.Attr("container").Str())
	case vocab.NetBridge:
		n.Bridge = e.Attr("interface").Str()
	case vocab.NetBridgeGone:
		n.Bridge = ""
	case vocab.NetCable:
		n.plug(e.Attr("container").Str(), e.Attr("interface").Str(), e.Attr("peer").Str())
	case vocab.NetUnplug:
		f.closePorts(e.Attr("container").Str(), n.addresses(e.Attr("container").Str()))
		n.plug(e.Attr("container").Str(), "", "")
	}
}

// join adds a member, or gives it other addresses and names: its cable stays.
func (n *Network) join(container string, addresses, names []string) {
	m := Endpoint{Container: container, Addresses: addresses, Names: names}
	if i := slices.IndexFunc(n.Members, func(m Endpoint) bool { return m.Container == container }); i >= 0 {
		m.Interface, m.HostEnd = n.Members[i].Interface, n.Members[i].HostEnd
	}
	n.leave(container)
	n.Members = append(n.Members, m)
}

// plug sets the ends of a member's cable; of one that has left already there is nothing to know.
func (n *Network) plug(container, inside, outside string) {
	n.Members = slices.Clone(n.Members)
	for i := range n.Members {
		if n.Members[i].Container == container {
			n.Members[i].Interface, n.Members[i].HostEnd = inside, outside
		}
	}
}

func (n *Network) addresses(container string) []string {
	for _, m := range n.Members {
		if m.Container == container {
			return m.Addresses
		}
	}
	return nil
}

// applyPort notes what becomes of a container's ports and questions. What a build step is made of is no container, and has none.
func (f *folder) applyPort(e trace.Event) {
	id := e.Attr("container").Str()
	if f.containerIndex(id) < 0 {
		return
	}
	c := f.container(id, e.Seq)
	switch e.Kind {
	case vocab.NetPublish:
		c.Ports = append(slices.Clone(c.Ports), Port{e.Attr("protocol").Str(), e.Attr("host").Str(), e.Attr("to").Str()})
	case vocab.NetRefused:
		c.Refused = keep(c.Refused, Refusal{e.Attr("host").Str(), e.Attr("to").Str(), e.Attr("error").Str(), e.Seq})
	case vocab.NetLookup:
		c.Lookups = keep(c.Lookups, Lookup{e.Attr("name").Str(), e.Attr("type").Str(), e.Attr("code").Str(), e.Attr("answer").List(), e.Attr("server").Str(), e.Seq})
	}
}

// keep adds to a list of its own.
func keep[T any](list []T, one T) []T {
	if len(list) >= maxKept {
		list = list[len(list)-maxKept+1:]
	}
	return append(slices.Clone(list), one)
}

// closePorts takes away the ports that lead to addresses of a network that a container has left.
func (f *folder) closePorts(id string, addresses []string) {
	i := f.containerIndex(id)
	if i < 0 {
		return
	}
	writable(f, partContainers, &f.w.Containers)
	c := &f.w.Containers[i]
	c.Ports = slices.DeleteFunc(slices.Clone(c.Ports), func(p Port) bool {
		to, err := netip.ParseAddrPort(p.To)
		return err == nil && slices.ContainsFunc(addresses, func(a string) bool {
			own, err := netip.ParsePrefix(a)
			return err == nil && own.Addr() == to.Addr()
		})
	})
}

// leave takes a member away, in a list of its own: what a snapshot gave out never changes.
func (n *Network) leave(container string) {
	n.Members = slices.DeleteFunc(slices.Clone(n.Members), func(m Endpoint) bool { return m.Container == container })
}

// network returns the entry of a network for writing; it is added if it is not there.
func (f *folder) network(id string, seq uint64) *Network {
	writable(f, partNetworks, &f.w.Networks)
	i := slices.IndexFunc(f.w.Networks, func(n Network) bool { return n.ID == id })
	if i < 0 {
		i = len(f.w.Networks)
		f.w.Networks = append(f.w.Networks, Network{Exists: true, ID: id, Seq: seq})
	}
	return &f.w.Networks[i]
}

func (f *folder) removeNetwork(id string) {
	if i := slices.IndexFunc(f.w.Networks, func(n Network) bool { return n.ID == id }); i >= 0 {
		writable(f, partNetworks, &f.w.Networks)
		f.w.Networks = slices.Delete(f.w.Networks, i, i+1)
	}
}

// leaveAll: a container that is gone is in no network.
func (f *folder) leaveAll(id string) {
	for i, n := range f.w.Networks {
		if slices.ContainsFunc(n.Members, func(m Endpoint) bool { return m.Container == id }) {
			writable(f, partNetworks, &f.w.Networks)
			f.w.Networks[i].leave(id)
		}
	}
}
