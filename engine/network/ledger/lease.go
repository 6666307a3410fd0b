package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/leases"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// leasesName is the folder of a network's leases: one file for each container, under its id.
const leasesName = "leases"

// Request is what a container wants of a network.
type Request struct {
	Container string // id
	Name      string // the container's
	Names     []string
	MAC       string       // empty: follows from the address
	Addresses []netip.Addr // that it must have; at most one of each family
}

// Claim leases the container its addresses in n. A container that has a lease keeps what still fits. Errors: *ConflictError if an address
// that it must have is another one's, or none is left.
func (s *Store) Claim(ctx context.Context, n *Network, r Request) (network.Lease, error) {
	unlock, err := s.home.Lock(ctx, lockName(n.ID), true)
	if err != nil {
		return network.Lease{}, err
	}
	defer unlock()
	if _, err := os.Lstat(filepath.Join(s.dir(n.ID), recordName)); err != nil {
		return network.Lease{}, &NotFoundError{n.Name}
	}
	given, err := leases.Read(s.LeasesDir(n.ID))
	if err != nil {
		return network.Lease{}, err
	}
	l, err := s.grant(n, r, given)
	if errors.As(err, new(*ConflictError)) { // those of containers that died unseen make room
		if given, err = s.sweepLeases(ctx, n.ID, given); err != nil {
			return l, err
		}
		l, err = s.grant(n, r, given)
	}
	if err != nil {
		return l, err
	}
	failpoint.Hit("network.claim.before-lease")
	if err := leases.Write(s.LeasesDir(l.Network), l); err != nil {
		return l, err
	}
	n.tellLease(ctx, l)
	return l, nil
}

// Rename changes by which names a container is found in n. It is no error if it has no lease there.
func (s *Store) Rename(ctx context.Context, n *Network, container, name string, names []string) error {
	unlock, err := s.home.Lock(ctx, lockName(n.ID), true)
	if err != nil {
		return err
	}
	defer unlock()
	given, err := leases.Read(s.LeasesDir(n.ID))
	if err != nil {
		return err
	}
	i := slices.IndexFunc(given, func(l network.Lease) bool { return l.Container == container })
	if i < 0 {
		return nil
	}
	l := given[i]
	l.Name, l.Names = name, names
	if err := leases.Write(s.LeasesDir(n.ID), l); err != nil {
		return err
	}
	n.tellLease(ctx, l)
	return nil
}

// tellLease tells what a container has in a network by now.
func (n *Network) tellLease(ctx context.Context, l network.Lease) {
	var addresses []string
	for _, a := range l.Addresses {
		addresses = append(addresses, a.String())
	}
	trace.Fact(ctx, vocab.NetworkLease, trace.String("network", l.Network), trace.String("name", n.Name), trace.String("container", l.Container), trace.Strings("addresses", addresses),
		trace.String("mac", l.MAC), trace.Strings("names", l.Names))
}

func lockName(id string) string { return "network-" + id[:12] }

// grant chooses the addresses of a lease beside those that are given.
func (s *Store) grant(n *Network, r Request, given []network.Lease) (network.Lease, error) {
	l := network.Lease{Network: n.ID, Container: r.Container, Name: r.Name, Names: r.Names, MAC: r.MAC}
	taken := map[netip.Addr]string{}
	var old []netip.Prefix
	for _, other := range given {
		if other.Container == r.Container {
			old = other.Addresses
			continue
		}
		for _, a := range other.Addresses {
			taken[a.Addr()] = other.Name
		}
	}
	for _, family := range []int{32, 128} {
		a, err := n.choose(family, r.Addresses, old, taken)
		if err != nil {
			return l, err
		}
		if a.IsValid() {
			l.Addresses = append(l.Addresses, a)
		}
	}
	if err := n.covers(r.Addresses, l.Addresses); err != nil {
		return l, err
	}
	if l.MAC == "" && len(l.Addresses) > 0 && l.Addresses[0].Addr().Is4() {
		l.MAC = network.MAC(l.Addresses[0].Addr())
	}
	id, err := s.endpointID()
	l.Endpoint = id
	return l, err
}

