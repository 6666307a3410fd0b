package lan

import (
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
	maxNames  = 64 // of one address
	maxName   = 255
	maxLeases = 4096 // processes
)

// lease is what one process tells the others, as it stands in its file.
type lease struct {
	Socket string      `json:"socket"` // where the switch is reached
	Plugs  []leasePlug `json:"addresses"`
}

// leasePlug is one address of a host.
type leasePlug struct {
	Address  netip.Addr `json:"address"`
	Host     string     `json:"host"`     // its id
	Hostname string     `json:"hostname"` // what the host calls itself
	Names    []string   `json:"names"`    // that lead to the address
}

func (p leasePlug) has(name string) bool { return slices.Contains(p.Names, name) }

// publish tells the other processes what is plugged now. Without a trunk there is nobody to tell.
func (s *Switch) publish() error {
	s.mu.Lock()
	t := s.trunk
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.exclusive(t.publish)
}

// publish writes the lease, unless another has one of its addresses. The caller holds the folder.
func (t *trunk) publish() error {
	t.tidy()
	mine := lease{Socket: t.socket, Plugs: t.sw.plugged()}
	for _, l := range t.others() {
		for _, p := range l.Plugs {
			if slices.ContainsFunc(mine.Plugs, func(m leasePlug) bool { return m.Address == p.Address }) {
				return fmt.Errorf("claim address %s: %w", p.Address, syscall.EADDRINUSE)
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
	for addr, p := range s.plugs {
		list = append(list, leasePlug{Address: addr, Host: p.host.id, Hostname: p.host.hostname, Names: p.names})
	}
	slices.SortFunc(list, func(a, b leasePlug) int { return a.Address.Compare(b.Address) })
	return list
}

// others reads the leases of all other processes that live. One that can't be understood counts as none.
func (t *trunk) others() []lease {
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
		if !pluggable(p.Address) || p.Address != p.Address.Unmap() || len(p.Names) > maxNames {
			return lease{}, fmt.Errorf("read lease: address %q", p.Address)
		}
		if slices.ContainsFunc(p.Names, func(n string) bool { return n == "" || len(n) > maxName || n != plainName(n) }) {
			return lease{}, fmt.Errorf("read lease: names of %s", p.Address)
		}
	}
	return l, nil
}
