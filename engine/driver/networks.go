package driver

import (
	"context"
	"net/netip"
	"strings"

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

// Prober is an ability that a Runtime may have besides, where what connects containers can get lost: to compare plans with the machine.
type Prober interface {
	// ProbeNetwork lists what a plan that was carried out comes to on this machine, in the order in which it was, and marks what the machine has
	// no more. It changes nothing. ErrUnsupported where nobody can look.
	ProbeNetwork(ctx context.Context, plan network.Plan) ([]Wire, error)
}

// Wire is one fact of the machine that connects a container: an interface, an address, a route, a rule. Which fields it has follows from Kind.
type Wire struct {
	Kind      WireKind
	Container string // id; empty: it belongs to the network, or to all of them
	Network   string // id
	Interface string
	Peer      string // the cable's end in the container
	Address   netip.Prefix
	Gateway   netip.Addr
	Table     string // of rules: family and name
	Place     string // the chain, set or map in it
	Rule      string // the rule, the element or the setting
	Missing   bool
}

// WireKind says what a Wire is.
type WireKind string

// The kinds of wires.
const (
	WireForwarding WireKind = "forwarding"
	WireBridge     WireKind = "bridge"
	WireCable      WireKind = "cable"
	WireAddress    WireKind = "address"
	WireRoute      WireKind = "route"
	WireRule       WireKind = "rule"
)

// Bare is the rule without the comment that says whose it is.
func (w Wire) Bare() string {
	before, rest, ok := strings.Cut(w.Rule, ` comment "`)
	if !ok {
		return w.Rule
	}
	_, after, _ := strings.Cut(rest, `"`)
	return before + after
}
