//go:build linux

package linux

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
)

var _ driver.Prober = (*Runtime)(nil)

// ProbeNetwork implements driver.Prober.
func (r *Runtime) ProbeNetwork(ctx context.Context, plan network.Plan) ([]driver.Wire, error) {
	if r.mode.Rootless {
		return nil, fmt.Errorf("compare networks with the machine: without root they are in namespaces of their own: %w", driver.ErrUnsupported)
	}
	missing, err := wiring.Host{Owner: r.home.Root()}.Missing(ctx, []network.Plan{plan})
	if err != nil {
		return nil, fmt.Errorf("compare networks with the machine: %w", err)
	}
	all := wiring.Describe(plan, r.home.Root())
	for _, m := range missing { // forwarding and what guards it are the machine's, not the plan's
		if !slices.Contains(all, m) {
			all = append([]wiring.Change{m}, all...)
		}
	}
	var wires []driver.Wire
	for _, c := range all {
		w := driver.Wire{Kind: driver.WireKind(c.Kind), Container: c.Container, Network: c.Network, Interface: c.Interface, Peer: c.Peer, Address: c.Address, Gateway: c.Gateway,
			Table: c.Table, Place: cmp.Or(c.Set, c.Chain), Rule: c.Rule, Missing: slices.Contains(missing, c)}
		wires = append(wires, w)
	}
	return wires, nil
}
