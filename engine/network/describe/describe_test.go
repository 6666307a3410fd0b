package describe

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/names"
	"github.com/learn-containers/learn/trace/vocab"
)

func example() network.Plan {
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	return network.Plan{
		Container: "c1",
		Bridges:   []network.Bridge{{Network: "n1", Name: "br-n1", Addresses: []netip.Prefix{p("172.18.0.1/16")}}, {Network: "n2", Name: "br-n2", Internal: true}},
		Endpoints: []network.Endpoint{
			{ID: "e1", Network: "n1", Bridge: "br-n1", HostEnd: "vethe1", Interface: "eth0", Addresses: []netip.Prefix{p("172.18.0.2/16")}, Gateways: []netip.Addr{a("172.18.0.1")}},
			{ID: "e2", Network: "n2", Bridge: "br-n2", HostEnd: "vethe2", Interface: "eth1", Addresses: []netip.Prefix{p("172.19.0.2/16")}}},
		Ports:    []network.Published{{Protocol: "tcp", HostIP: a("::"), HostPort: 8080, HostLast: 8080, To: netip.MustParseAddrPort("172.18.0.2:80")}},
		Resolver: &network.Resolver{Zones: []network.Zone{{Network: "n1", Name: "web"}, {Network: "n2", Name: "db"}}},
	}
}

func lines(facts []Fact) []string {
	var all []string
	for _, f := range facts {
		words := []string{f.Kind}
		for _, a := range f.Attrs {
			words = append(words, a.Value.String())
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

func TestOrder(t *testing.T) {
	first := func(b network.Bridge) bool { return b.Network == "n1" }
	got := lines(Connected(example(), first, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53"), netip.MustParseAddrPort("10.0.0.2:5353")}))
	want := []string{
		"net.bridge n1 br-n1", "net.address  n1 br-n1 172.18.0.1/16",
		"net.cable c1 n1 eth0 vethe1", "net.address c1 n1 eth0 172.18.0.2/16", "net.route c1 n1 eth0 172.18.0.1",
		"net.cable c1 n2 eth1 vethe2", "net.address c1 n2 eth1 172.19.0.2/16",
		"net.publish c1 tcp [::]:8080 172.18.0.2:80", "net.resolver c1 127.0.0.11 web db 10.0.0.1 10.0.0.2:5353",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connected (-want +got)\n%s", diff)
	}
	want = []string{"net.unplug c1 n1 eth0", "net.unplug c1 n2 eth1", "net.bridge.remove n1 br-n1"}
	if diff := cmp.Diff(want, lines(Disconnected(example(), first))); diff != "" {
		t.Errorf("disconnected (-want +got)\n%s", diff)
	}
}

// Every fact has exactly the attributes that its kind declares, in order.
func TestDeclared(t *testing.T) {
	all := func(network.Bridge) bool { return true }
	facts := slices.Concat(Connected(example(), all, nil), Disconnected(example(), all), []Fact{Lookup("c1", names.Event{Name: "db", Type: "A", Code: "NOERROR"}),
		Refused("c1", example().Ports[0], &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})})
	seen := map[string]bool{}
	for _, f := range facts {
		seen[f.Kind] = true
		i := slices.IndexFunc(vocab.Kinds, func(k vocab.Kind) bool { return k.Name == f.Kind })
		if i < 0 {
			t.Fatalf("%s is not declared", f.Kind)
		}
		var got, want []string
		for _, a := range f.Attrs {
			got = append(got, a.Key)
		}
		for _, a := range vocab.Kinds[i].Attrs {
			want = append(want, a.Key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", f.Kind, diff)
		}
	}
	if len(seen) != 10 {
		t.Errorf("kinds %v", seen)
	}
	if last := facts[len(facts)-1].Attrs; last[len(last)-1].Value.String() != "connection refused" {
		t.Errorf("refused: %v", last)
	}
}

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"no route to host": &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH},
		"i/o timeout":      &net.OpError{Op: "dial", Err: errors.New("i/o timeout")},
		"strange":          errors.New("strange"),
	} {
		if got := reason(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
