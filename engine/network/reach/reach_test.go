package reach

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/network"
)

const (
	front, back = "f000000000000000000000000000000000000000000000000000000000000000", "b000000000000000000000000000000000000000000000000000000000000000"
	standardNet = "d000000000000000000000000000000000000000000000000000000000000000"
)

func place(net, address string) network.Endpoint {
	return network.Endpoint{Network: net, Bridge: "br-" + net[:4], HostEnd: "veth" + net[:3], Interface: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(address)}}
}

func publish(host, to string) network.Published {
	h := netip.MustParseAddrPort(host)
	return network.Published{Protocol: "tcp", HostIP: h.Addr(), HostPort: h.Port(), To: netip.MustParseAddrPort(to)}
}

func listener(address string) Socket {
	a := netip.MustParseAddrPort(address)
	return Socket{Port{a.Port(), "tcp"}, a.Addr()}
}

// good are two containers between which everything is as it should be, one of them published.
func good() Facts {
	web := network.Plan{Endpoints: []network.Endpoint{place(front, "172.18.0.2/16")}, Ports: []network.Published{publish("0.0.0.0:8080", "172.18.0.2:80")},
		Resolver: &network.Resolver{Zones: []network.Zone{{Network: front}}}}
	shop := network.Plan{Endpoints: []network.Endpoint{place(front, "172.18.0.3/16")}, Resolver: &network.Resolver{Zones: []network.Zone{{Network: front}}}}
	return Facts{
		To: Party{ID: "w1", Name: "web", Running: true, Mode: "front", Plan: &web, Exposed: []Port{{80, "tcp"}}, Sockets: []Socket{listener("0.0.0.0:80"), listener("127.0.0.11:40000")}, Looked: true,
			Proc: "/proc/7", Wires: []Wire{{What: "bridge br-f000", Where: "ip link"}}},
		From:    &Party{ID: "s1", Name: "shop", Running: true, Mode: "front", Plan: &shop},
		Default: "bridge",
		Networks: []Network{
			{ID: front, Name: "front", Leases: []network.Lease{
				{Container: "w1", Name: "web", Names: []string{"web", "www"}, Addresses: web.Endpoints[0].Addresses}, {Container: "s1", Name: "shop", Names: []string{"shop"}, Addresses: shop.Endpoints[0].Addresses},
				{Container: "x1", Name: "other", Names: []string{"other", "cache"}, Addresses: []netip.Prefix{netip.MustParsePrefix("172.18.0.9/16")}}}},
			{ID: back, Name: "back"}, {ID: standardNet, Name: "bridge"},
		},
	}
}

func outside(change func(*Facts)) Facts {
	f := good()
	f.From = nil
	change(&f)
	return f
}

func neighbour(change func(*Facts)) Facts {
	f := good()
	change(&f)
	return f
}

