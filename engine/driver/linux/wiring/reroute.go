//go:build linux

package wiring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// Reroute gives a container that is connected the default routes of the plan, and takes away any other that goes through one of its
// interfaces.
func (w Host) Reroute(ctx context.Context, plan network.Plan, netns int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return inside(netns, func(h *netlink.Handle) error {
		for _, e := range plan.Endpoints {
			if err := reroute(h, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func reroute(h *netlink.Handle, e network.Endpoint) error {
	l, err := h.LinkByName(e.Interface)
	if err != nil {
		return fmt.Errorf("look up interface %s: %w", e.Interface, err)
	}
	have, err := steady(func() ([]netlink.Route, error) { return h.RouteList(l, netlink.FAMILY_ALL) })
	if err != nil {
		return fmt.Errorf("list routes through %s: %w", e.Interface, err)
	}
	var missing []net.IP
	for _, g := range e.Gateways {
		missing = append(missing, g.AsSlice())
	}
	for _, r := range have {
		if r.Gw == nil || !isDefault(r) {
			continue
		}
		if i := slices.IndexFunc(missing, r.Gw.Equal); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
			continue
		}
		if err := h.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("remove route by %s through %s: %w", r.Gw, e.Interface, err)
		}
	}
	for _, g := range missing {
		if err := h.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: g}); err != nil {
			return fmt.Errorf("route by %s through %s: %w", g, e.Interface, err)
		}
	}
	return nil
}

func isDefault(r netlink.Route) bool {
	if r.Dst == nil {
		return true
	}
	ones, _ := r.Dst.Mask.Size()
	return ones == 0 && r.Dst.IP.IsUnspecified()
}
