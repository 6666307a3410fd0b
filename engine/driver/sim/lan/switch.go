// Package lan is what the simulated machine has of networks: switches, the hosts plugged into them, their addresses and ports.
//
// A Host is what one container has for a network. It implements userland.Dialer, so the programs of a container need no more.
// Connections are byte streams with the behaviour of TCP as a program sees it: half-close, back-pressure, refusal, reset, and
// the errors of the real one. It is not a network stack: there are no packets and no loss, and no way out of the machine except a
// trunk, which joins the parts of it that live in several processes by a shared folder.
//
// Hosts reach each other within a Network, and the machine's own host reaches all. What is for another network is lost on the way, as the
// rules of a real machine drop it; what is for no network of the machine has no way.
//
// Invariants: an address belongs to at most one host of a switch and everything its trunk reaches; addresses, ports and
// connections are leases that end with their host; a buffer holds at most 64 KiB in each direction. All of it may be used from
// many goroutines at once.
package lan

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
)

// Network is one of the machine's networks.
type Network struct {
	ID       string       `json:"id"`
	Gateways []netip.Addr `json:"gateways,omitempty"` // the machine's own addresses in it
	Isolated bool         `json:"isolated,omitempty"` // its hosts don't reach one another, only the machine
}

// gateway is the machine's address of the family that like has.
func (n Network) gateway(like netip.Addr) (netip.Addr, bool) {
	i := slices.IndexFunc(n.Gateways, func(a netip.Addr) bool { return a.Is4() == like.Is4() })
	if i < 0 {
		return netip.Addr{}, false
	}
	return n.Gateways[i], true
}

// Plug is a host's address in a network.
type Plug struct {
	Network Network      `json:"network"`
	Address netip.Prefix `json:"address"`
}

func (p Plug) addr() netip.Addr { return p.Address.Addr() }

// Switch is the part of the machine's networks that lives in this process. The owner closes it.
type Switch struct {
	mu      sync.Mutex // guards everything below and the fields of the hosts that say so
	hosts   []*Host    // in the order in which they came
	plugs   map[netip.Addr]plugged
	machine *Host // nil: nobody listens on the gateways
	trunk   *trunk
	closed  bool
}

// plugged is one address of a host.
type plugged struct {
	Plug
	host *Host
}

// NewSwitch makes a switch without hosts.
func NewSwitch() *Switch { return &Switch{plugs: make(map[netip.Addr]plugged)} }

// Host makes a host that has only its loopback addresses. The caller closes it.
func (s *Switch) Host(id, hostname string) *Host {
	h := &Host{id: id, hostname: hostname, sw: s, ways: map[string]bool{}, conns: make(map[link]struct{}), closed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(h.closed)
		return h
	}
	s.hosts = append(s.hosts, h)
	return h
}

// Machine makes the host that is the machine itself: it has the gateways of all networks and reaches all their hosts. A switch has one.
func (s *Switch) Machine(hostname string) *Host {
	h := s.Host("", hostname)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machine = h
	return h
}

