// Package lan is the network of the simulated machine: a switch, the hosts plugged into it, their addresses, ports and names.
//
// A Host is what one container has for a network. It implements userland.Dialer, so the programs of a container need no more.
// Connections are byte streams with the behaviour of TCP as a program sees it: half-close, back-pressure, refusal, reset, and
// the errors of the real one. It is not a network stack: there are no packets, no subnets, no loss, and no way out of the
// switch except a trunk, which joins the switches of several processes by a shared folder.
//
// Invariants: an address belongs to at most one host of a switch and everything its trunk reaches; addresses, names, ports and
// connections are leases that end with their host; a buffer holds at most 64 KiB in each direction. All of it may be used from
// many goroutines at once.
package lan

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Switch connects hosts. The owner closes it.
type Switch struct {
	mu     sync.Mutex // guards everything below and the fields of the hosts that say so
	hosts  []*Host    // in the order in which they came
	plugs  map[netip.Addr]*plug
	trunk  *trunk
	closed bool
}

// plug is one address of a host, with the names that lead to it.
type plug struct {
	host  *Host
	names []string // lower case, without a last dot
}

// NewSwitch makes a switch without hosts.
func NewSwitch() *Switch { return &Switch{plugs: make(map[netip.Addr]*plug)} }

// Host makes a host that has only its loopback addresses. The caller closes it.
func (s *Switch) Host(id, hostname string) *Host {
	h := &Host{id: id, hostname: hostname, sw: s, conns: make(map[link]struct{}), closed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(h.closed)
		return h
	}
	s.hosts = append(s.hosts, h)
	return h
}

// Plug gives h an address, and names by which everybody on the switch finds it; the host's own name leads to it, too.
// EADDRINUSE if another host has the address, EADDRNOTAVAIL if no host can have it.
func (s *Switch) Plug(h *Host, addr netip.Addr, names ...string) error {
	addr = addr.Unmap()
	if !pluggable(addr) {
		return fmt.Errorf("plug %s: %w", addr, syscall.EADDRNOTAVAIL)
	}
	p := &plug{host: h}
	for _, name := range append([]string{h.hostname}, names...) {
		if name = plainName(name); name != "" {
			p.names = append(p.names, name)
		}
	}
	if err := s.connect(h, addr, p); err != nil {
		return err
	}
	if err := s.publish(); err != nil {
		s.disconnect(h, addr)
		return fmt.Errorf("plug %s: %w", addr, err)
	}
	return nil
}

// pluggable reports whether a host can have the address beside its loopback.
func pluggable(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a != broadcast()
}

func broadcast() netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

func (s *Switch) connect(h *Host, addr netip.Addr, p *plug) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || h.gone() {
		return fmt.Errorf("plug %s: %w", addr, net.ErrClosed)
	}
	if s.plugs[addr] != nil {
		return fmt.Errorf("plug %s: %w", addr, syscall.EADDRINUSE)
	}
	s.plugs[addr] = p
	h.addrs = append(h.addrs, addr)
	return nil
}

// Unplug takes all addresses and names that were plugged away from h. Its listeners on them and its connections over them are
// reset; loopback goes on. It is no error if there were none.
func (s *Switch) Unplug(h *Host) error {
	s.mu.Lock()
	addrs := append([]netip.Addr(nil), h.addrs...)
	s.mu.Unlock()
	if len(addrs) == 0 {
		return nil
	}
	for _, a := range addrs {
		s.disconnect(h, a)
	}
	if err := s.publish(); err != nil {
		return fmt.Errorf("unplug %s: %w", h.hostname, err)
	}
	return nil
}

// disconnect takes one address away, with what depends on it.
func (s *Switch) disconnect(h *Host, addr netip.Addr) {
	s.mu.Lock()
	delete(s.plugs, addr)
	h.addrs = without(h.addrs, addr)
	var listeners []*listener
	for _, l := range h.listeners {
		if l.addr.Addr() == addr {
			listeners = append(listeners, l)
		}
	}
	conns := h.over(addr)
	s.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	for _, c := range conns {
		c.abort()
	}
}

// Close closes every host, leaves the trunk and waits until nothing of the switch runs any more.
func (s *Switch) Close() error {
	s.mu.Lock()
	s.closed = true
	hosts, t := append([]*Host(nil), s.hosts...), s.trunk
	s.trunk = nil
	s.mu.Unlock()
	for _, h := range hosts {
		h.Close()
	}
	if t == nil {
		return nil
	}
	return t.close()
}

// owner finds the host of a plugged address.
func (s *Switch) owner(addr netip.Addr) *Host {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.plugs[addr]; p != nil {
		return p.host
	}
	return nil
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
