package ledger

import (
	"net/netip"
	"strconv"

	"github.com/learn-containers/learn/engine/network"
)

// BridgeName is the interface of a network on this machine: a name of its own choice, or one made of its id, as docker does it.
func (n *Network) BridgeName() string {
	if name := n.Options[OptionBridge]; name != "" {
		return name
	}
	return "br-" + n.ID[:12]
}

// Bridge is the switch of a network.
func (n *Network) Bridge() network.Bridge {
	b := network.Bridge{Network: n.ID, Name: n.BridgeName(), Internal: n.Internal, Isolated: n.Options[OptionICC] == "false", Hidden: n.Options[OptionHidden] != "false"}
	b.MTU, _ = strconv.Atoi(n.Options[OptionMTU])
	for _, s := range n.Subnets() {
		b.Addresses = append(b.Addresses, netip.PrefixFrom(s.GatewayAddr(), s.Prefix.Bits()))
	}
	return b
}

// Endpoint is the place of a lease's container. The one that is the way to the outside has the gateways.
func (n *Network) Endpoint(l network.Lease, name string, way bool) network.Endpoint {
	e := network.Endpoint{ID: l.Endpoint, Network: n.ID, Bridge: n.BridgeName(), HostEnd: "veth" + l.Endpoint[:7], Interface: name, MAC: l.MAC, Addresses: l.Addresses, MTU: n.Bridge().MTU}
	if !way || n.Internal {
		return e
	}
	for _, s := range n.Subnets() {
		for _, a := range l.Addresses {
			if s.Prefix.Contains(a.Addr()) {
				e.Gateways = append(e.Gateways, s.GatewayAddr())
			}
		}
	}
	return e
}
