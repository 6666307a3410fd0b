//go:build linux

package wiring

import (
	"encoding/binary"
	"net"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// rule is one that every table of ours has, whatever its networks.
type rule struct {
	chain string
	text  string // as nft list ruleset shows it
	exprs []expr.Any
}

// Registers of 16 bytes start at 1; those of 4 bytes at 8, of which four make up one of the former (nf_tables.h, enum nft_registers).
const (
	reg1   = 1
	reg2   = 2
	reg4B1 = 9  // after 4 bytes in reg1
	reg4B2 = 10 // after 8
	reg4B5 = 13 // after 16 in reg1 and 4 in reg2
)

// rules are those of all chains, in their order. What they decide:
//
// A port published on an address of the host leads to its container for packets from anywhere, save on loopback, where a process of ours
// listens, and on link-local addresses, whose answers couldn't leave the container's network. What a network that hides its containers sends
// elsewhere, and what a container sends to a neighbour or to itself by way of a published port, carries the host's address, lest the answer
// takes the short way back.
//
// Within a network all may pass; internal networks end there, and reach of the host only what is on their own bridge. What comes from
// elsewhere, another network of ours included, must be an answer or be for a published port.
func rules() []rule {
	return []rule{
		{chainPrerouting, "fib daddr type local jump published", join(toLocal(), jump(chainPublished))},
		{chainOutput, "fib daddr type local jump published", join(toLocal(), jump(chainPublished))},
		{chainPublished, "ip daddr 127.0.0.0/8 return", join(ipv4(), daddr4(1), is([]byte{127}), verdict(expr.VerdictReturn))},
		{chainPublished, "ip6 daddr ::1 return", join(ipv6(), daddr6(16), is(net.IPv6loopback), verdict(expr.VerdictReturn))},
		{chainPublished, "ip6 daddr fe80::/10 return", join(ipv6(), daddr6(16), linkLocal(), verdict(expr.VerdictReturn))},
		{chainPublished, "dnat ip to ip daddr . meta l4proto . th dport map @at4", join(ipv4(), daddr4(4), protocolPort(reg4B1, reg4B2), redirect("at4", unix.NFPROTO_IPV4, reg4B1))},
		{chainPublished, "dnat ip to meta l4proto . th dport map @ports4", join(ipv4(), protocolPort(reg1, reg4B1), redirect("ports4", unix.NFPROTO_IPV4, reg4B1))},
		{chainPublished, "dnat ip6 to ip6 daddr . meta l4proto . th dport map @at6", join(ipv6(), daddr6(16), protocolPort(reg2, reg4B5), redirect("at6", unix.NFPROTO_IPV6, reg2))},
		{chainPublished, "dnat ip6 to meta l4proto . th dport map @ports6", join(ipv6(), protocolPort(reg1, reg4B1), redirect("ports6", unix.NFPROTO_IPV6, reg2))},

		{chainPostrouting, `ip saddr @hidden4 oifname != "lo" oifname != @bridges masquerade`, join(ipv4(), saddr4(reg1), in("hidden4"), outside(), masquerade())},
		{chainPostrouting, `ip6 saddr @hidden6 oifname != "lo" oifname != @bridges masquerade`, join(ipv6(), saddr6(reg1), in("hidden6"), outside(), masquerade())},
		{chainPostrouting, "oifname . ip saddr @local4 ct status dnat masquerade", join(ipv4(), meta(expr.MetaKeyOIFNAME, reg1), saddr4(reg2), in("local4"), redirected(), masquerade())},
		{chainPostrouting, "oifname . ip6 saddr @local6 ct status dnat masquerade", join(ipv6(), meta(expr.MetaKeyOIFNAME, reg1), saddr6(reg2), in("local6"), redirected(), masquerade())},

		{chainForward, "iifname . oifname @within accept", join(meta(expr.MetaKeyIIFNAME, reg1), meta(expr.MetaKeyOIFNAME, reg2), in("within"), verdict(expr.VerdictAccept))},
		{chainForward, "iifname @internal drop", join(meta(expr.MetaKeyIIFNAME, reg1), in("internal"), verdict(expr.VerdictDrop))},
		{chainForward, "oifname @internal drop", join(meta(expr.MetaKeyOIFNAME, reg1), in("internal"), verdict(expr.VerdictDrop))},
		{chainForward, "oifname @bridges ct state established,related accept", join(meta(expr.MetaKeyOIFNAME, reg1), in("bridges"), known(), verdict(expr.VerdictAccept))},
		{chainForward, "oifname @bridges ct status dnat accept", join(meta(expr.MetaKeyOIFNAME, reg1), in("bridges"), redirected(), verdict(expr.VerdictAccept))},
		{chainForward, "oifname @bridges drop", join(meta(expr.MetaKeyOIFNAME, reg1), in("bridges"), verdict(expr.VerdictDrop))},

		{chainInput, "iifname @internal fib daddr . iif type unicast drop", join(meta(expr.MetaKeyIIFNAME, reg1), in("internal"), foreignAddress(), verdict(expr.VerdictDrop))},
	}
}

func join(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func meta(key expr.MetaKey, reg uint32) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: reg}}
}

