package lan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// Bounds of what is believed of another process's lease.
const (
	maxLease  = 1 << 20 // bytes of the file
	maxPlugs  = 4096
	maxName   = 255  // bytes of an id
	maxLeases = 4096 // processes
)

// lease is what one process tells the others, as it stands in its file.
type lease struct {
	Socket string      `json:"socket"` // where the switch is reached
	Plugs  []leasePlug `json:"addresses"`
}

// leasePlug is one address of a host.
type leasePlug struct {
	Plug
	Host string `json:"host"` // its id
}

// publish writes the lease, unless another has one of its addresses. The caller holds the folder. Without a trunk there is nobody to tell.
func (t *trunk) publish() error {
	if t == nil {
		return nil
	}
	t.tidy()
	mine := lease{Socket: t.socket, Plugs: t.sw.plugged()}
	for _, l := range t.others() {
		for _, p := range l.Plugs {
			if slices.ContainsFunc(mine.Plugs, func(m leasePlug) bool { return m.addr() == p.addr() }) {
				return fmt.Errorf("claim address %s: %w", p.addr(), syscall.EADDRINUSE)
			}
		}
	}
	data, err := json.MarshalIndent(mine, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.path(".tmp"), append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(t.path(".tmp"), t.path(".json"))
}

// plugged lists what is plugged into the switch, sorted.
func (s *Switch) plugged() []leasePlug {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []leasePlug{}
	for _, p := range s.plugs {
		list = append(list, leasePlug{Plug: p.Plug, Host: p.host.id})
	}
	slices.SortFunc(list, func(a, b leasePlug) int { return a.addr().Compare(b.addr()) })
	return list
}

// others reads the leases of all other processes that live. One that can't be understood counts as none.
func (t *trunk) others() []lease {
	if t == nil {
		return nil
	}
	var live []lease
	for _, name := range t.leases(".json") {
		if name == t.name || !t.held(name) {
			continue
		}
		l, err := readLease(filepath.Join(t.dir, name+".json"))
		if err == nil {
			live = append(live, l)
		}
	}
	return live
}

// leases names the leases in the folder that have a file of this kind.
func (t *trunk) leases(suffix string) []string {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && e.Name() != folderLock && e.Type().IsRegular() && len(names) < maxLeases {
			names = append(names, name)
		}
	}
	return names
}

// held reports whether the owner of a lease lives. Looking takes a shared lock, so that two that look don't deceive each other.
func (t *trunk) held(name string) bool {
	path := filepath.Join(t.dir, name+".lock")
	if _, err := os.Lstat(path); err != nil {
		return false
	}
	probe := flock.New(path)
	free, err := probe.TryRLock()
	if free {
		_ = probe.Unlock()
	}
	return err == nil && !free
}

// tidy removes what dead processes left. The caller holds the folder, so that nobody else begins or tidies.
func (t *trunk) tidy() {
	for _, name := range append(t.leases(".json"), t.leases(".lock")...) {
		if name == t.name || t.held(name) {
			continue
		}
		path := filepath.Join(t.dir, name+".json")
		if l, err := readLease(path); err == nil && (filepath.Dir(l.Socket) == t.dir || isTemp(filepath.Dir(l.Socket))) {
			removeSocket(l.Socket)
		}
		for _, suffix := range []string{".sock", ".json", ".tmp", ".lock"} {
			_ = os.Remove(filepath.Join(t.dir, name+suffix))
		}
	}
}

func readLease(path string) (lease, error) {
	f, err := os.Open(path)
	if err != nil {
		return lease{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLease+1))
	if err != nil {
		return lease{}, err
	}
	return parseLease(data)
}

// parseLease reads what another process wrote and refuses what no switch would have written.
func parseLease(data []byte) (lease, error) {
	var l lease
	if len(data) > maxLease {
		return l, errors.New("read lease: too large")
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return lease{}, fmt.Errorf("read lease: %w", err)
	}
	if l.Socket == "" || len(l.Socket) > maxSocketPath || len(l.Plugs) > maxPlugs {
		return lease{}, errors.New("read lease: out of bounds")
	}
	for _, p := range l.Plugs {
		if !p.Address.IsValid() || !pluggable(p.addr()) || p.addr() != p.addr().Unmap() || len(p.Network.ID) > maxName || len(p.Host) > maxName {
			return lease{}, fmt.Errorf("read lease: address %q", p.Address)
		}
		if slices.ContainsFunc(p.Network.Gateways, func(a netip.Addr) bool { return !pluggable(a) }) {
			return lease{}, fmt.Errorf("read lease: gateways of %s", p.Address)
		}
	}
	return l, nil
}

// found is where in other processes an address is.
type found struct {
	leasePlug
	socket string
}

// find looks for an address among the other processes.
func (t *trunk) find(addr netip.Addr) (found, bool) {
	for _, l := range t.others() {
		for _, p := range l.Plugs {
			if p.addr() == addr {
				return found{p, l.Socket}, true
			}
		}
	}
	return found{}, false
}

// Sweep removes what processes that died have left in the folder of a trunk. It costs one directory listing when there is nothing.
func Sweep(dir string) error {
	t := &trunk{dir: dir, ctx: context.Background()}
	if !slices.ContainsFunc(append(t.leases(".lock"), t.leases(".json")...), func(name string) bool { return !t.held(name) }) {
		return nil
	}
	return t.exclusive(func() error {
		t.tidy()
		return nil
	})
}
