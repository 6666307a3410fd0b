package lan

import (
	"errors"
	"io"
	"net"
	"net/netip"
)

// wrapConn makes of what went wrong the error that package net gives; the end of a stream stays bare.
func wrapConn(op string, local, remote netip.AddrPort, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: net.TCPAddrFromAddrPort(local), Addr: net.TCPAddrFromAddrPort(remote), Err: err}
}
