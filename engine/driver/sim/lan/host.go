package lan

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/learn-containers/learn/engine/userland"
)

var _ userland.Dialer = (*Host)(nil)

// link is a connection as its host keeps it, to another host of the switch or over the trunk.
type link interface {
	userland.Conn
	endpoint() netip.AddrPort // this host's end
	abort()                   // breaks the connection; the program still closes it
}

// Host is what has addresses: a container, or the machine.
type Host struct {
	// Wait, if set, is called around everything that may take long: the wait for a connection, for bytes and for room. It has
	// to call its argument once. Set before the host is used.
	Wait func(f func())
	// Names, if set, gives the host's /etc/hosts; what stands there is found before what Resolve knows. Set before the
	// host is used.
	Names func() ([]byte, error)
	// Resolve, if set, is the host's name server: it gives the addresses of a name, in lower case and without a dot at its end, none if
	// there is no such name, and which server has answered, if any was there to ask. Set before the host is used.
	Resolve func(name string) (addresses []netip.Addr, server string)
	// Lost, if set, is how long a host waits for an answer that does not come: it returns when it gives up, or earlier with the error of
	// ctx. It waits within Wait. Set before the host is used; nil: as Linux does.
	Lost func(ctx context.Context) error

	id, hostname string
	sw           *Switch
	once         sync.Once
	closed       chan struct{}

	// Guarded by sw.mu.
	plugs     []Plug // in the order in which they were plugged
	ways      map[string]bool
	listeners []*listener
	conns     map[link]struct{}
	last      uint16 // ephemeral port that was given last, 0 if none was
}

// block runs f, which waits.
func (h *Host) block(f func()) {
	if h.Wait == nil {
		f()
		return
	}
	h.Wait(f)
}

func (h *Host) gone() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// Plugs lists what is plugged, without loopback.
func (h *Host) Plugs() []Plug {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	return slices.Clone(h.plugs)
}

// Addrs lists the addresses that are plugged, without loopback.
func (h *Host) Addrs() []netip.Addr {
	var all []netip.Addr
	for _, p := range h.Plugs() {
		all = append(all, p.addr())
	}
	return all
}

// Close ends everything that the host has: its listeners, its connections as if their programs closed them, its addresses and
// its names. Calls that wait return net.ErrClosed.
func (h *Host) Close() error {
	var err error
	h.once.Do(func() {
		h.sw.mu.Lock()
		if !h.gone() {
			close(h.closed)
		}
		listeners, conns := h.listeners, make([]link, 0, len(h.conns))
		for c := range h.conns {
			conns = append(conns, c)
		}
		h.sw.hosts = without(h.sw.hosts, h)
		h.sw.mu.Unlock()
		for _, l := range listeners {
			l.Close()
		}
		for _, c := range conns {
			c.Close()
		}
		_, err = h.sw.Unplug(h)
	})
	return err
}

// Dial connects to "host:port". The errors are those of package net: *net.OpError around ECONNREFUSED when nobody listens,
// ENETUNREACH when there is no way, EHOSTUNREACH when nobody in the network has that address, ETIMEDOUT when it is in a network that lets
// nobody in; *net.DNSError for a name that leads nowhere. ctx bounds the dialling, not the connection.
func (h *Host) Dial(ctx context.Context, address string) (userland.Conn, error) {
	dial, err := h.Aim(ctx, address)
	if err != nil {
		return nil, err
	}
	return dial(ctx)
}

// Aim is the part of Dial that looks the name up; what it returns is the rest, and may wait for others.
func (h *Host) Aim(ctx context.Context, address string) (dial func(context.Context) (userland.Conn, error), err error) {
	targets, err := h.targets(ctx, address)
	if err != nil {
		return nil, dialError(nil, err)
	}
	return func(ctx context.Context) (userland.Conn, error) { return h.dialAny(ctx, targets) }, nil
}

// dialAny connects to the first target that answers.
func (h *Host) dialAny(ctx context.Context, targets []netip.AddrPort) (userland.Conn, error) {
	var first error
	for _, to := range targets {
		c, err := h.dial(ctx, to)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = dialError(net.TCPAddrFromAddrPort(to), err)
		}
	}
	return nil, first
}

func dialError(addr net.Addr, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		err = os.NewSyscallError("connect", errno)
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: err}
}

// targets is where an address leads, in the order in which it is to be tried.
func (h *Host) targets(ctx context.Context, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := portOf(service)
	if err != nil {
		return nil, err
	}
	found := []string{"127.0.0.1", "::1"}
	if host != "" {
		if found, _, err = h.Lookup(ctx, host); err != nil {
			return nil, err
		}
	}
	var all []netip.AddrPort
	for _, text := range found {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, &net.AddrError{Err: "not an address", Addr: text}
		}
		all = append(all, netip.AddrPortFrom(a.Unmap().WithZone(""), port))
	}
	return all, nil
}

func portOf(service string) (uint16, error) {
	n, err := strconv.ParseUint(service, 10, 16)
	if service == "" {
		return 0, nil
	}
	if err != nil {
		return 0, &net.AddrError{Err: "invalid port", Addr: service}
	}
	return uint16(n), nil
}

// dial connects to one address.
func (h *Host) dial(ctx context.Context, to netip.AddrPort) (userland.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if h.gone() {
		return nil, net.ErrClosed
	}
	if to.Addr().IsUnspecified() { // as on Linux: this host
		to = netip.AddrPortFrom(loopback(to.Addr()), to.Port())
	}
	if to.Addr() == broadcast() || to.Addr().IsMulticast() {
		return nil, syscall.ENETUNREACH
	}
	w, err := h.route(to.Addr())
	switch {
	case err != nil:
		return nil, err
	case w.lost:
		return nil, h.lose(ctx)
	case w.peer == nil:
		return h.dialTrunk(ctx, w, to)
	}
	return h.connect(ctx, w.peer, w.from, to)
}

func loopback(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// connect makes a connection to a host of the same switch.
func (h *Host) connect(ctx context.Context, peer *Host, src netip.Addr, to netip.AddrPort) (userland.Conn, error) {
	l := peer.listening(to)
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	near, far := pair(h, peer, to)
	if err := h.begin(near, src, func(local netip.AddrPort) { near.local, far.remote = local, local }); err != nil {
		return nil, err
	}
	if err := l.offer(ctx, far, h.block); err != nil {
		near.Close()
		return nil, err
	}
	return near, nil
}

// begin enters a connection that comes from src and binds it to a port of its own.
func (h *Host) begin(c link, src netip.Addr, bind func(local netip.AddrPort)) error {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	port := h.ephemeral()
	if port == 0 {
		return syscall.EADDRNOTAVAIL
	}
	bind(netip.AddrPortFrom(src, port))
	return h.add(c)
}

// enter notes a connection that has come to one of the host's addresses.
func (h *Host) enter(c link) error {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	return h.add(c)
}

// add makes a connection the host's, whose address may have gone since it was found. The caller holds sw.mu.
func (h *Host) add(c link) error {
	switch {
	case h.gone():
		return net.ErrClosed
	case h.sw.machine != h && !h.has(c.endpoint().Addr()):
		return syscall.ENETUNREACH
	}
	h.conns[c] = struct{}{}
	return nil
}

// forget takes out a connection that was closed.
func (h *Host) forget(c link) {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	delete(h.conns, c)
}

// over lists the connections over one of the host's addresses. The caller holds sw.mu.
func (h *Host) over(addr netip.Addr) []link {
	var found []link
	for c := range h.conns {
		if c.endpoint().Addr() == addr {
			found = append(found, c)
		}
	}
	return found
}
