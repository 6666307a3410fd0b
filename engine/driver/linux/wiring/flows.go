//go:build linux

package wiring

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// forgetFlows has the kernel decide anew where datagrams to published ports go. It decides once for each flow, and a client that goes on
// sending keeps the flow alive: from before the port was published, or to a container that is gone. Connections of TCP end by themselves.
func forgetFlows(h *netlink.Handle, ports []network.Published) error {
	var filters []netlink.CustomConntrackFilter
	for _, p := range ports {
		if p.Protocol != "udp" {
			continue
		}
		f := &netlink.ConntrackFilter{}
		if err := errors.Join(f.AddProtocol(unix.IPPROTO_UDP), f.AddPort(netlink.ConntrackOrigDstPort, p.HostPort)); err != nil {
			return fmt.Errorf("forget flows to port %d: %w", p.HostPort, err)
		}
		filters = append(filters, f)
	}
	if len(filters) == 0 {
		return nil
	}
	for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
		_, err := h.ConntrackDeleteFilters(netlink.ConntrackTable, family, filters...)
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // others came and went meanwhile
			return fmt.Errorf("forget flows: %w", err)
		}
	}
	return nil
}
