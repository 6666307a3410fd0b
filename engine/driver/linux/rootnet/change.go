//go:build linux

package rootnet

import (
	"reflect"
	"slices"

	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
)

// serves reports whether p is how an endpoint is connected, whatever its default routes: they go another way.
func (p *plug) serves(e network.Endpoint) bool {
	e.Gateways = p.endpoint.Gateways
	return reflect.DeepEqual(p.endpoint, e)
}

// changes are what became true with the plug: the switch of a network, for the first that comes, and its cable.
func (p *plug) changes(plan network.Plan) []wiring.Change {
	e := p.endpoint
	var all []wiring.Change
	for _, b := range plan.Bridges {
		if b.Network != e.Network || !p.alone {
			continue
		}
		all = append(all, wiring.Change{Kind: wiring.KindBridge, Network: b.Network, Interface: b.Name})
		for _, a := range b.Addresses {
			all = append(all, wiring.Change{Kind: wiring.KindAddress, Network: b.Network, Interface: b.Name, Address: a})
		}
	}
	all = append(all, p.cableChange(plan.Container))
	for _, a := range e.Addresses {
		all = append(all, wiring.Change{Kind: wiring.KindAddress, Container: plan.Container, Network: e.Network, Interface: e.Interface, Inside: true, Address: a})
	}
	return all
}

func (p *plug) cableChange(container string) wiring.Change {
	return wiring.Change{Kind: wiring.KindCable, Container: container, Network: p.endpoint.Network, Interface: p.mac.name(), Peer: p.endpoint.Interface}
}

// gone are what is not true any more without the plug: its cable, and the switch, if nobody else was there.
func (p *plug) gone(container string) []wiring.Change {
	c := p.cableChange(container)
	c.Gone = true
	if !p.last {
		return []wiring.Change{c}
	}
	return []wiring.Change{c, {Kind: wiring.KindBridge, Network: p.endpoint.Network, Interface: p.endpoint.Bridge, Gone: true}}
}

// changes are what became true with the way out: it stands for the network that the plan would go out by.
func (o *outside) changes(plan network.Plan) []wiring.Change {
	way := slices.IndexFunc(plan.Endpoints, func(e network.Endpoint) bool { return len(e.Gateways) > 0 })
	c := wiring.Change{Kind: wiring.KindCable, Container: plan.Container, Network: plan.Endpoints[way].Network, Interface: o.tool, Peer: wayOut}
	a, r := c, c
	a.Kind, a.Interface, a.Peer, a.Inside, a.Address = wiring.KindAddress, wayOut, "", true, o.own()
	r.Kind, r.Interface, r.Peer, r.Inside, r.Gateway = wiring.KindRoute, wayOut, "", true, o.gateway()
	return []wiring.Change{c, a, r}
}
