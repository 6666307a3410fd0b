package names

import (
	"errors"
	"net/netip"
	"strings"
)

// ErrUnknown is what a Lookup says of names and addresses that aren't in the networks.
var ErrUnknown = errors.New("not in the container's networks")

// Lookup is what a server knows by itself. It is asked while other questions wait, by several goroutines at once. Any error but ErrUnknown
// is answered with SERVFAIL: what may be the name of a container doesn't leave the machine.
type Lookup interface {
	// Addresses gives those of a name, in lower case and without a dot at its end. The caller doesn't change what it gets.
	Addresses(name string) ([]netip.Addr, error)
	// Name gives the full name of what has the address.
	Name(netip.Addr) (string, error)
}

// Network is what a container can see by name in one of its networks.
type Network struct {
	Name  string
	Hosts []Host
}

// Host is a container on a network.
type Host struct {
	Names     []string // its name first, then its short id and aliases, which other hosts may share
	Addresses []netip.Addr
}

// Table is a Lookup that never changes.
type Table struct {
	addresses map[string][]netip.Addr
	names     map[netip.Addr]string
}

// NewTable makes a table of the networks that a container is on, in the order in which they are asked: what two of them have by the same
// name is that of the first. Every name is known with and without ".NETWORK" behind it, as docker has it.
func NewTable(networks []Network) *Table {
	t := &Table{map[string][]netip.Addr{}, map[netip.Addr]string{}}
	for _, n := range networks {
		t.add(n, "")
	}
	// after all plain ones: docker prefers a host whose own name has dots in it
	for _, n := range networks {
		t.add(n, "."+n.Name)
	}
	for _, n := range networks {
		for _, h := range n.Hosts {
			t.reverse(n, h)
		}
	}
	return t
}

// add takes the names of a network with suffix behind them, unless an earlier network has them.
func (t *Table) add(n Network, suffix string) {
	found := map[string][]netip.Addr{}
	for _, h := range n.Hosts {
		seen := map[string]bool{}
		for _, name := range h.Names {
			if name = strings.ToLower(name + suffix); !seen[name] {
				seen[name] = true
				found[name] = append(found[name], h.Addresses...)
			}
		}
	}
	for name, addresses := range found {
		t.addresses[name] = merge(t.addresses[name], addresses)
	}
}

// merge adds the addresses of a later network to those of earlier ones, for each family only if there is none yet.
func merge(have, more []netip.Addr) []netip.Addr {
	v4, v6 := family(have, netip.Addr.Is4), family(have, netip.Addr.Is6)
	if len(v4) == 0 {
		v4 = family(more, netip.Addr.Is4)
	}
	if len(v6) == 0 {
		v6 = family(more, netip.Addr.Is6)
	}
	return append(v4, v6...)
}

func family(addresses []netip.Addr, is func(netip.Addr) bool) (of []netip.Addr) {
	for _, a := range addresses {
		if a = a.Unmap(); is(a) {
			of = append(of, a)
		}
	}
	return of
}

func (t *Table) reverse(n Network, h Host) {
	for _, a := range h.Addresses {
		if _, ok := t.names[a.Unmap()]; !ok && len(h.Names) > 0 {
			t.names[a.Unmap()] = h.Names[0] + "." + n.Name
		}
	}
}

// Addresses implements Lookup.
func (t *Table) Addresses(name string) ([]netip.Addr, error) {
	a, ok := t.addresses[name]
	if !ok {
		return nil, ErrUnknown
	}
	return a, nil
}

// Name implements Lookup.
func (t *Table) Name(a netip.Addr) (string, error) {
	name, ok := t.names[a]
	if !ok {
		return "", ErrUnknown
	}
	return name, nil
}
