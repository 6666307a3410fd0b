package narrate

import (
	"strings"

	"github.com/learn-containers/learn/trace/vocab"
)

// networkBook tells of networks and who is in them.
var networkBook = []phrase{
	{kind: vocab.NetworkCreate, tell: networkMade},
	{kind: vocab.NetworkLease,
		tell: func(f *facts) text {
			t := text{say: "Container " + f.container("container") + " has " + addressWords(f.list("addresses")) + " in network " + f.str("name") + ".",
				why: "Others in the network reach it there. The address is its own as long as it runs; the next time it may be another one, so what is to find it should use its name.",
				how: "Its hardware address is " + f.str("mac") + "; the lease is a file under the container's id among the leases of network " + f.str("network") + "."}
			if names := f.value("names").List(); len(names) > 0 {
				t.why += " In this network that is " + f.list("names") + "."
			}
			return t
		}},
	{kind: vocab.NetworkRelease, from: Full,
		tell: func(f *facts) text {
			return text{say: "Container " + f.container("container") + " has given its address in network " + f.network() + " back.",
				why: "An address belongs to a container that runs. The next one that starts may get it."}
		}},
	{kind: vocab.NetworkRemove,
		tell: func(f *facts) text {
			return text{say: "Network " + f.str("name") + " is gone.",
				why: "No container ran in it any more. Its subnet is free for another network.",
				how: "Its folder " + f.str("network") + " among the engine's networks is removed, the record first."}
		}},
	{kind: vocab.NetBridge,
		tell: func(f *facts) text {
			return text{say: "The bridge of network " + f.network() + " is there, as interface " + f.str("interface") + " of this machine.",
				why: "A bridge is a switch in software: it passes on what comes in by one of its ports to the port where the receiver is. Each container of the network will be plugged into it.",
				how: "An rtnetlink message RTM_NEWLINK of kind bridge; ip -d link show " + f.str("interface") + " shows it."}
		}},
	{kind: vocab.NetCable,
		tell: func(f *facts) text {
			return text{say: "A virtual cable joins container " + f.container("container") + " to network " + f.network() + ": its one end is " + f.str("interface") + " in the container, the other is plugged into the bridge.",
				why: "It is a pair of interfaces, a veth: what is sent into one comes out of the other. But for it the container's own network namespace has a loopback only, and nothing gets in or out.",
				how: "RTM_NEWLINK of kind veth makes both ends, one of them in the container's namespace; the other, " + f.str("peer") + ", gets the bridge for its master. bridge link shows it."}
		}},
	{kind: vocab.NetAddress, from: Full, tell: addressGiven},
	{kind: vocab.NetRoute, from: Full,
		tell: func(f *facts) text {
			return text{say: "What container " + f.container("container") + " sends to anybody who is not in its networks goes to " + f.str("gateway") + ", through " + f.str("interface") + ".",
				why: "That is its default route: the way for all addresses that no other route is for. The gateway is this machine's own address on the bridge of network " + f.network() + ", and this machine passes it on.",
				how: "RTM_NEWROUTE without a destination, in the container's network namespace; ip route shows it there."}
		}},
	{kind: vocab.NetRule, from: Full, tell: ruleAdded},
	{kind: vocab.NetForwarding, from: Full, tell: forwardingBegun},
	{kind: vocab.NetPublish, tell: portPublished},
	{kind: vocab.NetResolver, tell: resolverServes},
	{kind: vocab.NetLookup, tell: nameAnswered},
	{kind: vocab.NetRefused,
		tell: func(f *facts) text {
			return text{say: "A connection to " + hostPort(f.str("host")) + " did not get through to container " + f.container("container") + ": " + strings.TrimSuffix(f.str("error"), ".") + ".",
				why: "The port leads to " + f.str("to") + ". Refused means that no program listens there: it may not be ready yet, listen on another port, or on 127.0.0.1 alone, which is the container's own loopback and not reached from outside. learn why finds out which.",
				how: "On the host somebody did listen, so the client was let in first and is turned away now."}
		}},
	{kind: vocab.NetUnplug, from: Full,
		tell: func(f *facts) text {
			return text{say: "Container " + f.container("container") + " is unplugged from network " + f.network() + ".",
				why: "With the cable its addresses, its routes and the rules for it are gone, so that nobody else gets what was meant for it.",
				how: "The elements that name the container are deleted first, then the cable: RTM_DELLINK of one end takes away both, " + f.str("interface") + " in the container too."}
		}},
	{kind: vocab.NetBridgeGone, from: Full,
		tell: func(f *facts) text {
			return text{say: "The bridge of network " + f.network() + " is gone from this machine.",
				why: "Nothing was plugged into it any more. The network itself is still there: the next container in it gets a new bridge with the same addresses.",
				how: "RTM_DELLINK for " + f.str("interface") + "; the elements that name it are deleted with it."}
		}},
}

func networkMade(f *facts) text {
	name := f.str("name")
	switch f.str("driver") {
	case "host":
		return text{say: "Network host stands for the machine's own network.", why: "A container in it has no network namespace of its own: what it listens on is open on the machine, and no port needs publishing.", how: "Its id is " + f.str("network") + "."}
	case "null":
		return text{say: "Network none stands for no network.", why: "A container in it has its loopback interface only: it reaches nobody and nobody reaches it.", how: "Its id is " + f.str("network") + "."}
	}
	t := text{say: "Network " + name + " exists; its addresses are those of " + f.list("subnets") + ".",
		why: "It is a switch in software, a bridge. Containers on the same bridge reach one another, on different ones they don't.",
		how: "Its record is network.json in the folder " + f.str("network") + " among the engine's networks. The bridge is made when the first container starts in it."}
	if f.flag("internal") {
		t.why += " This one is internal: nothing passes between it and the outside."
	}
	if name == "bridge" {
		t.why += " This is the one for containers that name no network; names of containers mean nothing in it."
	}
	return t
}

// network names the network of an event as people do.
func (f *facts) network() string {
	if name := f.names[f.value("network").Str()]; name != "" {
		return shorten(Clean(name), f.limit())
	}
	id := f.str("network")
	return id[:min(len(id), 12)]
}

func addressWords(list string) string {
	if strings.Contains(list, ",") {
		return "the addresses " + list
	}
	return "the address " + list
}
