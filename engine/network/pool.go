package network

import (
	"fmt"
	"net/netip"
)

// Pools are the ranges that networks without a subnet of their own get one from, each cut into subnets of Bits: docker's defaults.
func Pools() []Pool {
	pool := func(s string, bits int) Pool { return Pool{netip.MustParsePrefix(s), bits} }
	return []Pool{pool("172.17.0.0/16", 16), pool("172.18.0.0/16", 16), pool("172.19.0.0/16", 16), pool("172.20.0.0/14", 16), pool("172.24.0.0/14", 16), pool("172.28.0.0/14", 16), pool("192.168.0.0/16", 20)}
}

// Pools6 is the one for IPv6, a unique local prefix (RFC 4193) that the caller has drawn.
func Pools6(unique netip.Prefix) []Pool { return []Pool{{unique, 64}} }

// Pool is a range of addresses to cut subnets from.
type Pool struct {
	Base netip.Prefix
	Bits int // length of the prefix of each subnet
}

// FreeSubnet gives the first subnet of the pools that overlaps with none of those that are taken: by other networks, or routed by the host.
func FreeSubnet(pools []Pool, taken []netip.Prefix) (netip.Prefix, error) {
	for _, p := range pools {
		for s, ok := netip.PrefixFrom(p.Base.Masked().Addr(), p.Bits), true; ok && p.Base.Contains(s.Addr()); s, ok = following(s) {
			if _, clash := Overlap(s, taken); !clash {
				return s, nil
			}
		}
	}
	return netip.Prefix{}, invalid("all predefined address pools have been fully subnetted: give a network its --subnet, or remove networks that are not needed (network prune)")
}

// Overlap gives the first of the taken prefixes that has an address in common with p.
func Overlap(p netip.Prefix, taken []netip.Prefix) (netip.Prefix, bool) {
	for _, t := range taken {
		if t.Overlaps(p) {
			return t, true
		}
	}
	return netip.Prefix{}, false
}

// following is the subnet of the same length after s, if there is one.
func following(s netip.Prefix) (netip.Prefix, bool) {
	next := last(s).Next()
	return netip.PrefixFrom(next, s.Bits()), next.IsValid()
}

// last is the highest address of a subnet: with IPv4 its broadcast address.
func last(s netip.Prefix) netip.Addr {
	b := s.Masked().Addr().AsSlice()
	for i := s.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Subnet is the addresses of a network.
type Subnet struct {
	Prefix  netip.Prefix
	Range   netip.Prefix          // what containers get theirs from; not valid: all of Prefix
	Gateway netip.Addr            // not valid: the first address
	Aux     map[string]netip.Addr // of other machines, which no container gets
}

// Check refuses a subnet that contradicts itself, in docker's words.
func (s Subnet) Check() error {
	switch {
	case s.Prefix != s.Prefix.Masked():
		return invalid("invalid network config: invalid subnet %s: it should be %s", s.Prefix, s.Prefix.Masked())
	case s.Prefix.Addr().Is4() && s.Prefix.Bits() > 30 || s.Prefix.Bits() > 126:
		return invalid("invalid network config: subnet %s has no room for a gateway and a container", s.Prefix)
	case s.Range.IsValid() && (!s.Prefix.Contains(s.Range.Addr()) || s.Range.Bits() < s.Prefix.Bits()):
		return invalid("invalid network config: invalid ip-range %s: parent subnet %s doesn't contain ip-range", s.Range, s.Prefix)
	case s.Gateway.IsValid() && !s.Prefix.Contains(s.Gateway):
		return invalid("invalid network config: invalid gateway %s: parent subnet %s doesn't contain this address", s.Gateway, s.Prefix)
	}
	for name, a := range s.Aux {
		if !s.Prefix.Contains(a) {
			return invalid("invalid network config: invalid auxiliary address %s: parent subnet %s doesn't contain this address (%s)", a, s.Prefix, name)
		}
	}
	return nil
}

// GatewayAddr is the address of the bridge.
func (s Subnet) GatewayAddr() netip.Addr {
	if s.Gateway.IsValid() {
		return s.Gateway
	}
	return s.Prefix.Masked().Addr().Next()
}

// FreeAddr gives the first address that a container can have, where taken reports whether another one has it.
func (s Subnet) FreeAddr(taken func(netip.Addr) bool) (netip.Addr, error) {
	from := s.Prefix
	if s.Range.IsValid() {
		from = s.Range
	}
	for a := from.Masked().Addr(); a.IsValid() && from.Contains(a); a = a.Next() {
		if s.reserved(a) == "" && !taken(a) {
			return a, nil
		}
	}
	family := "IPv4"
	if s.Prefix.Addr().Is6() {
		family = "IPv6"
	}
	return netip.Addr{}, fmt.Errorf("no available %s addresses on this network's address pools: %s", family, from)
}

// CheckAddr refuses an address that a container asks for and can't have in this subnet.
func (s Subnet) CheckAddr(a netip.Addr) error {
	if !s.Prefix.Contains(a) {
		return invalid("invalid address %s: the network's subnet is %s", a, s.Prefix)
	}
	if why := s.reserved(a); why != "" {
		return invalid("Address already in use: %s is %s", a, why)
	}
	return nil
}

// reserved says what an address is that no container gets; empty if one may have it.
func (s Subnet) reserved(a netip.Addr) string {
	switch a {
	case s.Prefix.Masked().Addr():
		return "the address of the network itself"
	case s.GatewayAddr():
		return "the gateway's"
	}
	if s.Prefix.Addr().Is4() && a == last(s.Prefix) {
		return "the network's broadcast address"
	}
	for name, aux := range s.Aux {
		if aux == a {
			return "kept for " + name
		}
	}
	return ""
}

// MAC is the hardware address that follows from an IPv4 address, a locally administered one (IEEE 802, section 8.4): whoever gets the
// address again is the same to its neighbours.
func MAC(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("02:42:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}