// Plug gives h addresses. It gives the ids of those networks that nobody was plugged into before, on this switch and what its trunk reaches.
// After an error h has none of them. EADDRINUSE if another host has an address, EADDRNOTAVAIL if no host can have it.
func (s *Switch) Plug(h *Host, plugs ...Plug) (fresh []string, err error) {
	for i, p := range plugs {
		if plugs[i].Address = netip.PrefixFrom(p.addr().Unmap(), p.Address.Bits()); !pluggable(plugs[i].addr()) || !plugs[i].Address.IsValid() {
			return nil, fmt.Errorf("plug %s: %w", p.Address, syscall.EADDRNOTAVAIL)
		}
	}
	err = s.exclusive(func(t *trunk) error {
		there := s.inUse(t)
		if err := s.connect(h, plugs); err != nil {
			return err
		}
		if err := t.publish(); err != nil {
			s.disconnect(h, func(p Plug) bool {
				return slices.ContainsFunc(plugs, func(o Plug) bool { return o.addr() == p.addr() })
			})
			return err
		}
		fresh = idsOf(plugs, func(id string) bool { return !there[id] })
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("plug %s in: %w", h.hostname, err)
	}
	return fresh, nil
}

// idsOf are the networks of plugs, each once, that are wanted.
func idsOf(plugs []Plug, wanted func(id string) bool) []string {
	var ids []string
	for _, p := range plugs {
		if id := p.Network.ID; wanted(id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// exclusive runs f while nobody else of the trunk changes what is plugged. t is nil where there is no trunk.
func (s *Switch) exclusive(f func(t *trunk) error) error {
	s.mu.Lock()
	t := s.trunk
	s.mu.Unlock()
	if t == nil {
		return f(nil)
	}
	return t.exclusive(func() error { return f(t) })
}

// inUse are the networks that somebody is plugged into.
func (s *Switch) inUse(t *trunk) map[string]bool {
	used := map[string]bool{}
	for _, p := range s.plugged() {
		used[p.Network.ID] = true
	}
	for _, l := range t.others() {
		for _, p := range l.Plugs {
			used[p.Network.ID] = true
		}
	}
	return used
}

// pluggable reports whether a host can have the address beside its loopback.
func pluggable(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a != broadcast()
}

func broadcast() netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

func (s *Switch) connect(h *Host, plugs []Plug) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || h.gone() {
		return net.ErrClosed
	}
	for i, p := range plugs {
		_, taken := s.plugs[p.addr()]
		if taken || slices.ContainsFunc(plugs[:i], func(o Plug) bool { return o.addr() == p.addr() }) {
			return fmt.Errorf("claim address %s: %w", p.addr(), syscall.EADDRINUSE)
		}
	}
	for _, p := range plugs {
		s.plugs[p.addr()] = plugged{p, h}
		h.plugs = append(h.plugs, p)
	}
	return nil
}

// Route says by which networks h reaches what is in none of its own. Without any it reaches nothing there.
func (s *Switch) Route(h *Host, networks ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.ways = map[string]bool{}
	for _, id := range networks {
		h.ways[id] = true
	}
}

// Unplug takes the addresses that h has in these networks away; in all, if none is named. Its listeners on them and its connections over
// them are reset; loopback goes on. It gives those networks that nobody is plugged into any more. It is no error if there were none.
func (s *Switch) Unplug(h *Host, networks ...string) (empty []string, err error) {
	leaves := func(p Plug) bool { return len(networks) == 0 || slices.Contains(networks, p.Network.ID) }
	had := slices.DeleteFunc(h.Plugs(), func(p Plug) bool { return !leaves(p) })
	if len(had) == 0 {
		return nil, nil
	}
	err = s.exclusive(func(t *trunk) error {
		s.disconnect(h, leaves)
		left := s.inUse(t)
		empty = idsOf(had, func(id string) bool { return !left[id] })
		return t.publish()
	})
	if err != nil {
		return empty, fmt.Errorf("unplug %s: %w", h.hostname, err)
	}
	return empty, nil
}

// disconnect takes addresses away, with what depends on them.
func (s *Switch) disconnect(h *Host, leaves func(Plug) bool) {
	s.mu.Lock()
	var listeners []*listener
	var conns []link
	for _, p := range h.plugs {
		if !leaves(p) {
			continue
		}
		delete(s.plugs, p.addr())
		for _, l := range h.listeners {
			if l.addr.Addr() == p.addr() {
				listeners = append(listeners, l)
			}
		}
		conns = append(conns, h.over(p.addr())...)
	}
	h.plugs = slices.DeleteFunc(slices.Clone(h.plugs), leaves)
	s.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	for _, c := range conns {
		c.abort()
	}
}

// gateways are the machine's addresses that are known here. The caller holds mu.
func (s *Switch) gateways() []netip.Addr {
	var all []netip.Addr
	for _, p := range s.plugs {
		all = append(all, p.Network.Gateways...)
	}
	return all
}

// Present reports whether a host with this id has the address, here or on the trunk.
func (s *Switch) Present(id string, addr netip.Addr) bool {
	s.mu.Lock()
	p, here := s.plugs[addr]
	t := s.trunk
	s.mu.Unlock()
	if here {
		return p.host.id == id
	}
	far, ok := t.find(addr)
	return ok && far.Host == id
}

// Close closes every host, leaves the trunk and waits until nothing of the switch runs any more.
func (s *Switch) Close() error {
	s.mu.Lock()
	s.closed = true
	hosts, t := append([]*Host(nil), s.hosts...), s.trunk
	s.mu.Unlock()
	for _, h := range hosts {
		h.Close()
	}
	s.mu.Lock()
	s.trunk = nil
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.close()
}

// at finds what is plugged at an address in a network.
func (s *Switch) at(addr netip.Addr, network string) (*Host, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.plugs[addr]
	return p.host, ok && p.Network.ID == network
}

func without[T comparable](list []T, v T) []T {
	var kept []T
	for _, x := range list {
		if x != v {
			kept = append(kept, x)
		}
	}
	return kept
}
