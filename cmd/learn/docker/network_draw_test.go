package docker

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/reach"
)

var update = flag.Bool("update", false, "write the drawings of testdata anew")

var (
	shopID = strings.Repeat("0123456789ab", 6)[:64]
	webID  = strings.Repeat("aa", 32)
	dbID   = strings.Repeat("bb", 32)
)

func prefixes(words ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, w := range words {
		all = append(all, netip.MustParsePrefix(w))
	}
	return all
}

func rule(net, container, place, text string) driver.Wire {
	return driver.Wire{Kind: driver.WireRule, Network: net, Container: container, Table: "inet learn-1a2b3c4d", Place: place, Rule: text}
}

func listening(address, protocol string) reach.Socket {
	a := netip.MustParseAddrPort(address)
	return reach.Socket{Port: reach.Port{Number: a.Port(), Protocol: protocol}, Address: a.Addr()}
}

func publishedPort(host, to string) network.Published {
	h := netip.MustParseAddrPort(host)
	return network.Published{Protocol: "tcp", HostIP: h.Addr(), HostPort: h.Port(), To: netip.MustParseAddrPort(to)}
}

// shop is a network with a published web server, of which a rule is lost, and a database that listens where nobody reaches it.
func shop() networkPicture {
	gateway := []netip.Addr{netip.MustParseAddr("172.18.0.1")}
	bridge := network.Bridge{Network: shopID, Name: "br-0123456789ab", Addresses: prefixes("172.18.0.1/16"), Hidden: true}
	within := []driver.Wire{
		{Kind: driver.WireBridge, Network: shopID, Interface: bridge.Name},
		rule(shopID, "", "within", `"br-0123456789ab" . "br-0123456789ab" comment "network `+shopID+`"`),
		rule(shopID, "", "hidden4", `172.18.0.0/16 comment "network `+shopID+`"`),
	}
	lost := rule("", webID, "at4", `192.0.2.7 . tcp . 8443 comment "container `+webID+`" : 172.18.0.2 . 443`)
	lost.Missing = true
	return networkPicture{
		Name: "shop", ID: shopID, Driver: "bridge", Subnets: []string{"172.18.0.0/16"}, Bridge: bridge,
		Members: []networkMember{
			{Name: "web", ID: webID, Names: []string{"web", "www", webID[:12]},
				Endpoint: network.Endpoint{HostEnd: "vethaaaaaaa", Interface: "eth0", MAC: "02:42:ac:12:00:02", Addresses: prefixes("172.18.0.2/16"), Gateways: gateway},
				Ports: []network.Published{publishedPort("0.0.0.0:8080", "172.18.0.2:80"), publishedPort("[::]:8080", "172.18.0.2:80"),
					publishedPort("192.0.2.7:8443", "172.18.0.2:443"), publishedPort("127.0.0.1:9000", "172.18.0.2:9000")},
				Sockets: []reach.Socket{listening("0.0.0.0:80", "tcp"), listening("[::]:443", "tcp"), listening("127.0.0.11:41000", "udp")}, Looked: true,
				Wires: append(within, rule("", webID, "ports4", `tcp . 8080 comment "container `+webID+`" : 172.18.0.2 . 80`), lost)},
			{Name: "db", ID: dbID, Names: []string{"db", dbID[:12]},
				Endpoint: network.Endpoint{HostEnd: "vethbbbbbbb", Interface: "eth0", MAC: "02:42:ac:12:00:03", Addresses: prefixes("172.18.0.3/16"), Gateways: gateway},
				Sockets:  []reach.Socket{listening("127.0.0.1:5432", "tcp"), listening("[::1]:5432", "tcp")}, Looked: true,
				Wires: []driver.Wire{{Kind: driver.WireCable, Container: dbID, Interface: "vethbbbbbbb", Missing: true}}},
		},
	}
}

// backstage is internal, on a simulated machine, with IPv6 and a name that paints over the terminal.
func backstage() networkPicture {
	return networkPicture{
		Name: "backstage", ID: shopID, Driver: "bridge", Subnets: []string{"172.19.0.0/16", "fd12:3456:789a:bcde::/64"}, Simulated: true,
		Bridge: network.Bridge{Network: shopID, Name: "br-0123456789ab", Addresses: prefixes("172.19.0.1/16", "fd12:3456:789a:bcde::1/64"), Hidden: true, Internal: true, Isolated: true},
		Members: []networkMember{{Name: "evil\x1b[2J" + strings.Repeat("x", 80), ID: webID,
			Endpoint: network.Endpoint{HostEnd: "vethaaaaaaa", Interface: "eth1", MAC: "02:42:ac:13:00:02", Addresses: prefixes("172.19.0.2/16", "fd12:3456:789a:bcde:1111:2222:3333:4444/64")},
			Ports:    []network.Published{publishedPort("[2001:db8:1111:2222:3333:4444:5555:6666]:8080", "[fd12:3456:789a:bcde:1111:2222:3333:4444]:80")}}},
	}
}

// withoutRoot is a network whose switch is made of supervisors.
func withoutRoot() networkPicture {
	p := shop()
	p.Userspace = true
	p.Members = p.Members[:1]
	p.Members[0].Wires = nil
	return p
}

func TestNetworkDrawings(t *testing.T) {
	app := &App{Environ: func(name string) (string, bool) { return map[string]string{"LANG": "C.UTF-8"}[name], true }}
	unicode, ascii := app.pen(), (&App{}).pen()
	for name, p := range map[string]networkPicture{
		"shop": shop(), "backstage": backstage(), "userspace": withoutRoot(),
		"empty":   {Name: "bridge", ID: shopID, Driver: "bridge", Default: true, Subnets: []string{"172.17.0.0/16"}, Bridge: network.Bridge{Hidden: true}},
		"of-host": {Name: "host", ID: shopID, Driver: "host"},
		"of-none": {Name: "none", ID: shopID, Driver: "null"},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".unicode", drawNetwork(p, unicode, 80))
			plain := drawNetwork(p, ascii, 80)
			golden(t, name+".ascii", plain)
			if i := strings.IndexFunc(plain, func(r rune) bool { return r > '~' }); i >= 0 {
				t.Errorf("a drawing in ASCII has %q", plain[i:min(len(plain), i+8)])
			}
		})
	}
}

// golden compares a drawing with the one in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%s: %d columns: %s", name, n, line)
		}
	}
	path := filepath.Join("testdata", "networks", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

func TestPenFollowsTheLocale(t *testing.T) {
	for _, tt := range []struct {
		env   map[string]string
		ascii bool
	}{
		{nil, true}, {map[string]string{"LANG": "de_DE.UTF-8"}, false}, {map[string]string{"LANG": "de_DE.utf8"}, false}, {map[string]string{"LANG": "C"}, true},
		{map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, true}, {map[string]string{"LC_ALL": "", "LANG": "de_DE.UTF-8"}, false}, {map[string]string{"LC_CTYPE": "C.UTF-8", "LANG": "C"}, false},
	} {
		app := &App{Environ: func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }}
		if got := app.pen().down == "|"; got != tt.ascii {
			t.Errorf("%v: ASCII %v", tt.env, got)
		}
	}
}
