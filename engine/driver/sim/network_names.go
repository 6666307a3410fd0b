package sim

import (
	"errors"
	"net/netip"

	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/leases"
	"github.com/learn-containers/learn/engine/network/names"
)

// lookup gives the addresses of a name by the leases of the networks. One whose container is not plugged in any more counts for nothing.
func (c *connection) lookup(zones []network.Zone, name string) ([]netip.Addr, error) {
	var list []names.Network
	for _, z := range zones {
		given, err := leases.Read(z.Folder)
		if err != nil {
			return nil, err
		}
		n := names.Network{Name: z.Name}
		for _, l := range given {
			if h := c.named(l); len(h.Addresses) > 0 {
				n.Hosts = append(n.Hosts, h)
			}
		}
		list = append(list, n)
	}
	return names.NewTable(list).Addresses(name)
}

func (c *connection) named(l network.Lease) names.Host {
	h := names.Host{Names: l.Names}
	for _, a := range l.Addresses {
		if c.machine.lan.Present(l.Container, a.Addr()) {
			h.Addresses = append(h.Addresses, a.Addr())
		}
	}
	return h
}

// answers are what a resolver hears that asks for both families, one after the other.
func answers(name string, found []netip.Addr, err error) []names.Event {
	code := "NOERROR"
	switch {
	case errors.Is(err, names.ErrUnknown):
		code = "NXDOMAIN"
	case err != nil:
		code = "SERVFAIL"
	}
	v4, v6 := names.Event{Name: name, Type: "A", Code: code}, names.Event{Name: name, Type: "AAAA", Code: code}
	for _, a := range found {
		if a.Is4() {
			v4.Answer = append(v4.Answer, a.String())
		} else {
			v6.Answer = append(v6.Answer, a.String())
		}
	}
	return []names.Event{v4, v6}
}