// TestEveryMissingLink has a row for each: what is changed in a world where all is well, and what is said first of what is missing then.
func TestEveryMissingLink(t *testing.T) {
	for _, tt := range []struct {
		name  string
		facts Facts
		says  string // of the first link that is not ok
		mend  string // part of what to do
	}{
		{"nothing is missing from outside", outside(func(*Facts) {}), "", ""},
		{"nothing is missing between neighbours", neighbour(func(*Facts) {}), "", ""},
		{"nothing listens", outside(func(f *Facts) { f.To.Sockets = nil }), "nothing listens on port 80/tcp in the container: who connects is refused", "docker logs web"},
		{"the name server is no program", outside(func(f *Facts) { f.To.Sockets = []Socket{listener("127.0.0.11:80")} }), "nothing listens on port 80/tcp in the container: who connects is refused", "docker logs web"},
		{"listens on loopback", outside(func(f *Facts) { f.To.Sockets = []Socket{listener("127.0.0.1:80")} }),
			"the program listens on port 80/tcp, but at 127.0.0.1 only, its own loopback, where only what runs in the container reaches it", "at every address, 0.0.0.0, instead of 127.0.0.1"},
		{"listens on loopback of IPv6", outside(func(f *Facts) { f.To.Sockets = []Socket{listener("[::1]:80")} }),
			"the program listens on port 80/tcp, but at ::1 only, its own loopback, where only what runs in the container reaches it", "0.0.0.0"},
		{"listens at another address", outside(func(f *Facts) { f.To.Sockets = []Socket{listener("172.19.0.2:80")} }), "the program listens on port 80/tcp, but at 172.19.0.2 only", "at 172.18.0.2 or at every address"},
		{"listens on another port", outside(func(f *Facts) { f.To.Sockets = []Socket{listener("0.0.0.0:3000")} }), "nothing listens on port 80/tcp in the container: who connects is refused",
			"use the port that it listens on, 3000/tcp"},
		{"listens by another protocol", outside(func(f *Facts) {
			f.To.Sockets = []Socket{{Port{80, "udp"}, netip.IPv4Unspecified()}}
		}), "nothing listens on port 80/tcp in the container: who connects is refused", "-p 8080:80/udp"},
		{"every address of IPv6 is every address", outside(func(f *Facts) { f.To.Sockets = []Socket{listener("[::]:80")} }), "", ""},
		{"nobody could look", outside(func(f *Facts) { f.To.Looked = false }), "whether a program listens on port 80/tcp can't be seen here", ""},
		{"exposed, not published", outside(func(f *Facts) { f.To.Plan.Ports = nil }),
			"no port of this machine leads to it: it is exposed, and EXPOSE only notes which port the program uses", "-p 8080:80, or with -P"},
		{"neither", outside(func(f *Facts) { f.To.Plan.Ports, f.To.Exposed = nil, nil }), "no port of this machine leads to it: it is not published", "-p 8080:80"},
		{"another port is published", outside(func(f *Facts) { f.Port = Port{443, "tcp"} }), "no port of this machine leads to it: it is not published", "-p 8443:443"},
		{"published on loopback", outside(func(f *Facts) { f.To.Plan.Ports[0] = publish("127.0.0.1:8080", "172.18.0.2:80") }),
			"it is published on this machine's loopback only (127.0.0.1:8080): from this machine it is reached, from no other", "-p 8080:80 instead of -p 127.0.0.1:8080:80"},
		{"an internal network", outside(func(f *Facts) { f.Networks[0].Internal = true }), "network front is internal: nothing passes between it and the outside, published ports included",
			"docker network connect bridge web"},
		{"a rule is gone", outside(func(f *Facts) {
			f.To.Wires = append(f.To.Wires, Wire{"ports4 tcp . 8080 : 172.18.0.2 . 80", "nft list table inet learn-1", true})
		}), "this machine has lost what was made for web: ports4 tcp . 8080 : 172.18.0.2 . 80", "docker restart web"},
		{"network none", outside(func(f *Facts) { f.To.Plan, f.To.Mode = nil, "none" }), "web is in no network: it has its loopback interface only, so nobody reaches it and it reaches nobody", "--network bridge"},
		{"another's network", outside(func(f *Facts) { f.To.Plan, f.To.Mode = nil, "container:db" }), "it has the network of container db, whose addresses and published ports count", "learn why db"},
		{"the host's network", outside(func(f *Facts) { f.To.Plan, f.To.Mode = nil, "host" }), "", ""},
		{"no common network", neighbour(func(f *Facts) { f.From.Plan.Endpoints = []network.Endpoint{place(back, "172.19.0.2/16")} }),
			"they are in no common network, and nothing passes from one network to another", "docker network connect front shop"},
		{"no common network but a default one", neighbour(func(f *Facts) {
			f.From.Plan.Endpoints = []network.Endpoint{place(back, "172.19.0.2/16")}
			f.To.Plan.Endpoints = []network.Endpoint{place(standardNet, "172.17.0.2/16")}
		}), "they are in no common network, and nothing passes from one network to another", "docker network connect mine web"},
		{"the default network has no names", neighbour(func(f *Facts) {
			f.To.Plan = &network.Plan{Endpoints: []network.Endpoint{place(standardNet, "172.17.0.2/16")}}
			f.From.Plan = &network.Plan{Endpoints: []network.Endpoint{place(standardNet, "172.17.0.3/16")}}
		}), "shop can't find the name web: in the default network, bridge, names of containers lead nowhere", "docker network connect mine shop"},
		{"an alias", neighbour(func(f *Facts) { f.Name = "WWW" }), "", ""},
		{"a misspelt name", neighbour(func(f *Facts) { f.Name = "wbe" }), "no container that runs in a network of shop (front) is called wbe; web is there", "use the name web"},
		{"a name one letter off", neighbour(func(f *Facts) { f.Name = "webb" }), "no container that runs in a network of shop (front) is called webb; web is there", "use the name web"},
		{"a name like no other", neighbour(func(f *Facts) { f.Name = "postgres" }), "no container that runs in a network of shop (front) is called postgres", "--network-alias postgres"},
		{"a name of nobody", neighbour(func(f *Facts) { f.To, f.Name = Party{}, "othr" }), "no container that runs in a network of shop (front) is called othr; other is there", "use the name other"},
		{"a name of another one", neighbour(func(f *Facts) { f.Name = "cache" }), "the name cache leads shop to another container, other", "use a name that is its own: web"},
		{"its address", neighbour(func(f *Facts) { f.Name = "172.18.0.2" }), "", ""},
		{"an old address", neighbour(func(f *Facts) { f.Name = "172.18.0.77" }), "172.18.0.77 is not its address in a network of shop", "use names"},
		{"isolated from one another", neighbour(func(f *Facts) { f.Networks[0].Isolated = true }), "network front keeps its containers apart from one another", "docker network create mine"},
		{"who asks does not run", neighbour(func(f *Facts) { f.From.Running = false }), "shop does not run, so it reaches nobody", "docker start shop"},
		{"who asks has no network", neighbour(func(f *Facts) { f.From.Plan, f.From.Mode = nil, "none" }), "shop is in no network: it has its loopback interface only, so nobody reaches it and it reaches nobody", "--network bridge"},
		{"both share one", neighbour(func(f *Facts) { f.From.Plan, f.From.Mode = nil, "container:web" }), "", ""},
		{"who asks has the host's", neighbour(func(f *Facts) { f.From.Plan, f.From.Mode = nil, "host" }),
			"shop has this machine's own network: it reaches web at 172.18.0.2 over the bridge, and no container by its name", ""},
		{"a neighbour finds nothing that listens", neighbour(func(f *Facts) { f.To.Sockets, f.To.Exposed, f.To.Plan.Ports = nil, nil, nil }), "nothing listens in web on any port", "docker logs web"},
		{"a neighbour meets loopback", neighbour(func(f *Facts) { f.To.Sockets = []Socket{listener("127.0.0.1:80")} }),
			"the program listens on port 80/tcp, but at 127.0.0.1 only, its own loopback, where only what runs in the container reaches it", "0.0.0.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := firstGap(Examine(tt.facts))
			if got.Says != tt.says {
				t.Fatalf("got  %s\nwant %s", got.Says, tt.says)
			}
			if all := strings.Join(got.Mend, "\n"); !strings.Contains(all, tt.mend) {
				t.Errorf("to mend it: %q; want %q", all, tt.mend)
			}
			if got.State == Missing && (got.Expected == "" || got.Found == "" || got.Evidence == "" || len(got.Mend) == 0) {
				t.Errorf("a missing link without what was expected, found, where that is seen or how it is mended: %+v", got)
			}
		})
	}
}

