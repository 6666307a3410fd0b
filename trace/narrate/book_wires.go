package narrate

import (
	"net/netip"
	"strings"
)

// addressGiven tells of an interface's address: the container's, or this machine's own on a bridge.
func addressGiven(f *facts) text {
	t := text{say: f.str("interface") + " of container " + f.container("container") + " has the address " + f.str("address") + ".",
		why: "The number behind the slash says how many of the first bits are the network's: whoever has the same ones is a neighbour, and is sent to directly over the bridge of network " + f.network() + ".",
		how: "RTM_NEWADDR in the container's network namespace, which also makes the route to the neighbours; ip addr shows it there."}
	if !f.has("container") {
		t = text{say: "This machine itself has the address " + f.str("address") + " in network " + f.network() + ", on bridge " + f.str("interface") + ".",
			why: "For the containers of the network it is the gateway: who they send to if it is for somebody elsewhere.",
			how: "RTM_NEWADDR for the bridge; ip addr show " + f.str("interface") + " shows it."}
	}
	return t
}

// A ruleWord says what a rule, or an element of a set or map, is there for. The first whose words are in its place and text is meant.
type ruleWord struct {
	place, has string
	say, why   string
	quiet      bool // of use to those who read the firewall only
}

// ruleWords go from the particular to the general.
var ruleWords = []ruleWord{
	{place: "ports", say: "The firewall got an entry for a published port", why: "Packets that come for that port of this machine have their destination rewritten to the container's address before it is decided where they go (DNAT), and the answers' source is written back."},
	{place: "at4", say: "The firewall got an entry for a port that is published on one address", why: "Packets for that port at that address of this machine have their destination rewritten to the container's (DNAT); at its other addresses the port leads nowhere."},
	{place: "at6", say: "The firewall got an entry for a port that is published on one address", why: "Packets for that port at that address of this machine have their destination rewritten to the container's (DNAT); at its other addresses the port leads nowhere."},
	{place: "hidden", say: "What the containers of the network send to the outside carries this machine's address from now on", why: "Nobody outside knows a way to the containers' addresses, so an answer would never arrive. Their source is rewritten to this machine's on the way out and back again in the answers: masquerade, as a router at home does it."},
	{place: "internal", say: "The firewall keeps the network to itself", why: "It is internal: nothing passes between it and the outside, or another network."},
	{place: "within", say: "The firewall lets the containers of the network talk to one another", why: "Without this entry they would be isolated from one another on the same bridge.", quiet: true},
	{place: "local", say: "The firewall knows the container's address on its bridge", why: "When a container reaches a neighbour by way of a published port, the answer would take the short way over the bridge and not be recognized. Then the source is rewritten, too.", quiet: true},
	{place: "bridges", say: "The firewall knows the bridge of the network", why: "What is for it from elsewhere is only let through when it is an answer or came for a published port.", quiet: true},
	{has: "dnat", place: "published", say: "The firewall looks published ports up in a table", why: "A packet for a port in it has its destination rewritten to that of a container. The table is filled when containers start.", quiet: true},
	{has: "return", place: "published", say: "The firewall leaves addresses alone that mean only this machine, or only one cable", why: "A process of the engine listens for published ports on loopback and passes on what comes.", quiet: true},
	{has: "jump published", say: "What is sent to an address of this machine is looked up among the published ports", quiet: true,
		why: "The chain prerouting sees what comes from elsewhere, output what begins on this machine."},
	{has: "masquerade", say: "The firewall rewrites the source of packets where an answer would not find back", why: "Masquerade puts this machine's own address in its place, and the container's back into the answer.", quiet: true},
	{has: "established", say: "The firewall lets answers through to containers", why: "The kernel keeps track of connections, so it knows an answer from a stranger.", quiet: true},
	{has: "dnat accept", say: "The firewall lets through what came for a published port", why: "Who sends straight to a container's address from another network is not let through: only published ports are open.", quiet: true},
	{has: "accept", place: "forward", say: "The firewall lets packets pass within a network", why: "Which networks those are is in its set; one whose containers are isolated is not in it.", quiet: true},
	{has: "drop", place: "forward", say: "The firewall refuses what nothing allows", why: "That keeps networks apart: between two bridges, and into one from outside, nothing passes of its own.", quiet: true},
	{has: "drop", place: "input", say: "The firewall keeps containers of internal networks away from this machine's other addresses", why: "They reach this machine on their own bridge only.", quiet: true},
	{say: "The firewall got a rule", why: "It decides over packets that pass through this machine."},
}

// ruleAdded tells of a rule in words; the rule itself is for those who read them.
func ruleAdded(f *facts) text {
	place, rule := f.str("place"), f.str("rule")
	var w ruleWord
	for _, w = range ruleWords {
		if strings.Contains(place, w.place) && strings.Contains(rule, w.has) {
			break
		}
	}
	t := text{say: w.say + f.servedByRule() + ".", why: w.why, how: "In table " + f.str("table") + ", " + place + ": " + rule + "."}
	if w.quiet {
		t.min = Kernel
	}
	return t
}

