//go:build linux

package rootnet

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/learn-containers/learn/engine/network"
)

// gateway answers for the addresses of a network's own that stand for the way out.
type gateway struct {
	mac   mac
	addrs []netip.Addr
}

func gatewayOf(b network.Bridge) gateway {
	h := fnv.New32a()
	_, _ = h.Write([]byte(b.Network))
	g := gateway{mac: mac(h.Sum([]byte{0x02, 0x6c}))} // the one that a bridge of the kernel gets, too
	for _, p := range b.Addresses {
		g.addrs = append(g.addrs, p.Addr())
	}
	return g
}

func (g gateway) has(a netip.Addr) bool { return slices.Contains(g.addrs, a) }

// answer gives what the gateway replies to a frame, nil for nothing, and whether the frame is for nobody else.
func (g gateway) answer(d datagram) (reply datagram, taken bool) {
	if len(g.addrs) == 0 {
		return nil, false
	}
	switch d.kind() {
	case typeARP:
		return g.resolve4(d)
	case typeIPv6:
		if p, ok := parse6(d.payload()); ok {
			if reply, taken := g.resolve6(d, p); taken {
				return reply, true
			}
			if d.to() == g.mac {
				return g.reply6(d, p), true
			}
		}
	case typeIPv4:
		if p, ok := parse4(d.payload()); ok && d.to() == g.mac {
			return g.reply4(d, p), true
		}
	}
	return nil, d.to() == g.mac
}

// resolve4 answers who has the gateway's address (RFC 826).
func (g gateway) resolve4(d datagram) (reply datagram, taken bool) {
	p := d.payload()
	const request = "\x00\x01\x08\x00\x06\x04\x00\x01"
	if len(p) < 28 || string(p[:8]) != request || !g.has(netip.AddrFrom4([4]byte(p[24:]))) {
		return nil, d.to() == g.mac
	}
	r := slices.Clone(p[:28])
	r[7] = 2 // a reply
	copy(r[8:], g.mac[:])
	copy(r[14:18], p[24:28])
	copy(r[18:28], p[8:18])
	return d.reply(g.mac, typeARP, r), true
}

// packet is an IP packet as far as it is looked into.
type packet struct {
	head     []byte // its header
	body     []byte // without what Ethernet appended
	from, to netip.Addr
	protocol byte
	hops     byte
	later    bool // a fragment, but not the first one
}

// Numbers of protocols and messages (IANA).
const (
	protocolICMP   = 1
	protocolICMPv6 = 58

	echoReply4, unreachable4, echo4 = 0, 3, 8
	unreachable6, echo6, echoReply6 = 1, 128, 129
	solicitation, advertisement     = 135, 136
	prohibited4, prohibited6        = 13, 1 // codes of unreachable: the administration doesn't want it
	head4, head6, headICMP          = 20, 40, 8
	ttl                             = 64
	maxQuote4                       = head4 + 40 // of the packet that an error is about
	maxQuote6                       = 1280 - head6 - headICMP
)

func parse4(b []byte) (p packet, ok bool) {
	if len(b) < head4 || b[0]>>4 != 4 {
		return p, false
	}
	head, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < head4 || total < head || total > len(b) {
		return p, false
	}
	return packet{head: b[:head], body: b[head:total], from: netip.AddrFrom4([4]byte(b[12:])), to: netip.AddrFrom4([4]byte(b[16:])),
		protocol: b[9], hops: b[8], later: binary.BigEndian.Uint16(b[6:])&0x1fff != 0}, true
}

func parse6(b []byte) (p packet, ok bool) {
	if len(b) < head6 || b[0]>>4 != 6 {
		return p, false
	}
	total := head6 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return p, false
	}
	return packet{head: b[:head6], body: b[head6:total], from: netip.AddrFrom16([16]byte(b[8:])), to: netip.AddrFrom16([16]byte(b[24:])),
		protocol: b[6], hops: b[7]}, true
}

