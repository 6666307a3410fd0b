//go:build linux

package wiring

import (
	"net/netip"

	"github.com/learn-containers/learn/engine/network"
)

// Kind says which of the kernel's tables a change is in.
type Kind string

// The kinds, and the fields of a Change that they use.
const (
	KindForwarding Kind = "forwarding" // Rule: the setting, as sysctl(8) shows it
	KindBridge     Kind = "bridge"     // Interface
	KindCable      Kind = "cable"      // Interface: the end on the host, Peer: the one in the container
	KindAddress    Kind = "address"    // Interface, Address
	KindRoute      Kind = "route"      // Interface, Gateway: of the default route of its family
	KindRule       Kind = "rule"       // Table, Set or Chain, Rule
)

// Change is one fact about a network that was made true, or, from Missing, that is not true any more.
type Change struct {
	Kind      Kind
	Container string // id; empty: it belongs to the network, or to all of them
	Network   string // id
	Interface string
	Peer      string
	Inside    bool // the interface is in the container's namespace
	Address   netip.Prefix
	Gateway   netip.Addr
	Table     string // inet learn-1a2b3c4d
	Chain     string
	Set       string // or map
	Gone      bool   // bridge, cable: it was taken away, with its addresses, routes and rules
	Rule      string // the rule or the element, as nft list ruleset shows it
}

// Describe lists what Connect makes of a plan on a machine that has nothing of it, in the order in which it does.
func Describe(plan network.Plan, owner string) []Change {
	changes := describeRules(owner)
	for _, b := range plan.Bridges {
		changes = append(changes, describeBridge(b)...)
		changes = append(changes, describeElements(owner, b.Network, "", bridgeElements(b))...)
	}
	changes = append(changes, describeElements(owner, "", plan.Container, containerElements(plan))...)
	for _, e := range plan.Endpoints {
		changes = append(changes, describeEndpoint(plan.Container, e)...)
	}
	return changes
}

func describeRules(owner string) []Change {
	changes := make([]Change, 0, len(rules()))
	for _, r := range rules() {
		changes = append(changes, Change{Kind: KindRule, Table: fullName(owner), Chain: r.chain, Rule: r.text})
	}
	return changes
}

func describeElements(owner, net, container string, elements []element) []Change {
	var changes []Change
	for _, e := range elements {
		changes = append(changes, Change{Kind: KindRule, Network: net, Container: container, Table: fullName(owner), Set: e.set, Rule: e.text})
	}
	return changes
}

func describeBridge(b network.Bridge) []Change {
	changes := []Change{{Kind: KindBridge, Network: b.Network, Interface: b.Name}}
	for _, a := range b.Addresses {
		changes = append(changes, Change{Kind: KindAddress, Network: b.Network, Interface: b.Name, Address: a})
	}
	return changes
}

func describeEndpoint(container string, e network.Endpoint) []Change {
	changes := []Change{{Kind: KindCable, Container: container, Network: e.Network, Interface: e.HostEnd, Peer: e.Interface}}
	for _, a := range e.Addresses {
		changes = append(changes, Change{Kind: KindAddress, Container: container, Network: e.Network, Interface: e.Interface, Inside: true, Address: a})
	}
	for _, g := range e.Gateways {
		changes = append(changes, Change{Kind: KindRoute, Container: container, Network: e.Network, Interface: e.Interface, Inside: true, Gateway: g})
	}
	return changes
}
