package driver

import (
	"context"
	"net/netip"

	"github.com/learn-containers/learn/engine/network"
)

// Networker is an ability that a Runtime may have besides: to connect containers (Spec.Net). A task connects when it starts, and whoever
// watches over it takes all of that back when it ends.
type Networker interface {
	// UsedPrefixes are what the machine has addresses of, and routes to: no new network may overlap them.
	UsedPrefixes(ctx context.Context) ([]netip.Prefix, error)
	// SweepNetworks takes back what containers were connected with whose supervisor died before it could. It costs one directory listing
	// when there is nothing to do.
	SweepNetworks(ctx context.Context) error
	// RestoreNetworks puts back what containers that run are connected with and the machine has lost: rules after the firewall was flushed.
	RestoreNetworks(ctx context.Context) error
}

// Rewirer is an ability that a Task may have besides: to change what its container is connected to while it runs.
type Rewirer interface {
	// Rewire carries out what plan has and the present one has not, and takes back what only the present one has. It gives the plan as it was
	// carried out. ErrNotRunning if the task does not run. After an error the present plan still holds.
	Rewire(ctx context.Context, plan network.Plan) (network.Plan, error)
}
