package world

import (
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
	Members  []Endpoint `json:"members" expr:"members"` // containers that run in it
	Seq      uint64     `json:"seq" expr:"seq"`         // the event that told of it first
}

// Endpoint is a running container's place in a network.
type Endpoint struct {
	Container string   `json:"container" expr:"container"` // id
	Addresses []string `json:"addresses" expr:"addresses"`
	Names     []string `json:"names" expr:"names"`
}

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
		n.leave(e.Attr("container").Str())
		n.Members = append(n.Members, Endpoint{e.Attr("container").Str(), e.Attr("addresses").List(), e.Attr("names").List()})
	case vocab.NetworkRelease:
		n.leave(e.Attr("container").Str())
	}
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