func is(data []byte) []expr.Any {
	return []expr.Any{&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: data}}
}

func isNot(data []byte) []expr.Any {
	return []expr.Any{&expr.Cmp{Op: expr.CmpOpNeq, Register: reg1, Data: data}}
}

func in(set string) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: reg1, SetName: set}}
}

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func jump(chain string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: chain}}
}

func ipv4() []expr.Any { return join(meta(expr.MetaKeyNFPROTO, reg1), is([]byte{unix.NFPROTO_IPV4})) }

func ipv6() []expr.Any { return join(meta(expr.MetaKeyNFPROTO, reg1), is([]byte{unix.NFPROTO_IPV6})) }

func header(base expr.PayloadBase, offset, length, reg uint32) []expr.Any {
	return []expr.Any{&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: reg, Base: base, Offset: offset, Len: length}}
}

// daddr4 loads the first bytes of the destination (RFC 791, section 3.1).
func daddr4(n uint32) []expr.Any { return header(expr.PayloadBaseNetworkHeader, 16, n, reg1) }

func saddr4(reg uint32) []expr.Any { return header(expr.PayloadBaseNetworkHeader, 12, 4, reg) }

// daddr6 loads the first bytes of the destination (RFC 8200, section 3).
func daddr6(n uint32) []expr.Any { return header(expr.PayloadBaseNetworkHeader, 24, n, reg1) }

func saddr6(reg uint32) []expr.Any { return header(expr.PayloadBaseNetworkHeader, 8, 16, reg) }

// protocolPort loads the transport protocol and its destination port, which is at the same place in TCP, UDP and SCTP.
func protocolPort(protocol, port uint32) []expr.Any {
	return join(meta(expr.MetaKeyL4PROTO, protocol), header(expr.PayloadBaseTransportHeader, 2, 2, port))
}

// redirect looks up the key in reg1 and sends the packet to the address and port that the map has for it.
func redirect(table string, family, port uint32) []expr.Any {
	return []expr.Any{
		&expr.Lookup{SourceRegister: reg1, DestRegister: reg1, IsDestRegSet: true, SetName: table},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: family, RegAddrMin: reg1, RegProtoMin: port, Specified: true},
	}
}

func linkLocal() []expr.Any {
	mask := make([]byte, 16)
	mask[0], mask[1] = 0xff, 0xc0
	prefix := make([]byte, 16)
	prefix[0], prefix[1] = 0xfe, 0x80
	return join([]expr.Any{&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 16, Mask: mask, Xor: make([]byte, 16)}}, is(prefix))
}

func toLocal() []expr.Any {
	return join([]expr.Any{&expr.Fib{Register: reg1, FlagDADDR: true, ResultADDRTYPE: true}}, is(native(unix.RTN_LOCAL)))
}

// foreignAddress: the address is the host's, but not that of the interface the packet came in by; seen from there it looks like any other.
func foreignAddress() []expr.Any {
	return join([]expr.Any{&expr.Fib{Register: reg1, FlagDADDR: true, FlagIIF: true, ResultADDRTYPE: true}}, is(native(unix.RTN_UNICAST)))
}

func outside() []expr.Any {
	return join(meta(expr.MetaKeyOIFNAME, reg1), isNot(ifname("lo")), meta(expr.MetaKeyOIFNAME, reg1),
		[]expr.Any{&expr.Lookup{SourceRegister: reg1, SetName: "bridges", Invert: true}})
}

func masquerade() []expr.Any { return []expr.Any{&expr.Masq{}} }

// known: the packet belongs to a connection that was let through, or is an error about one.
func known() []expr.Any {
	return tracked(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)
}

// statusRedirected is IPS_DST_NAT (nf_conntrack_common.h).
const statusRedirected = 1 << 5

// redirected: the connection came for a published port. One that was sent straight to the container's address did not.
func redirected() []expr.Any { return tracked(expr.CtKeySTATUS, statusRedirected) }

func tracked(key expr.CtKey, bits uint32) []expr.Any {
	return join([]expr.Any{
		&expr.Ct{Register: reg1, Key: key},
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 4, Mask: native(bits), Xor: native(0)},
	}, isNot(native(0)))
}

func native(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// ifname is an interface's name as the kernel compares it.
func ifname(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

const (
	chainPrerouting  = "prerouting"
	chainOutput      = "output"
	chainPublished   = "published"
	chainPostrouting = "postrouting"
	chainForward     = "forward"
	chainInput       = "input"
)

// chains are those of each table, in the order in which they are made.
func chains(t *nftables.Table) []*nftables.Chain {
	base := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
		return &nftables.Chain{Name: name, Table: t, Type: kind, Hooknum: hook, Priority: priority}
	}
	return []*nftables.Chain{
		{Name: chainPublished, Table: t},
		base(chainPrerouting, nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest),
		base(chainOutput, nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest),
		base(chainPostrouting, nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource),
		base(chainForward, nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter),
		base(chainInput, nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter),
	}
}
