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
			t := text{say: "Container " + f.container("container") + " has " + addressWords(f.list("addresses")) + " in network " + f.network() + ".",
				why: "Others in the network reach it there. The address is its own as long as it runs; the next time it may be another one, so what is to find it should use its name.",
				how: "Its hardware address is " + f.str("mac") + "; the lease is a file under the container's id among the network's leases."}
			if names := f.value("names").List(); len(names) > 0 && f.names[f.value("network").Str()] != "bridge" {
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
