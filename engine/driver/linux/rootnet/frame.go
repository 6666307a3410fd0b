//go:build linux

package rootnet

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
)

// mac is a hardware address (IEEE 802).
type mac [6]byte

func parseMAC(s string) (mac, error) {
	a, err := net.ParseMAC(s)
	if err != nil || len(a) != len(mac{}) {
		return mac{}, fmt.Errorf("%q is no MAC address of 6 bytes", s)
	}
	return mac(a), nil
}

// group: it stands for many.
func (m mac) group() bool { return m[0]&1 != 0 }

// reserved: frames to it end at the next switch (IEEE 802.1D, table 7-10).
func (m mac) reserved() bool { return [5]byte(m[:5]) == [5]byte{0x01, 0x80, 0xc2} && m[5] < 0x10 }

// name is that of its cable.
func (m mac) name() string { return hex.EncodeToString(m[:]) }

// isCable reports whether a file's name is that of a cable.
func isCable(name string) bool {
	b, err := hex.DecodeString(name)
	return err == nil && len(b) == len(mac{}) && hex.EncodeToString(b) == name
}

// What a cable carries, in bytes.
const (
	headLen     = 10 // struct virtio_net_hdr
	etherLen    = 14
	maxDatagram = headLen + etherLen + 1<<16
)

// Types of an Ethernet frame (IEEE 802 numbers).
const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd
)

// datagram is what a cable carries: a header and a frame. One that is valid has at least an Ethernet header.
type datagram []byte

func (d datagram) valid() bool     { return len(d) >= headLen+etherLen && len(d) < maxDatagram }
func (d datagram) to() mac         { return mac(d[headLen:]) }
func (d datagram) from() mac       { return mac(d[headLen+6:]) }
func (d datagram) kind() uint16    { return binary.BigEndian.Uint16(d[headLen+12:]) }
func (d datagram) payload() []byte { return d[headLen+etherLen:] }

// reply is a datagram back to whom d is from.
func (d datagram) reply(from mac, kind uint16, payload []byte) datagram {
	r := make(datagram, headLen, headLen+etherLen+len(payload))
	to := d.from()
	r = append(append(r, to[:]...), from[:]...)
	r = binary.BigEndian.AppendUint16(r, kind)
	return append(r, payload...)
}

// sum is the internet checksum (RFC 1071) of a pseudo header and a message.
func sum(start uint32, b []byte) uint16 {
	s := start
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// pseudo6 is the sum of IPv6's pseudo header (RFC 8200, 8.1).
func pseudo6(from, to netip.Addr, length int, next byte) uint32 {
	s := uint32(length) + uint32(next)
	for _, a := range [][16]byte{from.As16(), to.As16()} {
		for i := 0; i < len(a); i += 2 {
			s += uint32(binary.BigEndian.Uint16(a[i:]))
		}
	}
	return s
}
