package docker

import (
	"net/netip"
	"testing"

	ctypes "github.com/moby/moby/api/types/container"
	ntypes "github.com/moby/moby/api/types/network"
)

func TestPortColumn(t *testing.T) {
	any4, any6, own := netip.IPv4Unspecified(), netip.IPv6Unspecified(), netip.MustParseAddr("127.0.0.1")
	type place struct {
		ip   netip.Addr
		port uint16
	}
	at := func(ip netip.Addr, port uint16) place { return place{ip, port} }
	type ports = map[string][]place
	for want, given := range map[string]ports{
		"":                          nil,
		"80/tcp":                    {"80/tcp": nil},
		"53/tcp, 80-81/tcp, 53/udp": {"80/tcp": nil, "81/tcp": nil, "53/tcp": nil, "53/udp": nil},
		"0.0.0.0:8080->80/tcp, [::]:8080->80/tcp":    {"80/tcp": {at(any4, 8080), at(any6, 8080)}},
		"0.0.0.0:80->80/tcp, [::]:80->80/tcp":        {"80/tcp": {at(any6, 80), at(any4, 80)}},
		"127.0.0.1:8080->80/tcp":                     {"80/tcp": {at(own, 8080)}},
		"443/tcp, 0.0.0.0:8080->80/tcp":              {"443/tcp": nil, "80/tcp": {at(any4, 8080)}},
		"0.0.0.0:8000-8002->8000-8002/tcp":           {"8000/tcp": {at(any4, 8000)}, "8001/tcp": {at(any4, 8001)}, "8002/tcp": {at(any4, 8002)}},
		"0.0.0.0:70->70/tcp, 0.0.0.0:72->72/tcp":     {"70/tcp": {at(any4, 70)}, "72/tcp": {at(any4, 72)}},
		"0.0.0.0:9000->70/tcp, 0.0.0.0:9001->71/tcp": {"70/tcp": {at(any4, 9000)}, "71/tcp": {at(any4, 9001)}},
		"53/tcp, 0.0.0.0:53->53/udp":                 {"53/udp": {at(any4, 53)}, "53/tcp": nil},
		"0.0.0.0:81->80/tcp, 0.0.0.0:82->80/tcp":     {"80/tcp": {at(any4, 82), at(any4, 81)}},
	} {
		var all []ctypes.PortSummary
		for word, bindings := range given {
			p := ntypes.MustParsePort(word)
			if len(bindings) == 0 {
				all = append(all, ctypes.PortSummary{PrivatePort: p.Num(), Type: string(p.Proto())})
			}
			for _, b := range bindings {
				all = append(all, ctypes.PortSummary{IP: b.ip, PrivatePort: p.Num(), PublicPort: b.port, Type: string(p.Proto())})
			}
		}
		if got := portColumn(all); got != want {
			t.Errorf("%v: %q, want %q", given, got, want)
		}
	}
}
