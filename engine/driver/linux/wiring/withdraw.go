//go:build linux

package wiring

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// Withdraw makes a container that has ended unreachable, and gives the ports of the host and its addresses free: what has to be done before
// anybody is told of the end. It tells of all that Disconnect, which has to follow, takes away: the kernel takes its time for that.
func (w Host) Withdraw(ctx context.Context, plan network.Plan) error {
	return w.locked(ctx, func(s *session) error { return s.withdraw(plan) })
}

func (s *session) withdraw(plan network.Plan) error {
	cables, err := s.cables(plan)
	if err != nil {
		return err
	}
	bridges, _, err := s.emptied(plan.Bridges, cables)
	if err != nil {
		return err
	}
	for _, c := range cables {
		if err := shutPort(c); err != nil {
			return err
		}
	}
	if err := s.removeElements(containerElements(plan)); err != nil {
		return err
	}
	s.reportGone(plan, bridges)
	return forgetFlows(s.links, plan.Ports)
}

// shutPort has a bridge pass nothing from and to a cable any more (BR_STATE_DISABLED, if_bridge.h). It does not wait as the removal does, until
// no processor is with a packet of the interface.
func shutPort(end netlink.Link) error {
	const disabled = 0
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(end.Attrs().Index)
	info := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	info.AddRtAttr(nl.IFLA_BRPORT_STATE, []byte{disabled})
	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	req.AddData(msg)
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EINVAL) { // gone, or plugged in nowhere
		return fmt.Errorf("shut %s: %w", end.Attrs().Name, err)
	}
	return nil
}
