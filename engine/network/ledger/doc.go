// Package ledger keeps the networks of a home, and who has which address in them.
//
// A network is a folder under its id with its record and a lease for each container that runs in it. It makes no interface and opens no
// socket: what follows from the records is a network.Plan, which drivers carry out. There is no network without a record, so that what a
// record does not name may be removed.
//
// Invariants: names are unique; subnets never overlap, neither with one another nor with what the host has routes for when they are chosen;
// an address belongs to one lease. Leases mean nothing after a restart of the machine and are written without waiting for the disk; records
// are durable. Any number of processes may work on one home.
package ledger

import (
	"context"
	"crypto/rand"
	"io"
	"net/netip"
	"time"

	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/home"
)

// Store is the networks of one home.
type Store struct {
	// Used tells what the host has addresses and routes for, so that no network gets that. Nil: nothing.
	Used func(context.Context) ([]netip.Prefix, error)
	// Holds reports whether a container that has a lease in a network is connected to it, or is so right now. Other leases are void.
	Holds func(ctx context.Context, network, container string) bool
	// Events is told what happens to networks; nil for nobody.
	Events *events.Log
	// Now is the time that new networks get.
	Now func() time.Time
	// Random gives the bytes that ids are made of.
	Random io.Reader

	home *home.Home
}

// New is the networks in h.
func New(h *home.Home) *Store {
	return &Store{Holds: func(context.Context, string, string) bool { return true }, Now: time.Now, Random: rand.Reader, home: h}
}

// The networks that every home has.
const (
	DefaultBridge = "bridge"
	Host          = "host"
	None          = "none"
)

// DriverBridge is the driver of networks that are a switch on this machine.
const DriverBridge = "bridge"

// Predefined reports whether name is that of a network which is always there.
func Predefined(name string) bool { return name == DefaultBridge || name == Host || name == None }

// namesLock is held while a network is made or removed.
const namesLock = "network-names"
