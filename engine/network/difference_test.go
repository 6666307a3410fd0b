package network

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// example is a container on two networks, with a port.
func example() Plan {
	return Plan{
		Container: "c1",
		Bridges:   []Bridge{{Network: "n1", Name: "br-n1"}, {Network: "n2", Name: "br-n2", Internal: true}},
		Endpoints: []Endpoint{
			{ID: "e1", Network: "n1", Bridge: "br-n1", HostEnd: "vethe1", Interface: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("172.18.0.2/16")}},
			{ID: "e2", Network: "n2", Bridge: "br-n2", HostEnd: "vethe2", Interface: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("172.19.0.2/16")}},
		},
		Ports:    []Published{{Protocol: "tcp", HostIP: netip.IPv4Unspecified(), HostPort: 8080, To: netip.MustParseAddrPort("172.18.0.2:80")}},
		Resolver: &Resolver{Zones: []Zone{{Network: "n1", Name: "web"}, {Network: "n2", Name: "db"}}},
	}
}

func TestDifference(t *testing.T) {
	whole := example()
	without := example()
	without.Endpoints, without.Bridges = without.Endpoints[:1], without.Bridges[:1]
	without.Resolver = &Resolver{Zones: without.Resolver.Zones[:1]}
	more, less := Difference(without, whole)
	want := Plan{Container: "c1", Bridges: whole.Bridges[1:], Endpoints: whole.Endpoints[1:], Resolver: whole.Resolver}
	if diff := cmp.Diff(want, more, compareAddresses()); diff != "" {
		t.Errorf("more (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(Plan{Container: "c1"}, less, compareAddresses()); diff != "" {
		t.Errorf("less (-want +got)\n%s", diff)
	}
	more, less = Difference(whole, without)
	if diff := cmp.Diff(Plan{Container: "c1", Bridges: whole.Bridges[1:], Endpoints: whole.Endpoints[1:]}, less, compareAddresses()); diff != "" {
		t.Errorf("less (-want +got)\n%s", diff)
	}
	if len(more.Endpoints)+len(more.Ports) > 0 || more.Resolver == nil {
		t.Errorf("more %+v", more)
	}
}

func compareAddresses() cmp.Option {
	return cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{}), cmpopts.EquateEmpty()}
}

func TestMeets(t *testing.T) {
	port := func(first, last uint16) Published {
		return Published{Protocol: "tcp", HostIP: netip.IPv4Unspecified(), HostPort: first, HostLast: last, To: netip.MustParseAddrPort("172.18.0.2:80")}
	}
	for _, c := range []struct {
		wish, taken Published
		want        bool
	}{
		{port(0, 0), port(49153, 49153), true}, {port(8080, 0), port(8080, 8080), true}, {port(8080, 8090), port(8085, 8085), true}, {port(8080, 8084), port(8085, 8085), false},
		{port(8080, 8080), port(8081, 8081), false},
	} {
		if got := Meets(c.wish, c.taken); got != c.want {
			t.Errorf("%d-%d and %d: %t", c.wish.HostPort, c.wish.HostLast, c.taken.HostPort, got)
		}
	}
}
