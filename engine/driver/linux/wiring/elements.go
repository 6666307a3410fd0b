//go:build linux

package wiring

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// element is one of a set or a map.
type element struct {
	set     string
	key     []byte
	end     []byte // of the interval that key begins: the first that is not in it any more
	value   []byte // of a map
	comment string
	text    string // as nft list ruleset shows it
	instead string // the comment of the one that has the same key
}

// Tag stands for a home in names outside of it: of its table, and in what its interfaces are labelled with.
func Tag(owner string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(owner))
	return fmt.Sprintf("%08x", h.Sum32())
}

func tableName(owner string) string { return "learn-" + Tag(owner) }

func fullName(owner string) string { return "inet " + tableName(owner) }

// sets are those of each table.
func sets(t *nftables.Table) ([]*nftables.Set, error) {
	name, proto, port, a4, a6 := nftables.TypeIFName, nftables.TypeInetProto, nftables.TypeInetService, nftables.TypeIPAddr, nftables.TypeIP6Addr
	type types = []nftables.SetDatatype
	var all []*nftables.Set
	for _, s := range []struct {
		name       string
		key, value types
		interval   bool
	}{
		{"bridges", types{name}, nil, false},
		{"internal", types{name}, nil, false},
		{"within", types{name, name}, nil, false},
		{"hidden4", types{a4}, nil, true},
		{"hidden6", types{a6}, nil, true},
		{"local4", types{name, a4}, nil, false},
		{"local6", types{name, a6}, nil, false},
		{"ports4", types{proto, port}, types{a4, port}, false},
		{"ports6", types{proto, port}, types{a6, port}, false},
		{"at4", types{a4, proto, port}, types{a4, port}, false},
		{"at6", types{a6, proto, port}, types{a6, port}, false},
	} {
		set := &nftables.Set{Table: t, Name: s.name, ID: uint32(len(all) + 1), Interval: s.interval, IsMap: s.value != nil}
		var err error
		if set.KeyType, err = combined(s.key); err != nil {
			return nil, err
		}
		if set.IsMap {
			if set.DataType, err = combined(s.value); err != nil {
				return nil, err
			}
		}
		all = append(all, set)
	}
	return all, nil
}

func combined(types []nftables.SetDatatype) (nftables.SetDatatype, error) {
	if len(types) == 1 {
		return types[0], nil
	}
	return nftables.ConcatSetType(types...)
}

// bridgeElements are what the rules know of a network.
func bridgeElements(b network.Bridge) []element {
	comment, name := "network "+b.Network, ifname(b.Name)
	one := func(set string, key []byte, text string) element {
		return element{set: set, key: key, comment: comment, text: fmt.Sprintf("%s comment %q", text, comment)}
	}
	all := []element{one("bridges", name, fmt.Sprintf("%q", b.Name))}
	if b.Internal {
		all = append(all, one("internal", name, fmt.Sprintf("%q", b.Name)))
	}
	if !b.Isolated {
		all = append(all, one("within", slices.Concat(name, name), fmt.Sprintf("%q . %q", b.Name, b.Name)))
	}
	if !b.Hidden || b.Internal {
		return all
	}
	for _, a := range b.Addresses {
		p := a.Masked()
		e := one("hidden"+version(p.Addr()), p.Addr().AsSlice(), p.String())
		e.end = after(p)
		all = append(all, e)
	}
	return all
}

// after is the first address that is not in p any more; past the last one of all it is the first again, which the kernel takes for no end.
func after(p netip.Prefix) []byte {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits() - 1; i >= 0; i-- {
		bit := byte(0x80 >> (i % 8))
		if b[i/8] ^= bit; b[i/8]&bit != 0 {
			break
		}
	}
	return b
}

// containerElements are what the rules know of a container.
func containerElements(p network.Plan) []element {
	comment := "container " + p.Container
	var all []element
	for _, e := range p.Endpoints {
		for _, a := range e.Addresses {
			ip := a.Addr()
			all = append(all, element{set: "local" + version(ip), key: slices.Concat(ifname(e.Bridge), ip.AsSlice()), comment: comment,
				text: fmt.Sprintf("%q . %s comment %q", e.Bridge, ip, comment)})
		}
	}
	for _, port := range p.Ports {
		if e, ok := portElement(port, comment); ok && !internalAddress(p, port.To.Addr()) {
			all = append(all, e)
		}
	}
	return all
}

// internalAddress: a container's address in a network that nothing from outside may reach.
func internalAddress(p network.Plan, a netip.Addr) bool {
	for _, e := range p.Endpoints {
		if !slices.ContainsFunc(e.Addresses, func(have netip.Prefix) bool { return have.Addr() == a.Unmap() }) {
			continue
		}
		return slices.ContainsFunc(p.Bridges, func(b network.Bridge) bool { return b.Network == e.Network && b.Internal })
	}
	return false
}

// portElement leads from a port of the host to one of a container. A port of loopback has none, nor one that leads from one family to the
// other: a process of ours passes on what comes there.
func portElement(p network.Published, comment string) (element, bool) {
	from, to := p.HostIP.Unmap(), p.To.Addr().Unmap()
	number, ok := protocolNumber(string(p.Protocol))
	if from.IsLoopback() || from.Is4() != to.Is4() || !ok || p.HostPort == 0 {
		return element{}, false
	}
	e := element{set: "ports" + version(to), comment: comment, value: slices.Concat(to.AsSlice(), padded(p.To.Port()))}
	e.key = slices.Concat([]byte{number, 0, 0, 0}, padded(p.HostPort))
	e.text = fmt.Sprintf("%s . %d comment %q : %s . %d", p.Protocol, p.HostPort, comment, to, p.To.Port())
	if !from.IsUnspecified() {
		e.set, e.key, e.text = "at"+version(to), slices.Concat(from.AsSlice(), e.key), from.String()+" . "+e.text
	}
	return e, true
}

func protocolNumber(name string) (byte, bool) {
	switch name {
	case "tcp":
		return unix.IPPROTO_TCP, true
	case "udp":
		return unix.IPPROTO_UDP, true
	case "sctp":
		return unix.IPPROTO_SCTP, true
	}
	return 0, false
}

// padded is a port in the four bytes that each part of a key takes at least.
func padded(port uint16) []byte {
	return append(binary.BigEndian.AppendUint16(nil, port), 0, 0)
}

func version(a netip.Addr) string {
	if a.Is4() {
		return "4"
	}
	return "6"
}
