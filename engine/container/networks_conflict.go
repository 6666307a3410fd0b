package container

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network"
)

// portConflict gives err, with which the start of c failed, docker's words if a port of the host that was asked for is another container's.
// It takes no lock: c's is held.
func (m *Manager) portConflict(ctx context.Context, c *Container, plan *network.Plan, err error) error {
	if plan == nil || len(plan.Ports) == 0 || errors.As(err, new(*driver.CommandError)) {
		return err
	}
	ids, listErr := m.ids()
	if listErr != nil {
		return err
	}
	for _, id := range ids {
		other, readErr := m.read(id)
		if readErr != nil || id == c.ID || other.Problem != nil || !other.State.Live() || m.foreign(other) != nil {
			continue
		}
		_, st, askErr := m.ask(ctx, id)
		if askErr != nil || st.Net == nil {
			continue
		}
		if p, ok := clash(plan.Ports, st.Net.Ports); ok {
			at := netip.AddrPortFrom(p.HostIP, p.HostPort)
			return fmt.Errorf("failed to set up container networking: driver failed programming external connectivity on endpoint %s (%s): Bind for %s failed: port is already allocated (container %s has it)",
				c.Name, plan.Endpoints[0].ID, at, other.Name)
		}
	}
	return err
}

// clash is the first port that can't be had because another one is taken. Of a range it is for the machine to say whether all are.
func clash(wanted, taken []network.Published) (network.Published, bool) {
	for _, w := range wanted {
		for _, t := range taken {
			together := w.HostIP == t.HostIP || w.HostIP.BitLen() == t.HostIP.BitLen() && (w.HostIP.IsUnspecified() || t.HostIP.IsUnspecified())
			if together && w.Protocol == t.Protocol && w.HostPort != 0 && w.HostPort == t.HostPort && w.HostLast <= w.HostPort {
				return w, true
			}
		}
	}
	return network.Published{}, false
}
