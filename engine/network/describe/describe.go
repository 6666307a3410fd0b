// Package describe puts into words what drivers do for networks: the facts of one container's start, change and end, in the order in which
// they come to be true. Both drivers tell the same by it.
//
// It does nothing and asks nobody: what is new and what is gone, the caller says. Rules of a firewall are not among the facts; where there is
// one, its driver tells of them besides.
package describe

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/names"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Fact is one thing that has become true, as package vocab declares it.
type Fact struct {
	Kind  string
	Attrs []trace.Attr
}

// Connected tells of a container's start: the bridges that were made for it, its endpoints, its published ports as they were taken, and its
// resolver, which asks servers.
func Connected(plan network.Plan, made func(network.Bridge) bool, servers []netip.AddrPort) []Fact {
	var facts []Fact
	for _, b := range plan.Bridges {
		if made(b) {
			facts = append(facts, Bridge(b)...)
		}
	}
	for _, e := range plan.Endpoints {
		facts = append(facts, Endpoint(plan.Container, e)...)
	}
	for _, p := range plan.Ports {
		facts = append(facts, Published(plan.Container, p))
	}
	if plan.Resolver != nil {
		facts = append(facts, Resolver(plan.Container, *plan.Resolver, servers))
	}
	return facts
}

// Disconnected tells of a container's end, or of its leaving the networks of plan: its endpoints, and the bridges that nobody is left on.
func Disconnected(plan network.Plan, gone func(network.Bridge) bool) []Fact {
	var facts []Fact
	for _, e := range plan.Endpoints {
		facts = append(facts, Unplugged(plan.Container, e))
	}
	for _, b := range plan.Bridges {
		if gone(b) {
			facts = append(facts, BridgeGone(b))
		}
	}
	return facts
}

// Bridge tells that a bridge was made, with its addresses.
func Bridge(b network.Bridge) []Fact {
	facts := []Fact{{vocab.NetBridge, []trace.Attr{trace.String("network", b.Network), trace.String("interface", b.Name)}}}
	for _, a := range b.Addresses {
		facts = append(facts, Address("", b.Network, b.Name, a))
	}
	return facts
}

// BridgeGone tells that nothing was connected to a bridge any more.
func BridgeGone(b network.Bridge) Fact {
	return Fact{vocab.NetBridgeGone, []trace.Attr{trace.String("network", b.Network), trace.String("interface", b.Name)}}
}

// Address tells that an interface has an address; of a bridge if there is no container.
func Address(container, net, iface string, a netip.Prefix) Fact {
	return Fact{vocab.NetAddress, []trace.Attr{trace.String("container", container), trace.String("network", net), trace.String("interface", iface),
		trace.String("address", a.String())}}
}

// Endpoint tells of a container's cable, its addresses and its default routes.
func Endpoint(container string, e network.Endpoint) []Fact {
	facts := []Fact{{vocab.NetCable, []trace.Attr{trace.String("container", container), trace.String("network", e.Network), trace.String("interface", e.Interface),
		trace.String("peer", e.HostEnd)}}}
	for _, a := range e.Addresses {
		facts = append(facts, Address(container, e.Network, e.Interface, a))
	}
	for _, g := range e.Gateways {
		facts = append(facts, Route(container, e.Network, e.Interface, g))
	}
	return facts
}

// Route tells of a default route.
func Route(container, net, iface string, gateway netip.Addr) Fact {
	return Fact{vocab.NetRoute, []trace.Attr{trace.String("container", container), trace.String("network", net), trace.String("interface", iface),
		trace.String("gateway", gateway.String())}}
}

// Unplugged tells that an endpoint is gone.
func Unplugged(container string, e network.Endpoint) Fact {
	return Fact{vocab.NetUnplug, []trace.Attr{trace.String("container", container), trace.String("network", e.Network), trace.String("interface", e.Interface)}}
}

// Published tells that a port leads to the container, with the port of the host that was taken.
func Published(container string, p network.Published) Fact {
	return Fact{vocab.NetPublish, []trace.Attr{trace.String("container", container), trace.String("protocol", string(p.Protocol)),
		trace.String("host", onHost(p)), trace.String("to", p.To.String())}}
}

func onHost(p network.Published) string { return netip.AddrPortFrom(p.HostIP, p.HostPort).String() }

// Resolver tells of a container's name server.
func Resolver(container string, r network.Resolver, servers []netip.AddrPort) Fact {
	var nets, asked []string
	for _, z := range r.Zones {
		nets = append(nets, z.Name)
	}
	for _, s := range servers {
		asked = append(asked, server(s))
	}
	return Fact{vocab.NetResolver, []trace.Attr{trace.String("container", container), trace.String("address", network.ResolverAddress),
		trace.Strings("networks", nets), trace.Strings("servers", asked)}}
}

// server writes a name server as resolv.conf(5) does where it can: without the port that all have.
func server(s netip.AddrPort) string {
	switch {
	case !s.IsValid():
		return ""
	case s.Port() == 53:
		return s.Addr().String()
	}
	return s.String()
}

// Lookup tells what a container's name server has answered.
func Lookup(container string, e names.Event) Fact {
	return Fact{vocab.NetLookup, []trace.Attr{trace.String("container", container), trace.String("name", e.Name), trace.String("type", e.Type),
		trace.String("code", e.Code), trace.Strings("answer", e.Answer), trace.String("server", server(e.Server))}}
}

// Refused tells that a connection to a published port did not get through.
func Refused(container string, p network.Published, err error) Fact {
	return Fact{vocab.NetRefused, []trace.Attr{trace.String("container", container), trace.String("host", onHost(p)), trace.String("to", p.To.String()),
		trace.String("error", reason(err))}}
}

// reason is the kernel's word in an error of package net.
func reason(err error) string {
	var errno syscall.Errno
	var op *net.OpError
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}
