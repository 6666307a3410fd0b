//go:build linux

package rootnet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"testing"
)

func TestCableNames(t *testing.T) {
	for name, want := range map[string]bool{"0242ac110002": true, "0242AC110002": false, "0242ac11000": false, "0242ac1100020": false, "..": false, "": false, "zz42ac110002": false} {
		if isCable(name) != want {
			t.Errorf("isCable(%q) = %v", name, !want)
		}
	}
	for _, bad := range []string{"", "02:42", "02:42:ac:11:00:02:00:00", "x"} {
		if _, err := parseMAC(bad); err == nil {
			t.Errorf("%q is a MAC address", bad)
		}
	}
	if m := (mac{0x01, 0x80, 0xc2, 0, 0, 0x0e}); !m.reserved() || !m.group() {
		t.Error("a neighbour discovery frame (LLDP) is passed on")
	}
}

// frame makes a datagram of hex digits, without its header.
func frame(digits string) datagram {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return append(make(datagram, headLen), b...)
}

// What a container of network 1 sends to its gateway: who has it, echo requests, and the beginning of a TCP connection.
const (
	askWho4 = "ffffffffffff02420a4d0102" + "0806" + "0001080006040001" + "02420a4d0102" + "0a4d0102" + "000000000000" + "0a4d0101"
	askEcho = "026cc6d9693202420a4d0102" + "0800" + "4500001c000000004001000" + "00a4d01020a4d0101" + "0800f7fd00010001"
	askTCP  = "026cc6d9693202420a4d0102" + "0800" + "45000028000000004006000" + "00a4d0102c0000202" + "c0000050000000010000000050020400" + "00000000"
	askWho6 = "3333ff00000102420a4d0102" + "86dd" + "6000000000203aff" + "fd770001000000000000000000000002" + "ff0200000000000000000001ff000001" + "8700000000000000" + "fd770001000000000000000000000001" + "010102420a4d0102"
	ask6    = "026cc6d9693202420a4d0102" + "86dd" + "6000000000083a40" + "fd770001000000000000000000000002" + "fd770001000000000000000000000001" + "8000000000010001"
)

func TestGatewayReplies(t *testing.T) {
	g := gatewayOf(bridge(1))
	for name, c := range map[string]struct {
		ask   string
		taken bool
		reply string // what its payload holds
	}{
		"neighbour":             {askWho4, true, "0001080006040002026cc6d969320a4d010102420a4d01020a4d0102"},
		"another's neighbour":   {askWho4[:len(askWho4)-2] + "03", false, ""},
		"echo":                  {askEcho, true, "0000fffd00010001"},
		"TCP":                   {askTCP, true, "030d"},
		"neighbour, IPv6":       {askWho6, true, "0201026cc6d96932"},
		"echo, IPv6":            {ask6, true, "8100"},
		"no packet":             {"026cc6d9693202420a4d0102" + "0800" + "45", true, ""},
		"length beyond the end": {"026cc6d9693202420a4d0102" + "0800" + "4500ffff000000004001000" + "00a4d01020a4d0101" + "0800f7fd00010001", true, ""},
		"for another":           {"02420a4d010302420a4d0102" + "0800" + "4500001c000000004001000" + "00a4d01020a4d0103" + "0800f7fd00010001", false, ""},
	} {
		reply, taken := g.answer(frame(c.ask))
		want, _ := hex.DecodeString(c.reply)
		if taken != c.taken || (reply == nil) != (c.reply == "") || !bytes.Contains(reply, want) {
			t.Errorf("%s: %x, %v", name, []byte(reply), taken)
		}
		if reply != nil && (reply.from() != g.mac || reply.to() != mac{0x02, 0x42, 0x0a, 0x4d, 0x01, 0x02}) {
			t.Errorf("%s: the reply goes from %s to %s", name, reply.from(), reply.to())
		}
	}
}

func TestGatewayIsSilent(t *testing.T) {
	g := gatewayOf(bridge(1))
	refusal, _ := g.answer(frame(askTCP))
	back := append(datagram(nil), refusal...)
	copy(back[headLen:], g.mac[:])
	copy(back[headLen+6:], refusal.to().bytes())
	if reply, taken := g.answer(back); reply != nil || !taken {
		t.Errorf("an error is answered by an error: %x", []byte(reply))
	}
	none := gatewayOf(bridge(1))
	none.addrs = nil
	if reply, taken := none.answer(frame(askEcho)); reply != nil || taken {
		t.Error("a network without a gateway answers")
	}
}

func (m mac) bytes() []byte { return m[:] }

func FuzzGateway(f *testing.F) {
	for _, s := range []string{askWho4, askEcho, askTCP, askWho6, ask6} {
		f.Add([]byte(frame(s)))
	}
	g := gatewayOf(bridge(1))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := datagram(b)
		if !d.valid() {
			return
		}
		before := bytes.Clone(b)
		reply, taken := g.answer(d)
		if !bytes.Equal(before, b) {
			t.Fatal("the frame was changed")
		}
		if reply == nil {
			return
		}
		if !taken || !reply.valid() || len(reply) > len(d)+headICMP+head6+etherLen {
			t.Fatalf("a reply of %d bytes to one of %d, taken %v", len(reply), len(d), taken)
		}
		checkReply(t, g, d, reply)
	})
}

// checkReply: the receiver finds it well formed, and from the gateway.
func checkReply(t *testing.T, g gateway, d, reply datagram) {
	if reply.from() != g.mac || reply.to() != d.from() {
		t.Fatalf("the reply goes from %s to %s", reply.from(), reply.to())
	}
	switch reply.kind() {
	case typeIPv4:
		p, ok := parse4(reply.payload())
		if !ok || sum(0, p.head) != 0 || sum(0, p.body) != 0 || !g.has(p.from) {
			t.Fatalf("malformed: %x", []byte(reply))
		}
	case typeIPv6:
		p, ok := parse6(reply.payload())
		if !ok || sum(pseudo6(p.from, p.to, len(p.body), protocolICMPv6), p.body) != 0 || !g.has(p.from) {
			t.Fatalf("malformed: %x", []byte(reply))
		}
	case typeARP:
		if a := netip.AddrFrom4([4]byte(reply.payload()[14:])); !g.has(a) || binary.BigEndian.Uint16(reply.payload()[6:]) != 2 {
			t.Fatalf("malformed: %x", []byte(reply))
		}
	}
}
