// Package leases reads and writes the files that say who has which address in a network: one for each container that runs in it, under the
// container's id, in the folder of the network. It is what the ledger, which gives addresses, and the machines, which answer for names, have
// in common; it does not decide anything.
//
// Invariants: a file is replaced whole; one that can't be read, or lies under another's id, is no lease.
package leases

import (
	"cmp"
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

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/network"
)

// maxLease bounds a file in bytes.
const maxLease = 1 << 20

// Write makes or replaces the lease of l.Container, without waiting for the disk: after a restart of the machine it means nothing.
func Write(dir string, l network.Lease) error {
	data, err := json.Marshal(l)
	if err == nil {
		err = home.WriteVolatile(filepath.Join(dir, l.Container), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write lease of %.12s: %w", l.Container, err)
	}
	return nil
}

// Remove removes the lease of a container, and reports whether there was one.
func Remove(dir, container string) (bool, error) {
	if !isID(container) {
		return false, nil
	}
	err := os.Remove(filepath.Join(dir, container))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("remove lease of %.12s: %w", container, err)
	}
	return true, nil
}

// Read gives the leases in dir in the order of their addresses; none if it isn't there.
func Read(dir string) ([]network.Lease, error) {
	names, err := home.Names(dir)
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	var all []network.Lease
	for _, name := range names {
		if l, ok := read(filepath.Join(dir, name)); ok && l.Container == name && isID(name) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b network.Lease) int {
		return cmp.Or(slices.CompareFunc(a.Addresses, b.Addresses, func(x, y netip.Prefix) int { return x.Addr().Compare(y.Addr()) }), cmp.Compare(a.Container, b.Container))
	})
	return all, nil
}

func read(path string) (l network.Lease, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return l, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLease))
	return l, err == nil && json.Unmarshal(data, &l) == nil
}

func isID(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }
