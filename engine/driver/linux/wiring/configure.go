//go:build linux

package wiring

import (
	"github.com/vishvananda/netlink"

	"github.com/learn-containers/learn/engine/network"
)

// Configure gives the interface of an endpoint what it has in the container: addresses, settings and routes. The calling thread is in the
// container's network namespace, and h was opened there.
func Configure(h *netlink.Handle, e network.Endpoint) error { return configure(h, e) }
