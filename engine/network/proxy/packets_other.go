//go:build !linux

package proxy

import (
	"net"
	"net/netip"
)

// socket is a UDP socket, which answers from whatever address the system takes.
type socket struct{ *net.UDPConn }

func newPackets(c *net.UDPConn, _ netip.Addr) (packets, error) { return socket{c}, nil }

func (s socket) receive(buf []byte) (int, route, error) {
	n, from, err := s.ReadFromUDPAddrPort(buf)
	return n, route{client: unmap(from)}, err
}

func (s socket) send(b []byte, to route) error {
	_, err := s.WriteToUDPAddrPort(b, to.client)
	return err
}
