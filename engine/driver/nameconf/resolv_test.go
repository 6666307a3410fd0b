package nameconf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/network"
)

func addresses(words ...string) (all []netip.Addr) {
	for _, w := range words {
		all = append(all, netip.MustParseAddr(w))
	}
	return all
}

func TestResolvConf(t *testing.T) {
	host := ParseResolv("# made by somebody\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nnameserver 10.0.0.1\nnameserver none\nsearch one\nsearch two three\noptions edns0\n")
	for _, c := range []struct {
		name string
		plan network.Plan
		want string
	}{
		{"the host's, but those of its loopback", network.Plan{}, "nameserver 10.0.0.1\nsearch two three\noptions edns0\n"},
		{"own servers", network.Plan{Resolv: network.Resolv{Servers: addresses("9.9.9.9", "fd00::1"), Search: []string{"four"}, Options: []string{"rotate"}}},
			"nameserver 9.9.9.9\nnameserver fd00::1\nsearch four\noptions rotate\n"},
		{"no search", network.Plan{Resolv: network.Resolv{Search: []string{"."}}}, "nameserver 10.0.0.1\noptions edns0\n"},
		{"a resolver", network.Plan{Resolver: &network.Resolver{}}, "nameserver 127.0.0.11\nsearch two three\noptions edns0 ndots:0\n"},
		{"a resolver, dots said", network.Plan{Resolver: &network.Resolver{}, Resolv: network.Resolv{Options: []string{"ndots:2"}}}, "nameserver 127.0.0.11\nsearch two three\noptions ndots:2\n"},
	} {
		if got := ResolvConf(&c.plan, host); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestConnectedFiles(t *testing.T) {
	plan := network.Plan{Endpoints: []network.Endpoint{{Addresses: []netip.Prefix{netip.MustParsePrefix("172.18.0.2/16"), netip.MustParsePrefix("fd00::2/64")}}}}
	files := ConnectedFiles("box", &plan, network.Resolv{})
	hosts := files[0].Content
	if !strings.HasSuffix(hosts, "172.18.0.2\tbox\nfd00::2\tbox\n") || strings.Contains(hosts, "127.0.0.1\tbox") || !strings.HasPrefix(hosts, "127.0.0.1\tlocalhost\n") {
		t.Errorf("hosts: %q", hosts)
	}
}

func FuzzParseResolv(f *testing.F) {
	f.Add("nameserver 10.0.0.1\nsearch a b\noptions ndots:1")
	f.Fuzz(func(t *testing.T, text string) {
		r := ParseResolv(text)
		again := ParseResolv(ResolvConf(&network.Plan{Resolv: r}, network.Resolv{}))
		if len(again.Servers) != len(r.Servers) || len(again.Options) != len(r.Options) {
			t.Errorf("%q: %v, then %v", text, r, again)
		}
	})
}