// resolve6 answers who has the gateway's address (RFC 4861, 7.2.4).
func (g gateway) resolve6(d datagram, p packet) (reply datagram, taken bool) {
	if p.protocol != protocolICMPv6 || p.hops != 255 || len(p.body) < 24 || p.body[0] != solicitation {
		return nil, false
	}
	target := netip.AddrFrom16([16]byte(p.body[8:]))
	if !g.has(target) {
		return nil, false
	}
	if p.from.IsUnspecified() {
		return nil, true // it asks whether it may have the address itself
	}
	m := make([]byte, 24, 32)
	m[0], m[4] = advertisement, 0xe0 // a router, solicited, override
	copy(m[8:], p.body[8:24])
	m = append(append(m, 2, 1), g.mac[:]...)
	return g.send6(d, target, p.from, 255, m), true
}

func (g gateway) send6(d datagram, from, to netip.Addr, hops byte, m []byte) datagram {
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], sum(pseudo6(from, to, len(m), protocolICMPv6), m))
	h := make([]byte, head6, head6+len(m))
	h[0], h[6], h[7] = 6<<4, protocolICMPv6, hops
	binary.BigEndian.PutUint16(h[4:], uint16(len(m)))
	copy(h[8:], from.AsSlice())
	copy(h[24:], to.AsSlice())
	return d.reply(g.mac, typeIPv6, append(h, m...))
}

func (g gateway) send4(d datagram, from, to netip.Addr, m []byte) datagram {
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], sum(0, m))
	h := make([]byte, head4, head4+len(m))
	h[0], h[8], h[9] = 4<<4|head4/4, ttl, protocolICMP
	binary.BigEndian.PutUint16(h[2:], uint16(head4+len(m)))
	copy(h[12:], from.AsSlice())
	copy(h[16:], to.AsSlice())
	binary.BigEndian.PutUint16(h[10:], sum(0, h))
	return d.reply(g.mac, typeIPv4, append(h, m...))
}

// reply4 answers ping, and refuses all else at once: a program that waits for an answer learns nothing.
func (g gateway) reply4(d datagram, p packet) datagram {
	icmp := p.protocol == protocolICMP
	switch {
	case p.later || icmp && len(p.body) < headICMP || !unicast(p.from):
		return nil
	case icmp && g.has(p.to) && p.body[0] == echo4:
		m := slices.Clone(p.body)
		m[0] = echoReply4
		return g.send4(d, p.to, p.from, m)
	case icmp && p.body[0] != echo4:
		return nil // never an error about an error (RFC 1122, 3.2.2)
	}
	return g.send4(d, g.address(false), p.from, unreachable(unreachable4, prohibited4, p, maxQuote4))
}

// reply6 does the same for IPv6.
func (g gateway) reply6(d datagram, p packet) datagram {
	icmp := p.protocol == protocolICMPv6
	switch {
	case icmp && len(p.body) < headICMP || !unicast(p.from):
		return nil
	case icmp && g.has(p.to) && p.body[0] == echo6:
		m := slices.Clone(p.body)
		m[0] = echoReply6
		return g.send6(d, p.to, p.from, ttl, m)
	case icmp && p.body[0] != echo6:
		return nil
	}
	return g.send6(d, g.address(true), p.from, ttl, unreachable(unreachable6, prohibited6, p, maxQuote6))
}

func unreachable(kind, code byte, p packet, quote int) []byte {
	m := append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, p.head...)
	return append(m, p.body[:max(0, min(len(p.body), quote-len(p.head)))]...)
}

func unicast(a netip.Addr) bool { return !a.IsUnspecified() && !a.IsMulticast() }

// address is the gateway's own of a family.
func (g gateway) address(six bool) netip.Addr {
	for _, a := range g.addrs {
		if a.Is6() == six {
			return a
		}
	}
	if six {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}
