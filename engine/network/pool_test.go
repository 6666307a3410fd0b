package network

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func prefixes(words ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, w := range words {
		list = append(list, netip.MustParsePrefix(w))
	}
	return list
}

func TestFreeSubnet(t *testing.T) {
	for _, c := range []struct {
		taken []netip.Prefix
		want  string
	}{
		{nil, "172.17.0.0/16"},
		{prefixes("172.17.0.0/16"), "172.18.0.0/16"},
		{prefixes("172.17.5.0/24", "172.18.0.0/15"), "172.20.0.0/16"},
		{prefixes("172.16.0.0/12"), "192.168.0.0/20"},
		{prefixes("172.16.0.0/12", "192.168.1.0/24"), "192.168.16.0/20"},
		{prefixes("172.16.0.0/12", "192.168.0.0/17"), "192.168.128.0/20"},
	} {
		if got, err := FreeSubnet(Pools(), c.taken); err != nil || got.String() != c.want {
			t.Errorf("besides %v: %s, %v; want %s", c.taken, got, err, c.want)
		}
	}
	if _, err := FreeSubnet(Pools(), prefixes("0.0.0.0/0")); err == nil || !strings.Contains(err.Error(), "fully subnetted") {
		t.Errorf("with everything taken: %v", err)
	}
}

// Subnets that are chosen one after the other never overlap, and there are as many as docker has: 15 and 16.
func TestSubnetsDontOverlap(t *testing.T) {
	var taken []netip.Prefix
	for {
		s, err := FreeSubnet(Pools(), taken)
		if err != nil {
			break
		}
		if other, clash := Overlap(s, taken); clash {
			t.Fatalf("%s overlaps with %s", s, other)
		}
		taken = append(taken, s)
	}
	if len(taken) != 31 {
		t.Errorf("%d subnets", len(taken))
	}
	s, err := FreeSubnet(Pools6(netip.MustParsePrefix("fd12:3456:789a::/48")), prefixes("fd12:3456:789a::/64"))
	if err != nil || s.String() != "fd12:3456:789a:1::/64" {
		t.Errorf("IPv6: %s, %v", s, err)
	}
}

func TestSubnetCheck(t *testing.T) {
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	for want, s := range map[string]Subnet{
		"":                             {Prefix: p("10.1.0.0/24"), Range: p("10.1.0.128/25"), Gateway: a("10.1.0.5"), Aux: map[string]netip.Addr{"x": a("10.1.0.7")}},
		"it should be 10.1.0.0/24":     {Prefix: p("10.1.0.3/24")},
		"has no room":                  {Prefix: p("10.1.0.2/31")},
		"doesn't contain ip-range":     {Prefix: p("10.1.0.0/24"), Range: p("10.1.1.0/25")},
		"contain ip-range":             {Prefix: p("10.1.0.0/24"), Range: p("10.1.0.0/16")},
		"invalid gateway 10.2.0.1":     {Prefix: p("10.1.0.0/24"), Gateway: a("10.2.0.1")},
		"invalid auxiliary address 1.": {Prefix: p("10.1.0.0/24"), Aux: map[string]netip.Addr{"x": a("1.1.1.1")}},
	} {
		if err := s.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", s, err, want)
		}
	}
}

// Addresses that are given one after the other are all different, lie in the range, and none is the network's own; when they are used up,
// that is said, and as many were given as there are.
func TestFreeAddr(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(24, 30).Draw(t, "bits")
		s := Subnet{Prefix: netip.PrefixFrom(netip.MustParseAddr("10.1.0.0"), bits)}
		if rapid.Bool().Draw(t, "range") {
			s.Range = netip.PrefixFrom(s.Prefix.Addr(), rapid.IntRange(bits, 30).Draw(t, "range bits"))
		}
		if rapid.Bool().Draw(t, "aux") {
			s.Aux = map[string]netip.Addr{"printer": netip.MustParseAddr("10.1.0.2")}
		}
		given := map[netip.Addr]bool{}
		for {
			a, err := s.FreeAddr(func(a netip.Addr) bool { return given[a] })
			if err != nil {
				break
			}
			if given[a] || s.CheckAddr(a) != nil || s.Range.IsValid() && !s.Range.Contains(a) {
				t.Fatalf("%s was given, %v", a, s)
			}
			given[a] = true
		}
		from := s.Prefix
		if s.Range.IsValid() {
			from = s.Range
		}
		n := 0
		for a := from.Addr(); from.Contains(a); a = a.Next() {
			if s.CheckAddr(a) == nil {
				n++
			}
		}
		if n != len(given) {
			t.Fatalf("%d were given of %d", len(given), n)
		}
	})
}

func TestFreeAddrOrder(t *testing.T) {
	s := Subnet{Prefix: netip.MustParsePrefix("172.17.0.0/16")}
	if a, err := s.FreeAddr(func(netip.Addr) bool { return false }); err != nil || a.String() != "172.17.0.2" {
		t.Errorf("first %s, %v", a, err)
	}
	if got := MAC(netip.MustParseAddr("172.17.0.2")); got != "02:42:ac:11:00:02" {
		t.Errorf("MAC %s", got)
	}
	if err := s.CheckAddr(s.GatewayAddr()); err == nil || !strings.Contains(err.Error(), "gateway") {
		t.Errorf("the gateway's address: %v", err)
	}
}
