package userland

import (
	"cmp"
	"context"
	"net"
	"net/netip"
)

// osDialer is the network of the operating system.
type osDialer struct{}

type tcpListener struct{ *net.TCPListener }

func (l tcpListener) Accept() (Conn, error) { return l.TCPListener.AcceptTCP() }
func (l tcpListener) Addr() string          { return l.TCPListener.Addr().String() }

// Dial looks names up by itself, so that what a name server is asked comes in the same order each time.
func (o osDialer) Dial(ctx context.Context, address string) (Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	found := []string{host}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		if found, _, err = o.Lookup(ctx, host); err != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
	}
	var d net.Dialer
	var first error
	for _, a := range found {
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(a, port))
		if err == nil {
			return c.(*net.TCPConn), nil
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

func (osDialer) Listen(ctx context.Context, address string) (Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return tcpListener{l.(*net.TCPListener)}, nil
}

func (osDialer) Lookup(ctx context.Context, name string) ([]string, string, error) {
	var server string
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		server = address
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}}
	var addresses []string
	var failed error
	for _, family := range []string{"ip4", "ip6"} {
		found, err := r.LookupNetIP(ctx, family, name)
		for _, a := range found {
			addresses = append(addresses, a.Unmap().String())
		}
		failed = cmp.Or(failed, err)
	}
	if len(addresses) > 0 {
		failed = nil
	}
	return addresses, server, failed
}

// Interfaces lists those of the network namespace.
func (osDialer) Interfaces() ([]Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []Interface
	for _, l := range list {
		i := Interface{Index: l.Index, Name: l.Name, MAC: l.HardwareAddr.String(), MTU: l.MTU, Down: l.Flags&net.FlagUp == 0}
		if l.Flags&net.FlagLoopback != 0 {
			i.MAC = ""
		}
		addresses, err := l.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				i.Addresses = append(i.Addresses, p)
			}
		}
		all = append(all, i)
	}
	return all, nil
}
