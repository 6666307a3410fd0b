package lan

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// way is how an address is reached.
type way struct {
	peer    *Host      // who has it; nil: it is behind socket
	from    netip.Addr // the own address that such packets come from
	network string     // id of the one that they pass; empty: none
	socket  string     // of the process that has it
	lost    bool       // the machine drops what is sent there, without a word
}

// route finds the way to an address.
func (h *Host) route(to netip.Addr) (way, error) {
	if to.IsLoopback() {
		return way{peer: h, from: loopback(to)}, nil
	}
	if slices.Contains(h.Addrs(), to) {
		return way{peer: h, from: to}, nil
	}
	if h.isMachine() {
		return h.sw.fromMachine(h, to)
	}
	plugs := h.Plugs()
	for _, p := range plugs {
		if p.Address.Contains(to) {
			return h.sw.within(p, to)
		}
	}
	for _, p := range plugs {
		if p.addr().Is4() == to.Is4() && h.leads(p.Network.ID) {
			return h.sw.beyond(p, to)
		}
	}
	return way{}, syscall.ENETUNREACH
}

func (h *Host) isMachine() bool {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	return h.sw.machine == h
}

// leads reports whether a network is the way to what is in none of the host's own.
func (h *Host) leads(network string) bool {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	return h.ways[network]
}

// within is the way from one address to another one of the same subnet.
func (s *Switch) within(p Plug, to netip.Addr) (way, error) {
	w := way{from: p.addr(), network: p.Network.ID}
	if slices.Contains(p.Network.Gateways, to) {
		return s.toMachine(w)
	}
	if p.Network.Isolated {
		return way{}, syscall.EHOSTUNREACH
	}
	return s.neighbour(w, to)
}

// neighbour finds who has an address in the way's network.
func (s *Switch) neighbour(w way, to netip.Addr) (way, error) {
	if peer, ok := s.at(to, w.network); ok {
		w.peer = peer
		return w, nil
	}
	if far, ok := s.joined().find(to); ok && far.Network.ID == w.network {
		w.socket = far.socket
		return w, nil
	}
	return way{}, syscall.EHOSTUNREACH
}

func (s *Switch) joined() *trunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trunk
}

func (s *Switch) toMachine(w way) (way, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.peer = s.machine; w.peer == nil {
		return way{}, syscall.EHOSTUNREACH
	}
	return w, nil
}

// beyond is the way to what is not in the subnet: to the machine itself, or by it to where nothing comes through.
func (s *Switch) beyond(p Plug, to netip.Addr) (way, error) {
	for _, n := range s.everything() {
		switch {
		case slices.Contains(n.Network.Gateways, to):
			return s.toMachine(way{from: p.addr(), network: n.Network.ID})
		case n.Address.Contains(to):
			return way{lost: true}, nil
		}
	}
	return way{}, syscall.ENETUNREACH
}

// everything is what is plugged here and over the trunk.
func (s *Switch) everything() []Plug {
	var all []Plug
	for _, p := range s.plugged() {
		all = append(all, p.Plug)
	}
	for _, l := range s.joined().others() {
		for _, p := range l.Plugs {
			all = append(all, p.Plug)
		}
	}
	return all
}

// fromMachine is the way from the machine itself.
func (s *Switch) fromMachine(h *Host, to netip.Addr) (way, error) {
	for _, p := range s.everything() {
		if slices.Contains(p.Network.Gateways, to) {
			return way{peer: h, from: to}, nil
		}
		if gateway, ok := p.Network.gateway(to); ok && p.Address.Contains(to) {
			return s.neighbour(way{from: gateway, network: p.Network.ID}, to)
		}
	}
	return way{}, syscall.ENETUNREACH
}

// Patience is how long Linux repeats the wish for a connection: 1, 2, 4 ... seconds after the one before (tcp(7), tcp_syn_retries: 6).
const Patience = 127 * time.Second

// lose waits for an answer that does not come.
func (h *Host) lose(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-h.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	h.block(func() {
		if h.Lost != nil {
			err = h.Lost(ctx)
			return
		}
		t := time.NewTimer(Patience)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	switch {
	case h.gone():
		return net.ErrClosed
	case err != nil:
		return err
	}
	return syscall.ETIMEDOUT
}
