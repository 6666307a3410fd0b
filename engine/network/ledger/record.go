package ledger

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/network"
)

// Network is the record of a network, in docker's shape. Maps must not be changed.
type Network struct {
	api.Network

	// Drawn are those of its subnets that nobody asked for: no container can choose its address in them.
	Drawn []netip.Prefix `json:",omitempty"`

	// Problem says why the network can't be used; nil for a good one.
	Problem error `json:"-"`
}

const maxRecord = 1 << 20

const recordName = "network.json"

func (s *Store) dir(id string) string { return filepath.Join(s.home.Networks(), id) }

func isID(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func (s *Store) newID() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return "", fmt.Errorf("make network id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// read gives the network with this id. One whose record can't be read has a Problem.
func (s *Store) read(id string) (*Network, error) {
	n := new(Network)
	err := readJSON(filepath.Join(s.dir(id), recordName), n)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &NotFoundError{id}
	case err == nil && n.ID != id:
		err = errors.New("it is not the record of this network")
	case err == nil && n.Driver == bridgeDriver:
		err = checkSubnets(n)
	}
	if err != nil {
		return &Network{Network: api.Network{Name: id[:12], ID: id, Driver: bridgeDriver, Scope: localScope},
			Problem: fmt.Errorf("read record of network %.12s: %w; remove it with: docker network rm %.12s", id, err, id)}, nil
	}
	return n, nil
}

func checkSubnets(n *Network) error {
	if len(n.IPAM.Config) == 0 {
		return errors.New("it has no subnet")
	}
	for _, c := range n.IPAM.Config {
		if !c.Subnet.IsValid() {
			return errors.New("it has no subnet")
		}
		if err := subnet(c).Check(); err != nil {
			return err
		}
	}
	return nil
}

func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// all gives the networks that have a folder, in the order of their names.
func (s *Store) all() ([]*Network, error) {
	ids, err := home.Names(s.home.Networks())
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	var all []*Network
	for _, id := range ids {
		if !isID(id) {
			continue
		}
		n, err := s.read(id)
		if IsNotFound(err) { // it is being made, or removed
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *Network) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// List gives all networks in the order of their names. What makes one unusable is in its Problem.
func (s *Store) List(ctx context.Context) ([]*Network, error) {
	if err := s.ensure(ctx, DefaultBridge, Host, None); err != nil {
		return nil, err
	}
	return s.all()
}

// Find gives the network with a name, an id or the unambiguous beginning of one. Errors: *NotFoundError, *ConflictError for an ambiguous one.
func (s *Store) Find(ctx context.Context, ref string) (*Network, error) {
	if Predefined(ref) {
		if err := s.ensure(ctx, ref); err != nil {
			return nil, err
		}
	}
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	return find(all, ref)
}

func find(all []*Network, ref string) (*Network, error) {
	var found []*Network
	for _, n := range all {
		if n.Name == ref && n.Problem == nil || n.ID == ref {
			return n, nil
		}
		if ref != "" && strings.HasPrefix(n.ID, ref) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return nil, &NotFoundError{ref}
	case 1:
		return found[0], nil
	}
	return nil, conflict("network %s is ambiguous (%d matches found based on ID prefix)", ref, len(found))
}

// Subnets are what the addresses of a network come from, IPv4 first.
func (n *Network) Subnets() []network.Subnet {
	var list []network.Subnet
	for _, c := range n.IPAM.Config {
		list = append(list, subnet(c))
	}
	slices.SortStableFunc(list, func(a, b network.Subnet) int { return a.Prefix.Addr().BitLen() - b.Prefix.Addr().BitLen() })
	return list
}

func subnet(c api.IPAMConfig) network.Subnet {
	return network.Subnet{Prefix: c.Subnet, Range: c.IPRange, Gateway: c.Gateway, Aux: c.AuxAddress}
}
