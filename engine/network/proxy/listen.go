package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
)

// ConflictError reports a port that is taken.
type ConflictError struct {
	Port network.Published
	// Pid and Process tell who holds it, the first one of a range; 0 and empty if that isn't known.
	Pid     int
	Process string
	Err     error
}

// Error implements error.
func (e *ConflictError) Error() string {
	s := "bind host port " + hostSide(e.Port) + ": address already in use"
	if e.Port.HostLast > e.Port.HostPort {
		s = "bind host port " + hostSide(e.Port) + ": all of these ports are in use"
	}
	if e.Pid != 0 {
		s += fmt.Sprintf(" (%d by process %d, %q)", e.Port.HostPort, e.Pid, e.Process)
	}
	return s
}

// Unwrap gives what the system says.
func (e *ConflictError) Unwrap() error { return e.Err }

// hostSide writes where a port is on the host: 0.0.0.0:8080/tcp.
func hostSide(p network.Published) string {
	port := strconv.Itoa(int(p.HostPort))
	if p.HostLast > p.HostPort {
		port += "-" + strconv.Itoa(int(p.HostLast))
	}
	return net.JoinHostPort(p.HostIP.String(), port) + "/" + string(p.Protocol)
}

// listener is one port of the host, for one of the two protocols.
type listener struct {
	port network.Published
	tcp  *net.TCPListener
	udp  packets
}

func (l listener) close() {
	if l.tcp != nil {
		_ = l.tcp.Close()
	} else {
		_ = l.udp.Close()
	}
}

func closeAll(listeners []listener) {
	for _, l := range listeners {
		l.close()
	}
}

// listenAll opens all ports, or none.
func listenAll(ctx context.Context, ports []network.Published) ([]listener, error) {
	var open []listener
	for len(ports) > 0 {
		n := together(ports)
		more, err := listenTogether(ctx, ports[:n])
		if err != nil {
			closeAll(open)
			return nil, err
		}
		open, ports = append(open, more...), ports[n:]
	}
	return open, nil
}

// together is how many of the first ports are the same one on several addresses, as 0.0.0.0 and ::, which get the same number.
func together(ports []network.Published) int {
	seen := map[netip.Addr]bool{}
	for i, p := range ports {
		f := ports[0]
		if p.Protocol != f.Protocol || p.HostPort != f.HostPort || p.HostLast != f.HostLast || p.To.Port() != f.To.Port() || seen[p.HostIP] {
			return i
		}
		seen[p.HostIP] = true
	}
	return len(ports)
}

// maxDraws is how often the system is asked for a free port, which then may be taken on another address.
const maxDraws = 32

// listenTogether opens one port of the host on several addresses: the first that is free on all of them.
func listenTogether(ctx context.Context, ports []network.Published) ([]listener, error) {
	first, last := int(ports[0].HostPort), max(int(ports[0].HostPort), int(ports[0].HostLast))
	if first == 0 {
		last = maxDraws
	}
	var failed error
	for n := first; n <= last; n++ {
		number := n
		if first == 0 {
			number = 0
		}
		open, at, err := listenNumber(ctx, ports, uint16(number))
		if err == nil {
			return open, nil
		}
		if !inUse(err) {
			return nil, fmt.Errorf("bind host port %s: %w", hostSide(at), err)
		}
		if failed == nil {
			failed = conflict(at, err)
		}
	}
	return nil, failed
}

// listenNumber opens port number on each address; 0: the same free one. If it can't, it says for which one.
func listenNumber(ctx context.Context, ports []network.Published, number uint16) (open []listener, at network.Published, err error) {
	for _, p := range ports {
		l, err := listen(ctx, p, number)
		if err != nil {
			closeAll(open)
			return nil, p, err
		}
		open, number = append(open, l), l.port.HostPort
	}
	return open, at, nil
}

func listen(ctx context.Context, p network.Published, number uint16) (listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // what comes of it can't be spliced everywhere
	address, family := netip.AddrPortFrom(p.HostIP, number).String(), "4"
	if p.HostIP.Is6() {
		family = "6"
	}
	switch {
	case !p.HostIP.IsValid():
		return listener{}, errors.New("no address of the host is given")
	case p.Protocol == api.TCP:
		l, err := lc.Listen(ctx, "tcp"+family, address)
		if err != nil {
			return listener{}, err
		}
		tcp := l.(*net.TCPListener)
		return listener{port: got(p, tcp.Addr()), tcp: tcp}, nil
	case p.Protocol == api.UDP:
		c, err := lc.ListenPacket(ctx, "udp"+family, address)
		if err != nil {
			return listener{}, err
		}
		udp, err := newPackets(c.(*net.UDPConn), p.HostIP)
		return listener{port: got(p, c.LocalAddr()), udp: udp}, err
	}
	return listener{}, fmt.Errorf("protocol %s can't be published in userspace: only tcp and udp can", p.Protocol)
}

func got(p network.Published, at net.Addr) network.Published {
	p.HostPort = addrPort(at).Port()
	p.HostLast = p.HostPort
	return p
}

func addrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return unmap(a.AddrPort())
	}
	return netip.AddrPort{}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func inUse(err error) bool {
	const windows = syscall.Errno(10048) // WSAEADDRINUSE, no error number elsewhere
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windows)
}

func conflict(p network.Published, err error) error {
	pid, name := holder(p)
	return &ConflictError{Port: p, Pid: pid, Process: name, Err: err}
}
