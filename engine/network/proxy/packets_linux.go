package proxy

import (
	"net"
	"net/netip"
	"syscall"
	"unsafe"
)

// socket is a UDP socket that may have all addresses of the host. It answers from the one that the client sent to: by itself the kernel takes
// the one that is nearest to the client, which then doesn't know the answer for one.
type socket struct {
	*net.UDPConn
	any bool
	v6  bool
}

func newPackets(c *net.UDPConn, ip netip.Addr) (packets, error) {
	s := socket{c, ip.IsUnspecified(), ip.Is6()}
	if !s.any {
		return s, nil
	}
	level, option := syscall.IPPROTO_IP, syscall.IP_PKTINFO
	if s.v6 {
		level, option = syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO
	}
	raw, err := c.SyscallConn()
	if err == nil {
		controlled := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), level, option, 1) })
		if err == nil {
			err = controlled
		}
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return s, nil
}

// The control messages of ip(7) and ipv6(7) hold the interface and the address. Room for one of them, with its header.
const (
	header4 = syscall.SizeofInet4Pktinfo // interface, local address, address of the header
	header6 = syscall.SizeofInet6Pktinfo // address, interface
	maxOob  = 64
)

func (s socket) receive(buf []byte) (int, route, error) {
	var oob [maxOob]byte
	n, got, _, from, err := s.ReadMsgUDPAddrPort(buf, oob[:])
	return n, route{unmap(from), s.local(oob[:got])}, err
}

// local is the host's address that the datagram came to.
func (s socket) local(oob []byte) netip.Addr {
	data := syscall.CmsgLen(0)
	switch {
	case s.v6 && len(oob) >= data+header6:
		return netip.AddrFrom16([16]byte(oob[data : data+16]))
	case s.any && !s.v6 && len(oob) >= data+header4:
		return netip.AddrFrom4([4]byte(oob[data+4 : data+8]))
	}
	return netip.Addr{}
}

func (s socket) send(b []byte, to route) error {
	var oob []byte
	if to.local.IsValid() {
		oob = source(to.local)
	}
	_, _, err := s.WriteMsgUDPAddrPort(b, oob, to.client)
	return err
}

// source is the control message that has a datagram sent from a local address, by whatever interface.
func source(local netip.Addr) []byte {
	level, option, size, at := int32(syscall.IPPROTO_IP), int32(syscall.IP_PKTINFO), header4, 4
	if local.Is6() {
		level, option, size, at = syscall.IPPROTO_IPV6, syscall.IPV6_PKTINFO, header6, 0
	}
	oob := make([]byte, syscall.CmsgSpace(size))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = level, option
	h.SetLen(syscall.CmsgLen(size))
	copy(oob[syscall.CmsgLen(0)+at:], local.AsSlice())
	return oob
}