// servedByRule says whom a rule is for, where it is for somebody.
func (f *facts) servedByRule() string {
	container, network := f.has("container"), f.has("network")
	switch {
	case container && network:
		return ", for container " + f.container("container") + " in network " + f.network()
	case container:
		return ", for container " + f.container("container")
	case network:
		return ", for network " + f.network()
	}
	return ""
}

func forwardingBegun(f *facts) text {
	setting := f.str("setting")
	if !strings.Contains(setting, " = ") {
		return text{say: "This machine goes on not to pass packets between interfaces that are not of container networks.", min: Kernel,
			why: "It did not forward before, and containers are no reason that it should begin to for everybody.", how: "The rule: " + setting + "."}
	}
	return text{say: "This machine passes packets on between its interfaces from now on, as a router does.",
		why: "A machine takes only what is for itself unless it is told otherwise. Containers need it to get out of their network, and published ports to get in. The last network switches it off again.",
		how: "The setting: " + setting + "; sysctl shows it."}
}

func portPublished(f *facts) text {
	t := text{say: hostPort(f.str("host")) + " leads to port " + portOf(f.str("to")) + " of container " + f.container("container") + ".",
		why: "From outside, a container's own address can't be reached; this machine's can. That a port is published doesn't make anybody listen there: the program in the container must.",
		how: "Protocol " + f.str("protocol") + ", from " + f.str("host") + " to " + f.str("to") + ". For packets from elsewhere the kernel rewrites the destination, for connections from this machine itself a process of the engine listens and passes on."}
	t.say = upper(t.say)
	if a, err := netip.ParseAddrPort(f.str("host")); err == nil && a.Addr().IsLoopback() {
		t.why = "It is published on loopback, so it can be reached from this machine only, not from others."
	}
	return t
}

// hostPort says in words what an address and port of the host are.
func hostPort(s string) string {
	a, err := netip.ParseAddrPort(s)
	switch {
	case err != nil:
		return "port " + s + " of this machine"
	case a.Addr() == netip.IPv6Unspecified():
		return "port " + portOf(s) + " of this machine, by IPv6,"
	case a.Addr().IsUnspecified():
		return "port " + portOf(s) + " of this machine"
	case a.Addr().IsLoopback():
		return "port " + portOf(s) + " on this machine's loopback"
	}
	return "port " + portOf(s) + " at address " + a.Addr().String() + " of this machine"
}

func portOf(s string) string { return s[strings.LastIndexByte(s, ':')+1:] }

func resolverServes(f *facts) text {
	t := text{say: "Container " + f.container("container") + " has a name server of its own: it finds the containers in network " + f.list("networks") + " by their names.",
		why: "Addresses change from run to run, names don't. In the default network, bridge, there is no such server, and names of containers lead nowhere.",
		how: "The container's /etc/resolv.conf names " + f.str("address") + ", where the engine listens in the container's network namespace."}
	servers := f.list("servers")
	if servers == "" {
		t.why += " It knows no other names, since nothing passes from its networks to the outside."
		return t
	}
	t.how += " About all other names it asks " + servers + "."
	return t
}

// nameAnswered tells of a question about a name. What other servers answer well is of less use.
func nameAnswered(f *facts) text {
	asked, who := "Container "+f.container("container")+" asked for "+f.str("name"), "its own name server"
	if f.has("server") {
		who = "name server " + f.str("server")
	}
	how := "A question of type " + f.str("type") + ", the answer's code " + f.str("code") + ": " + who + " gave it."
	answer := f.list("answer")
	switch code := f.str("code"); {
	case code == "NXDOMAIN":
		return text{say: asked + ": there is no such name.", how: how,
			why: noSuchName(f.has("server"))}
	case code == "NOERROR" && answer == "":
		return text{say: asked + ": the name is there, but has nothing of type " + f.str("type") + ".", min: Full, how: how,
			why: "A name may have an IPv4 address (A) and no IPv6 one (AAAA); programs often ask for both and take what they get."}
	case code == "NOERROR" && !f.has("server"):
		return text{say: asked + ": it is " + answer + ".", how: how,
			why: "Its own name server knew: the name belongs to a container that runs in a network of both."}
	case code == "NOERROR":
		return text{say: asked + ": it is " + answer + ".", min: Full, how: how,
			why: "No container in its networks has that name, so " + who + " was asked."}
	}
	return text{say: asked + " and got no answer: " + f.str("code") + ".", how: how,
		why: "SERVFAIL means that the servers that were asked did not answer or could not find out, REFUSED that one would not tell."}
}

// noSuchName says what NXDOMAIN means, from another server or from the container's own.
func noSuchName(outside bool) string {
	if outside {
		return "NXDOMAIN, non-existent domain: no container that runs in its networks has that name, and the servers outside don't know it either. Names of containers work between containers of one network that somebody made; in the default network, bridge, they never do."
	}
	return "NXDOMAIN, non-existent domain: no container that runs in its networks has that name. One that has ended, or runs in another network, has none here."
}
