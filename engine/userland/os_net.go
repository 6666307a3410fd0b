package userland

import (
	"context"
	"net"
)

// osDialer is the network of the operating system.
type osDialer struct{}

type tcpListener struct{ *net.TCPListener }

func (l tcpListener) Accept() (Conn, error) { return l.TCPListener.AcceptTCP() }
func (l tcpListener) Addr() string          { return l.TCPListener.Addr().String() }

func (osDialer) Dial(ctx context.Context, address string) (Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
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
	addresses, err := r.LookupHost(ctx, name)
	return addresses, server, err
}
