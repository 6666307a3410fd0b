package lan

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/learn-containers/learn/engine/userland"
)

// backlog is how many connections wait for Accept before the next caller has to wait.
const backlog = 128

// listener is a port that a host listens on.
type listener struct {
	host   *Host
	addr   netip.AddrPort // unspecified: every address
	both   bool           // of both families
	queue  chan link
	places chan struct{} // as many as connections are in the queue or on their way to it

	mu     sync.Mutex // keeps closing and putting in the queue apart
	once   sync.Once
	closed chan struct{}
}

// Listen takes a port: on every address of the host, present and future, when address names no host, or that of one address.
// Port 0 takes one that is free. The errors are those of package net: *net.OpError around EADDRINUSE or EADDRNOTAVAIL.
func (h *Host) Listen(ctx context.Context, address string) (userland.Listener, error) {
	addr, both, err := h.own(ctx, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	l := &listener{host: h, both: both, queue: make(chan link, backlog), places: make(chan struct{}, backlog),
		closed: make(chan struct{})}
	if errno := h.bind(l, addr); errno != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: net.TCPAddrFromAddrPort(addr), Err: errno}
	}
	return l, nil
}

// own is the address that Listen is asked for; both is set when it stands for all of them, of either family.
func (h *Host) own(ctx context.Context, address string) (addr netip.AddrPort, both bool, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return addr, false, err
	}
	if host == "" {
		host = "::"
	}
	targets, err := h.targets(ctx, net.JoinHostPort(host, service))
	if err != nil {
		return addr, false, err
	}
	addr = targets[0]
	for _, t := range targets { // as package net does, a name means its version 4 address if it has one
		if t.Addr().Is4() {
			addr = t
			break
		}
	}
	return addr, addr.Addr() == netip.IPv6Unspecified(), nil
}

// bind gives l its port.
func (h *Host) bind(l *listener, addr netip.AddrPort) error {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	if h.gone() {
		return net.ErrClosed
	}
	if !h.has(addr.Addr()) {
		return os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}
	l.addr = addr
	if addr.Port() == 0 {
		l.addr = netip.AddrPortFrom(addr.Addr(), h.ephemeral())
	}
	if l.addr.Port() == 0 {
		return os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	for _, other := range h.listeners {
		if l.overlaps(other) {
			return os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
	}
	h.listeners = append(h.listeners, l)
	return nil
}

// has reports whether an address is the host's own. The caller holds sw.mu.
func (h *Host) has(a netip.Addr) bool {
	if a.IsUnspecified() || a.Is4() && a.IsLoopback() || a == netip.IPv6Loopback() {
		return true
	}
	if h.sw.machine == h {
		return slices.ContainsFunc(h.sw.gateways(), func(g netip.Addr) bool { return g == a })
	}
	p, ok := h.sw.plugs[a]
	return ok && p.host == h
}

// covers reports whether connections to a come to l.
func (l *listener) covers(a netip.Addr) bool {
	return l.both || l.addr.Addr() == a || l.addr.Addr().IsUnspecified() && l.addr.Addr().Is4() == a.Is4()
}

func (l *listener) overlaps(o *listener) bool {
	return l.addr.Port() == o.addr.Port() && (l.covers(o.addr.Addr()) || o.covers(l.addr.Addr()))
}

// listening finds the listener that a connection to addr comes to, nil if there is none.
func (h *Host) listening(to netip.AddrPort) *listener {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	for _, l := range h.listeners {
		if l.addr.Port() == to.Port() && l.covers(to.Addr()) {
			return l
		}
	}
	return nil
}

// offer puts a connection that has come in where Accept finds it, waiting for room until ctx ends. The connection is the
// listener's from then on; after an error it is nobody's.
func (l *listener) offer(ctx context.Context, c link, block func(func())) error {
	if err := l.room(ctx, block); err != nil {
		return err
	}
	return l.put(c)
}

// put queues a connection that has a place. After an error it is nobody's.
func (l *listener) put(c link) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return syscall.ECONNREFUSED
	default:
	}
	if err := l.host.enter(c); err != nil {
		<-l.places
		return syscall.ECONNREFUSED
	}
	l.queue <- c // never waits: it has a place
	return nil
}

// room takes a place in the queue.
func (l *listener) room(ctx context.Context, block func(func())) (err error) {
	select {
	case l.places <- struct{}{}:
		return nil
	default:
	}
	block(func() {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			err = syscall.ECONNREFUSED
		case <-ctx.Done():
			err = ctx.Err()
		}
	})
	return err
}

// Accept waits for the next connection. After Close the error is net.ErrClosed.
func (l *listener) Accept() (userland.Conn, error) {
	c, err := l.next()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: net.TCPAddrFromAddrPort(l.addr), Err: err}
	}
	<-l.places
	return c, nil
}

func (l *listener) next() (c link, err error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	case c = <-l.queue:
		return c, nil
	default:
	}
	l.host.block(func() {
		select {
		case c = <-l.queue:
		case <-l.closed:
			err = net.ErrClosed
		}
	})
	return c, err
}

// Addr is where the listener listens: "[::]:80" for every address.
func (l *listener) Addr() string { return l.addr.String() }

// Close frees the port, wakes Accept and resets the connections that nobody has accepted.
func (l *listener) Close() error {
	var err error = &net.OpError{Op: "close", Net: "tcp", Addr: net.TCPAddrFromAddrPort(l.addr), Err: net.ErrClosed}
	l.once.Do(func() {
		err = nil
		l.host.sw.mu.Lock()
		l.host.listeners = without(l.host.listeners, l)
		l.host.sw.mu.Unlock()
		l.mu.Lock()
		close(l.closed)
		l.mu.Unlock()
		l.drain()
	})
	return err
}

func (l *listener) drain() {
	for {
		select {
		case c := <-l.queue:
			c.abort()
			c.Close()
		default:
			return
		}
	}
}

// Socket is a listener, or one end of a connection; Remote is not valid of a listener.
type Socket struct{ Local, Remote netip.AddrPort }

// Sockets lists what the host has open, in the order of its addresses.
func (h *Host) Sockets() []Socket {
	h.sw.mu.Lock()
	defer h.sw.mu.Unlock()
	var all []Socket
	for _, l := range h.listeners {
		all = append(all, Socket{Local: l.addr})
	}
	for c := range h.conns {
		s := Socket{Local: c.endpoint()}
		if a, ok := c.(interface{ RemoteAddr() net.Addr }).RemoteAddr().(*net.TCPAddr); ok {
			s.Remote = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Socket) int { return cmp.Or(a.Local.Compare(b.Local), a.Remote.Compare(b.Remote)) })
	return all
}