func firstGap(ways []Way) Step {
	for _, w := range ways {
		for _, s := range w.Steps {
			if s.State != OK {
				return s
			}
		}
	}
	return Step{}
}

func TestEveryPublishedPortHasItsWay(t *testing.T) {
	f := outside(func(f *Facts) {
		f.To.Plan.Ports = append(f.To.Plan.Ports, publish("[::]:8080", "172.18.0.2:80"), publish("0.0.0.0:32768", "172.18.0.2:9000"))
	})
	var titles []string
	for _, w := range Examine(f) {
		titles = append(titles, w.Title)
		if w.Broken() != (w.Title == "The way to port 9000/tcp of web from outside") {
			t.Errorf("%s: broken %v: %+v", w.Title, w.Broken(), w.Steps)
		}
	}
	want := []string{"The way to port 80/tcp of web from outside", "The way to port 9000/tcp of web from outside"}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Error(diff)
	}
}

func TestListening(t *testing.T) {
	files := map[string]string{
		"net/tcp": "  sl  local_address rem_address   st tx_queue\n" +
			"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 21 1 0000000000000000 100 0 0 10 0\n" +
			"   1: 00000000:0050 00000000:0000 0A 00000000:00000000\n" +
			"   2: 020012AC:0050 030012AC:D431 01 00000000:00000000\n" +
			"   3: nonsense 0A 0A 0A\n   4: 00:0050 00000000:0000 0A\n",
		"net/tcp6": "   0: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0\n" +
			"   1: 00000000000000000000000000000000:0052 00000000000000000000000000000000:0000 0A 0\n",
		"net/udp": "   0: 0B00007F:9C40 00000000:0000 07 0\n   1: 00000000:0035 00000000:0000 07 0\n   2: 020012AC:9000 08080808:0035 01 0\n",
	}
	var got []string
	for _, s := range Listening(files) {
		got = append(got, s.String()+"/"+s.Protocol)
	}
	want := []string{"127.0.0.1:8080/tcp", "0.0.0.0:80/tcp", "[::1]:81/tcp", "[::]:82/tcp", "127.0.0.11:40000/udp", "0.0.0.0:53/udp"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzListening(f *testing.F) {
	f.Add("0: 0100007F:1F90 00000000:0000 0A\n")
	f.Add("0: 00000000000000000000000001000000:0051 x 07\n")
	f.Fuzz(func(t *testing.T, text string) {
		all := Listening(map[string]string{"net/tcp": text, "net/udp6": text})
		if slices.ContainsFunc(all, func(s Socket) bool { return !s.Address.IsValid() || s.Number == 0 }) {
			t.Errorf("%q gives %v", text, all)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"web", "db", "cache", "database"}
	for name, want := range map[string]string{"wep": "web", "databse": "database", "chache": "cache", "d": "db", "postgres": "", "": ""} {
		if got := nearest(name, known); got != want {
			t.Errorf("%q: %q; want %q", name, got, want)
		}
	}
}
