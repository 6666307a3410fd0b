package vfs

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
)

const (
	tcpHead  = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	tcp6Head = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
)

// States of a socket of TCP (tcp_states.h).
const (
	tcpEstablished = 1
	tcpListen      = 10
)

// tcpTable is net/tcp, or net/tcp6 (proc_pid_net(5)).
func tcpTable(sockets []Socket, family func(netip.Addr) bool) string {
	var b strings.Builder
	head, width := tcp6Head, 0
	if family(netip.IPv4Unspecified()) {
		head, width = tcpHead, 149
	}
	fmt.Fprintf(&b, "%-*s\n", width, head)
	n := 0
	for _, s := range sockets {
		if !family(s.Local.Addr()) {
			continue
		}
		state, remote := tcpEstablished, s.Remote
		if !remote.IsValid() {
			state, remote = tcpListen, netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
			if s.Local.Addr().Is4() {
				remote = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
			}
		}
		line := fmt.Sprintf("%4d: %s %s %02X 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000 100 0 0 10 0", n, socketText(s.Local), socketText(remote), state)
		fmt.Fprintf(&b, "%-*s\n", width, line)
		n++
	}
	return b.String()
}

func socketText(a netip.AddrPort) string { return fmt.Sprintf("%s:%04X", addrText(a.Addr()), a.Port()) }

// addrText writes an address as the kernel of a little-endian machine does: in words of 32 bits.
func addrText(a netip.Addr) string {
	var text strings.Builder
	for raw := a.AsSlice(); len(raw) > 0; raw = raw[4:] {
		fmt.Fprintf(&text, "%08X", binary.LittleEndian.Uint32(raw))
	}
	return text.String()
}

// Flags of a route (route.h).
const (
	routeUp      = 1
	routeGateway = 2
)

// routeTable is net/route: the routes of IPv4.
func routeTable(links []Interface) string {
	var b strings.Builder
	row := func(words ...any) {
		fmt.Fprintf(&b, "%-127s\n", fmt.Sprintf("%s\t%s\t%s\t%04X\t0\t0\t0\t%s\t0\t0\t0", words...))
	}
	fmt.Fprintf(&b, "%-127s\n", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT")
	const none = "00000000"
	for _, l := range links {
		for _, g := range l.Gateways {
			if g.Is4() {
				row(l.Name, none, addrText(g), routeUp|routeGateway, none)
			}
		}
	}
	for _, l := range links {
		for _, p := range l.Addresses {
			if a := p.Addr(); a.Is4() && !a.IsLoopback() {
				mask := bits.ReverseBytes32(^uint32(0) << (32 - p.Bits()))
				row(l.Name, addrText(p.Masked().Addr()), none, routeUp, fmt.Sprintf("%08X", mask))
			}
		}
	}
	return b.String()
}

// inet6Table is net/if_inet6: the addresses of IPv6.
func inet6Table(links []Interface) string {
	var b strings.Builder
	for i, l := range links {
		for _, p := range l.Addresses {
			scope := 0 // global
			if p.Addr().IsLoopback() {
				scope = 0x10 // this host
			}
			if p.Addr().Is6() {
				fmt.Fprintf(&b, "%s %02x %02x %02x 80 %8s\n", hex.EncodeToString(p.Addr().AsSlice()), i+1, p.Bits(), scope, l.Name)
			}
		}
	}
	return b.String()
}
