//go:build linux

package uplink

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/learn-containers/learn/engine/driver/linux/rootnet"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
)

// userCables join containers where the host's network is out of reach. They are one container's, and end with the supervisor.
type userCables struct {
	networks string // folder of all networks
	path     string // where programs are looked for
	report   func(wiring.Change)
	plan     network.Plan // that is carried out
	wires    *rootnet.Wires
}

func (u *userCables) folder(network string) string {
	return filepath.Join(u.networks, network, "cables")
}

// Connect implements cables: a plan adds to what is there.
func (u *userCables) Connect(ctx context.Context, plan network.Plan, netns int) error {
	all := u.plan
	all.Container = plan.Container
	all.Endpoints = append(slices.Clone(all.Endpoints), plan.Endpoints...)
	all.Bridges = append(slices.Clone(all.Bridges), plan.Bridges...)
	if len(all.Endpoints) == 0 {
		return nil
	}
	if u.wires != nil {
		return u.rewire(ctx, all)
	}
	w, err := rootnet.Connect(ctx, rootnet.Config{Plan: all, Netns: netns, Folder: u.folder, Path: u.path, Report: u.report, Lacking: complainOfWay})
	if err != nil {
		return err
	}
	u.wires, u.plan = w, all
	return nil
}

// complainOfWay tells who looks for the reason why a container can't reach the outside. It is no reason not to start it.
func complainOfWay(err error) { fmt.Fprintln(os.Stderr, "supervisor:", err) }

// Withdraw implements cables.
func (u *userCables) Withdraw(ctx context.Context, plan network.Plan) error {
	return u.Disconnect(ctx, plan)
}

// Disconnect implements cables.
func (u *userCables) Disconnect(ctx context.Context, plan network.Plan) error {
	if u.wires == nil || len(plan.Endpoints) == 0 {
		return nil
	}
	rest := u.plan
	rest.Endpoints = without(rest.Endpoints, plan.Endpoints)
	if len(rest.Endpoints) > 0 {
		return u.rewire(ctx, rest)
	}
	w := u.wires
	u.wires, u.plan = nil, network.Plan{}
	return w.Close()
}

// Reroute implements cables: there is one way out at most, whichever network it is by.
func (u *userCables) Reroute(ctx context.Context, plan network.Plan, _ int) error {
	if u.wires == nil {
		return nil
	}
	return u.rewire(ctx, plan)
}

func (u *userCables) rewire(ctx context.Context, plan network.Plan) error {
	err := u.wires.Rewire(ctx, plan)
	if err == nil {
		u.plan = plan
	}
	return err
}

// Restore implements cables: nobody can take anything away.
func (u *userCables) Restore(context.Context, []network.Plan) ([]wiring.Change, error) {
	return nil, nil
}

// shut reports whether the container reaches its own networks alone, whatever the plan says.
func (u *userCables) shut() bool { return u.wires == nil || u.wires.Outside() == "" }

// confined has the name server ask nobody where what it would find can't be reached.
func confined(plan network.Plan, c cables) network.Plan {
	if u, ok := c.(*userCables); ok && plan.Resolver != nil && u.shut() {
		closed := *plan.Resolver
		closed.Closed = true
		plan.Resolver = &closed
	}
	return plan
}

// without gives the endpoints that others has not.
func without(all, others []network.Endpoint) []network.Endpoint {
	return slices.DeleteFunc(slices.Clone(all), func(e network.Endpoint) bool {
		return slices.ContainsFunc(others, func(o network.Endpoint) bool { return o.ID == e.ID })
	})
}
