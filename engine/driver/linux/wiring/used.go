//go:build linux

package wiring

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Used lists the prefixes that this machine has addresses in or routes to, ours included, save the default routes: no new network may
// overlap with one of them. All routing tables count, for tunnels like to have one of their own.
func Used(ctx context.Context) ([]netip.Prefix, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	defer h.Close()
	addresses, err := steady(func() ([]netlink.Addr, error) { return h.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	routes, err := steady(func() ([]netlink.Route, error) {
		return h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var used []netip.Prefix
	for _, a := range addresses {
		used = appendPrefix(used, a.IPNet)
	}
	for _, r := range routes {
		if r.Table != unix.RT_TABLE_LOCAL {
			used = appendPrefix(used, r.Dst)
		}
	}
	slices.SortFunc(used, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr())*256 + a.Bits() - b.Bits() })
	return slices.Compact(used), nil
}

// appendPrefix leaves out default routes, and what each interface has of its own.
func appendPrefix(list []netip.Prefix, n *net.IPNet) []netip.Prefix {
	if n == nil {
		return list
	}
	a, ok := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	if p := netip.PrefixFrom(a.Unmap(), bits).Masked(); ok && bits > 0 && !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsMulticast() {
		return append(list, p)
	}
	return list
}