// choose gives the address of one family: the wanted one, the one that it had, or the first that is free. No subnet of the family: none.
func (n *Network) choose(family int, want []netip.Addr, old []netip.Prefix, taken map[netip.Addr]string) (netip.Prefix, error) {
	var full error
	has := func(a netip.Addr) bool { _, is := taken[a]; return is }
	for _, s := range n.Subnets() {
		if s.Prefix.Addr().BitLen() != family {
			continue
		}
		fits := func(a netip.Addr) bool { return s.Prefix.Contains(a) }
		if i := slices.IndexFunc(want, fits); i >= 0 {
			if who, is := taken[want[i]]; is {
				return netip.Prefix{}, conflict("Address already in use: %s is the address of %s", want[i], who)
			}
			return netip.PrefixFrom(want[i], s.Prefix.Bits()), s.CheckAddr(want[i])
		}
		if slices.ContainsFunc(want, func(a netip.Addr) bool { return a.BitLen() == family }) {
			continue // it is to be one of another subnet
		}
		if i := slices.IndexFunc(old, func(p netip.Prefix) bool { return fits(p.Addr()) }); i >= 0 && !has(old[i].Addr()) && s.CheckAddr(old[i].Addr()) == nil {
			return netip.PrefixFrom(old[i].Addr(), s.Prefix.Bits()), nil
		}
		a, err := s.FreeAddr(has)
		if err == nil {
			return netip.PrefixFrom(a, s.Prefix.Bits()), nil
		}
		full = &ConflictError{err.Error()}
	}
	return netip.Prefix{}, full
}

// covers refuses a lease without an address that was to be in it.
func (n *Network) covers(want []netip.Addr, got []netip.Prefix) error {
	for _, a := range want {
		if !slices.ContainsFunc(got, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return invalid("invalid address %s: it belongs to none of the subnets of network %s (%v)", a, n.Name, subnetsOf([]*Network{n}))
		}
	}
	return nil
}

func (s *Store) endpointID() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return "", fmt.Errorf("make endpoint id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// LeasesDir is the folder of a network's leases, for package leases.
func (s *Store) LeasesDir(net string) string { return filepath.Join(s.dir(net), leasesName) }

// Leases gives who is in a network.
func (s *Store) Leases(ctx context.Context, n *Network) ([]network.Lease, error) {
	all, err := leases.Read(s.LeasesDir(n.ID))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(l network.Lease) bool { return !s.Holds(ctx, n.ID, l.Container) }), nil
}

// Release gives the addresses of a container in a network back. It is no error if it has none.
func (s *Store) Release(ctx context.Context, net, container string) error {
	if !isID(net) {
		return nil
	}
	there, err := leases.Remove(s.LeasesDir(net), container)
	if err != nil || !there {
		return err
	}
	trace.Fact(ctx, vocab.NetworkRelease, trace.String("network", net), trace.String("container", container))
	return nil
}

// ReleaseAll is Release in every network: of a container whose record does not say which it was in.
func (s *Store) ReleaseAll(ctx context.Context, container string) error {
	ids, err := home.Names(s.home.Networks())
	if err != nil {
		return fmt.Errorf("release addresses of %.12s: %w", container, err)
	}
	var problems []error
	for _, id := range ids {
		problems = append(problems, s.Release(ctx, id, container))
	}
	return errors.Join(problems...)
}

// sweepLeases removes the leases that nobody holds, and gives the others.
func (s *Store) sweepLeases(ctx context.Context, net string, given []network.Lease) ([]network.Lease, error) {
	var living []network.Lease
	for _, l := range given {
		if s.Holds(ctx, net, l.Container) {
			living = append(living, l)
		} else if err := s.Release(ctx, net, l.Container); err != nil {
			return nil, err
		}
	}
	return living, nil
}
