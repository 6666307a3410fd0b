package drivertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/leases"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

func testConnections(t *testing.T, l *lab) {
	machine, ok := l.Runtime.(driver.Networker)
	if !ok {
		t.Fatal("the machine connects no containers")
	}
	used, err := machine.UsedPrefixes(t.Context())
	must(t, err)
	n := &netLab{lab: l, taken: used}
	t.Cleanup(func() { // what a supervisor could not take back that was ended by a case that failed
		if err := machine.SweepNetworks(context.Background()); err != nil {
			t.Error(err)
		}
	})
	each(t, slices.Concat(reachTests(), publishTests(), rewireTests(), endOfNetworkTests(), networkEventTests()), func(c netTest) string { return c.rule },
		func(t *testing.T, c netTest) { c.run(t, n) })
}

type netTest struct {
	rule string
	run  func(*testing.T, *netLab)
}

// netLab also makes networks.
type netLab struct {
	*lab

	mu    sync.Mutex
	taken []netip.Prefix
}

// netDraft is a network of a case, with the addresses that were given.
type netDraft struct {
	network.Bridge

	t      testing.TB
	dir    string // of leases
	name   string
	subnet network.Subnet

	mu    sync.Mutex
	given map[netip.Addr]bool
}

func hexID(t testing.TB) string {
	t.Helper()
	var b [32]byte
	_, err := rand.Read(b[:])
	must(t, err)
	return hex.EncodeToString(b[:])
}

// net makes a network in a range that nobody uses, as change says.
func (l *netLab) net(t testing.TB, change func(*network.Bridge)) *netDraft {
	t.Helper()
	id := hexID(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	// Other tests of this machine choose as well: each begins elsewhere.
	base := netip.AddrFrom4([4]byte{10, 128 + id[0]&0x7f, id[1], 0})
	pools := []network.Pool{{Base: netip.PrefixFrom(base, 16).Masked(), Bits: 24}, {Base: netip.MustParsePrefix("10.0.0.0/8"), Bits: 24}}
	prefix, err := network.FreeSubnet(pools, l.taken)
	must(t, err)
	l.taken = append(l.taken, prefix)
	d := &netDraft{t: t, dir: filepath.Join(t.TempDir(), "leases"), name: "net" + id[:6], subnet: network.Subnet{Prefix: prefix}, given: map[netip.Addr]bool{},
		Bridge: network.Bridge{Network: id, Name: "lt-" + id[:10], Hidden: true, Addresses: []netip.Prefix{netip.PrefixFrom(network.Subnet{Prefix: prefix}.GatewayAddr(), 24)}}}
	if change != nil {
		change(&d.Bridge)
	}
	must(t, os.MkdirAll(d.dir, 0o700))
	return d
}

// place is a container's place in a network, with a lease of its names.
func (d *netDraft) place(container string, iface string, way bool, names ...string) network.Endpoint {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.subnet.FreeAddr(func(a netip.Addr) bool { return d.given[a] })
	must(d.t, err)
	d.given[a] = true
	id := hexID(d.t)
	e := network.Endpoint{ID: id, Network: d.Network, Bridge: d.Name, HostEnd: "veth" + id[:7], Interface: iface, MAC: network.MAC(a), Addresses: []netip.Prefix{netip.PrefixFrom(a, d.subnet.Prefix.Bits())}}
	if way && !d.Internal {
		e.Gateways = []netip.Addr{d.subnet.GatewayAddr()}
	}
	must(d.t, leases.Write(d.dir, network.Lease{Network: d.Network, Container: container, Endpoint: id, Name: names[0], Names: names, MAC: e.MAC, Addresses: e.Addresses}))
	return e
}

func (d *netDraft) zone() network.Zone {
	return network.Zone{Network: d.Network, Name: d.name, Folder: d.dir}
}

// member is a spec of a container called name in networks; the first one is the way to the outside. It serves the page "I am NAME" on port 80 and stays.
func (l *netLab) member(t testing.TB, name string, nets ...*netDraft) driver.Spec {
	t.Helper()
	spec := l.staying(t, fmt.Sprintf("echo I am %s > /index.html; httpd -p 80 -h / & echo up; read x", name))
	return l.joined(t, spec, name, nets...)
}

// joined puts a spec into networks.
func (l *netLab) joined(t testing.TB, spec driver.Spec, name string, nets ...*netDraft) driver.Spec {
	t.Helper()
	spec.ID = hexID(t)
	spec.Dir = filepath.Join(l.Home.Containers(), spec.ID)
	must(t, os.MkdirAll(spec.Dir, 0o700))
	spec.Hostname = name
	plan := &network.Plan{Container: spec.ID, Resolver: &network.Resolver{Closed: true}}
	for i, d := range nets {
		plan.Bridges = append(plan.Bridges, d.Bridge)
		plan.Endpoints = append(plan.Endpoints, d.place(spec.ID, fmt.Sprintf("eth%d", i), i == 0, name, spec.ID[:12], name+"-alias"))
		plan.Resolver.Zones = append(plan.Resolver.Zones, d.zone())
	}
	spec.Net = plan
	return spec
}

func address(spec driver.Spec, i int) string {
	return spec.Net.Endpoints[i].Addresses[0].Addr().String()
}

// serving starts a member and waits until it serves.
func (l *netLab) serving(t testing.TB, spec driver.Spec) *box {
	t.Helper()
	b := l.start(t, spec)
	b.serves()
	return b
}

func (b *box) serves() {
	b.t.Helper()
	eventually(b.t, "a server listens", func() bool { return b.exec("nc -z 127.0.0.1 80").Code == 0 })
}

// gets holds what a container gets from a server against want; an empty one: nothing.
func (b *box) gets(host, want string) {
	b.t.Helper()
	r := b.exec("wget -q -T 2 -O - http://" + host + "/index.html")
	if r.out != want || (want == "") == (r.Code == 0) {
		b.t.Errorf("from %s: %+v, want %q", host, r, want)
	}
}

func reachTests() []netTest {
	return []netTest{
		{"containers of a network reach one another by address, name, short id, alias and name with network", func(t *testing.T, l *netLab) {
			d := l.net(t, nil)
			spec := l.member(t, "web", d)
			web, other := l.serving(t, spec), l.serving(t, l.member(t, "other", d))
			for _, host := range []string{address(spec, 0), "web", "WEB", spec.ID[:12], "web-alias", "web." + d.name} {
				other.gets(host, "I am web\n")
			}
			web.gets("other", "I am other\n")
			web.gets("web", "I am web\n")
			web.gets("nobody", "")
		}},
		{"nobody gets across to another network, nor finds a name there", func(t *testing.T, l *netLab) {
			one, two := l.net(t, nil), l.net(t, nil)
			spec := l.member(t, "web", one)
			l.serving(t, spec)
			other := l.serving(t, l.member(t, "other", two))
			other.gets(address(spec, 0), "")
			other.gets("web", "")
		}},
		{"who is in two networks reaches both, by two interfaces", func(t *testing.T, l *netLab) {
			one, two := l.net(t, nil), l.net(t, nil)
			l.serving(t, l.member(t, "a", one))
			l.serving(t, l.member(t, "b", two))
			both := l.serving(t, l.member(t, "both", one, two))
			both.gets("a", "I am a\n")
			both.gets("b", "I am b\n")
			if r := both.exec("cut -d: -f1 /proc/net/dev | grep eth | tr -d ' '; cat /sys/class/net/eth1/address"); r.out != "eth0\neth1\n"+both.spec.Net.Endpoints[1].MAC+"\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"containers of an isolated network don't reach one another", func(t *testing.T, l *netLab) {
			d := l.net(t, func(b *network.Bridge) { b.Isolated = true })
			spec := l.member(t, "a", d)
			l.serving(t, spec)
			l.serving(t, l.member(t, "b", d)).gets(address(spec, 0), "")
		}},
		{"an internal network has no way out", func(t *testing.T, l *netLab) {
			inner, outer := l.net(t, func(b *network.Bridge) { b.Internal = true }), l.net(t, nil)
			far, near := l.member(t, "far", outer), l.member(t, "near", inner)
			l.serving(t, far)
			l.serving(t, near)
			b := l.serving(t, l.member(t, "b", inner))
			b.gets("near", "I am near\n")
			b.gets(address(far, 0), "")
			if r := b.exec("cut -f2 /proc/net/route | grep -c 00000000"); r.out != "0\n" {
				t.Errorf("default routes: %+v", r)
			}
		}},
		{"without a name server of its own a container finds no names, and is told whom to ask", func(t *testing.T, l *netLab) {
			d := l.net(t, nil)
			web, spec := l.member(t, "web", d), l.member(t, "b", d)
			spec.Net.Resolver, spec.Net.Resolv = nil, network.Resolv{Servers: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Search: []string{"."}}
			l.serving(t, web)
			b := l.serving(t, spec)
			b.gets("web", "")
			b.gets(address(web, 0), "I am web\n")
			if r := b.exec("cat /etc/resolv.conf"); r.out != "nameserver 127.0.0.1\n" && !strings.HasPrefix(r.out, "nameserver 127.0.0.1\noptions ") {
				t.Errorf("%+v", r)
			}
		}},
		{"the files of names have the container's own address, what was given, and the name server", func(t *testing.T, l *netLab) {
			spec := l.member(t, "web", l.net(t, nil))
			spec.Hosts = []string{"db:10.9.8.7"}
			b := l.start(t, spec)
			b.says("up\n")
			if r := b.exec("grep -cw web /etc/hosts; grep web /etc/hosts; grep db /etc/hosts; grep nameserver /etc/resolv.conf"); r.out != "1\n"+address(spec, 0)+"\tweb\n10.9.8.7\tdb\nnameserver 127.0.0.11\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"ip and ss show interface, route and server", func(t *testing.T, l *netLab) {
			spec := l.member(t, "web", l.net(t, nil))
			b := l.serving(t, spec)
			e := spec.Net.Endpoints[0]
			r := b.exec("ip -4 addr show dev eth0 | grep -o 'inet [0-9./]*'; ip link show eth0 | grep -o 'ether [0-9a-f:]*'; ip route; ss -ltnH | grep -c ':80 '; netstat -ltn | grep -c LISTEN")
			want := fmt.Sprintf("inet %s\nether %s\ndefault via %s dev eth0\n%s dev eth0 scope link src %s\n1\n", e.Addresses[0], e.MAC, e.Gateways[0], e.Addresses[0].Masked(), address(spec, 0))
			if !strings.HasPrefix(r.out, want) || r.errs != "" {
				t.Errorf("%+v, want %q", r, want)
			}
			if r := b.exec("ip addr add 10.1.1.1/8 dev eth0; ip route show dev eth7"); r.Code != 1 {
				t.Errorf("%+v", r)
			}
		}},
		{"interface and default route are seen", func(t *testing.T, l *netLab) {
			spec := l.member(t, "web", l.net(t, nil))
			b := l.start(t, spec)
			b.says("up\n")
			r := b.exec("cat /sys/class/net/eth0/address; cut -f1,2 /proc/net/route | grep -w 00000000 | cut -f1")
			if r.out != spec.Net.Endpoints[0].MAC+"\neth0\n" {
				t.Errorf("%+v", r)
			}
		}},
	}
}

// publish has a spec's port 80 published on the host's loopback interface.
func publish(spec *driver.Spec, first, last uint16) {
	spec.Net.Ports = append(spec.Net.Ports, network.Published{Protocol: "tcp", HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: first, HostLast: last,
		To: netip.AddrPortFrom(spec.Net.Endpoints[0].Addresses[0].Addr(), 80)})
}

// port is the port of the host that was taken.
func (b *box) port() uint16 {
	b.t.Helper()
	st, err := b.Status(b.t.Context())
	must(b.t, err)
	if st.Net == nil || len(st.Net.Ports) == 0 || st.Net.Ports[0].HostPort == 0 {
		b.t.Fatalf("no port was taken: %+v", st.Net)
	}
	return st.Net.Ports[0].HostPort
}

// fetch asks for a page as a browser on the host does.
func fetch(t testing.TB, port uint16) (string, error) {
	t.Helper()
	client := &http.Client{Timeout: Patience(), Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/index.html", port))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func publishTests() []netTest {
	return []netTest{
		{"a published port leads to the container, one that may be any is told", func(t *testing.T, l *netLab) {
			spec := l.member(t, "web", l.net(t, nil))
			publish(&spec, 0, 0)
			b := l.serving(t, spec)
			for range 3 {
				if page, err := fetch(t, b.port()); page != "I am web\n" || err != nil {
					t.Errorf("%q, %v", page, err)
				}
			}
		}},
		{"a port that is taken is an error that says so, and of several the next one is taken", func(t *testing.T, l *netLab) {
			d := l.net(t, nil)
			first := l.member(t, "first", d)
			publish(&first, 0, 0)
			taken := l.serving(t, first).port()
			second := l.member(t, "second", d)
			publish(&second, taken, taken)
			b := l.create(t, second)
			err := b.Start(t.Context(), b.streams(nil))
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("127.0.0.1:%d", taken)) ||
				!strings.Contains(err.Error(), "address already in use") && !strings.Contains(err.Error(), "port is already allocated") { // by whom, a machine may know
				t.Errorf("error %v", err)
			}
			if state := b.state(); state != driver.Ready {
				t.Errorf("state %s", state)
			}
			if taken == 65535 {
				return // there is no next one
			}
			third := l.member(t, "third", d)
			publish(&third, taken, max(taken, taken+20))
			if got := l.serving(t, third).port(); got <= taken {
				t.Errorf("port %d of those from %d on", got, taken)
			}
		}},
		{"what nobody in the container listens for is refused", func(t *testing.T, l *netLab) {
			spec := l.joined(t, l.staying(t, "echo up; read x"), "idle", l.net(t, nil))
			publish(&spec, 0, 0)
			ctx, sink := traced(t)
			b := l.create(t, spec)
			must(t, b.Start(ctx, b.streams(nil)))
			if page, err := fetch(t, b.port()); err == nil {
				t.Errorf("somebody answers: %q", page)
			}
			eventually(t, "the refusal is told", func() bool {
				must(t, b.Task.(driver.Eventer).Events(ctx))
				return slices.Contains(attrs(sink.Events(), vocab.NetRefused, "container", "error"), spec.ID+" connection refused")
			})
		}},
	}
}

func rewireTests() []netTest {
	return []netTest{
		{"a container joins and leaves a network while it runs", func(t *testing.T, l *netLab) {
			one, two := l.net(t, nil), l.net(t, nil)
			db := l.member(t, "db", two)
			l.serving(t, db)
			spec := l.member(t, "web", one)
			publish(&spec, 0, 0)
			b := l.serving(t, spec)
			port := b.port()
			b.gets(address(db, 0), "")

			plan := *spec.Net
			plan.Bridges = append(slices.Clone(plan.Bridges), two.Bridge)
			plan.Endpoints = append(slices.Clone(plan.Endpoints), two.place(spec.ID, "eth1", false, "web", "late"))
			plan.Resolver = &network.Resolver{Closed: true, Zones: []network.Zone{one.zone(), two.zone()}}
			b.rewired(plan)
			b.gets("db", "I am db\n")
			own := plan.Endpoints[1].Addresses[0].Addr().String()
			if r := b.exec("cut -d: -f1 /proc/net/dev | grep -c eth1; grep -c '^" + own + ".web$' /etc/hosts"); r.out != "1\n1\n" {
				t.Errorf("%+v", r)
			}
			if page, err := fetch(t, port); page != "I am web\n" || err != nil || b.port() != port {
				t.Errorf("%q, %v at port %d, before %d", page, err, b.port(), port)
			}

			b.rewired(*spec.Net)
			b.gets(address(db, 0), "")
			b.gets("db", "")
			if r := b.exec("cut -d: -f1 /proc/net/dev | grep -c eth1; grep -c '^" + own + ".web$' /etc/hosts"); r.out != "0\n0\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a port moves with its container to another network", func(t *testing.T, l *netLab) {
			one, two := l.net(t, nil), l.net(t, nil)
			spec := l.member(t, "web", one)
			publish(&spec, 0, 0)
			b := l.serving(t, spec)
			plan := network.Plan{Container: spec.ID, Bridges: []network.Bridge{two.Bridge}, Endpoints: []network.Endpoint{two.place(spec.ID, "eth1", true, "web")},
				Ports: slices.Clone(spec.Net.Ports), Resolver: &network.Resolver{Zones: []network.Zone{two.zone()}}}
			plan.Ports[0].To = netip.AddrPortFrom(plan.Endpoints[0].Addresses[0].Addr(), 80)
			port := b.port()
			b.rewired(plan)
			if page, err := fetch(t, port); page != "I am web\n" || err != nil {
				t.Errorf("%q, %v", page, err)
			}
		}},
		{"a container that has ended is not connected any more", func(t *testing.T, l *netLab) {
			spec := l.joined(t, l.spec(t, "true"), "short", l.net(t, nil))
			b := l.start(t, spec)
			b.wait()
			_, err := b.Task.(driver.Rewirer).Rewire(t.Context(), *spec.Net)
			isNotRunning(t, err)
		}},
	}
}

// rewired connects the container by another plan.
func (b *box) rewired(plan network.Plan) {
	b.t.Helper()
	got, err := b.Task.(driver.Rewirer).Rewire(b.t.Context(), plan)
	must(b.t, err)
	st, err := b.Status(b.t.Context())
	must(b.t, err)
	if len(got.Endpoints) != len(plan.Endpoints) || st.Net == nil || len(st.Net.Endpoints) != len(plan.Endpoints) {
		b.t.Errorf("wanted %+v, got %+v, status %+v", plan.Endpoints, got.Endpoints, st.Net)
	}
}

func endOfNetworkTests() []netTest {
	return []netTest{
		{"after the end there is nothing left: address and port are free for another container", func(t *testing.T, l *netLab) {
			d := l.net(t, nil)
			spec := l.member(t, "web", d)
			publish(&spec, 0, 0)
			b := l.serving(t, spec)
			port := b.port()
			must(t, b.Signal(t.Context(), sigKill))
			b.wait()
			if st, err := b.Status(t.Context()); err != nil || st.Net != nil {
				t.Errorf("%+v, %v", st.Net, err)
			}
			must(t, b.Delete(t.Context()))
			l.again(t, d, spec, port)
		}},
		{"a supervisor that is killed leaves nothing that a sweep does not take away", func(t *testing.T, l *netLab) {
			if l.KillSupervisor == nil {
				t.Skip("containers live in this process")
			}
			d := l.net(t, nil)
			spec := l.member(t, "web", d)
			publish(&spec, 0, 0)
			b := l.serving(t, spec)
			port := b.port()
			l.KillSupervisor(t, spec.Dir)
			eventually(t, "the container is lost", func() bool { return b.state() == driver.Lost })
			must(t, b.Delete(t.Context()))
			must(t, l.Runtime.(driver.Networker).SweepNetworks(t.Context()))
			l.again(t, d, spec, port)
		}},
	}
}

// again starts another container with the addresses and the port of one that is gone.
func (l *netLab) again(t *testing.T, d *netDraft, spec driver.Spec, port uint16) {
	t.Helper()
	next := l.member(t, "web", d)
	next.Net.Endpoints[0].Addresses, next.Net.Endpoints[0].MAC = spec.Net.Endpoints[0].Addresses, spec.Net.Endpoints[0].MAC
	publish(&next, port, port)
	b := l.serving(t, next)
	if page, err := fetch(t, port); page != "I am web\n" || err != nil || b.port() != port {
		t.Errorf("%q, %v", page, err)
	}
}

// netEvents are the events about networks that both kinds of machine tell, and those that stand for the program's start and end.
func netEvents(events []trace.Event) []string {
	var list []string
	for _, e := range events {
		switch {
		case e.Kind == vocab.NetRule || e.Kind == vocab.NetForwarding || e.Kind == vocab.LoopbackUp:
		case strings.HasPrefix(e.Kind, "net."), e.Kind == vocab.ProcExec, e.Kind == vocab.ProcExit:
			list = append(list, e.Kind)
		}
	}
	return list
}

func networkEventTests() []netTest {
	return []netTest{
		{"what is told of a container's networks, in order", func(t *testing.T, l *netLab) {
			one, two := l.net(t, nil), l.net(t, func(b *network.Bridge) { b.Internal = true })
			spec := l.joined(t, l.spec(t, "true"), "web", one, two)
			publish(&spec, 0, 0)
			events := l.runTraced(t, spec)
			same(t, "kinds", []string{vocab.NetBridge, vocab.NetAddress, vocab.NetBridge, vocab.NetAddress, vocab.NetCable, vocab.NetAddress, vocab.NetRoute,
				vocab.NetCable, vocab.NetAddress, vocab.NetPublish, vocab.NetResolver, vocab.ProcExec, vocab.NetUnplug, vocab.NetUnplug, vocab.NetBridgeGone,
				vocab.NetBridgeGone, vocab.ProcExit}, netEvents(events))
			gateway, own := one.Addresses[0], spec.Net.Endpoints[0].Addresses[0]
			same(t, "addresses", []string{" " + one.Network + " " + one.Name + " " + gateway.String(), " " + two.Network + " " + two.Name + " " + two.Addresses[0].String(),
				spec.ID + " " + one.Network + " eth0 " + own.String(), spec.ID + " " + two.Network + " eth1 " + spec.Net.Endpoints[1].Addresses[0].String()},
				attrs(events, vocab.NetAddress, "container", "network", "interface", "address"))
			same(t, "cables", []string{spec.ID + " " + one.Network + " eth0 " + spec.Net.Endpoints[0].HostEnd, spec.ID + " " + two.Network + " eth1 " + spec.Net.Endpoints[1].HostEnd},
				attrs(events, vocab.NetCable, "container", "network", "interface", "peer"))
			same(t, "routes", []string{spec.ID + " " + one.Network + " eth0 " + gateway.Addr().String()}, attrs(events, vocab.NetRoute, "container", "network", "interface", "gateway"))
			same(t, "resolver", []string{spec.ID + " 127.0.0.11 " + one.name + " " + two.name + " "}, attrs(events, vocab.NetResolver, "container", "address", "networks", "servers"))
			same(t, "unplugged", []string{spec.ID + " " + one.Network + " eth0", spec.ID + " " + two.Network + " eth1"}, attrs(events, vocab.NetUnplug, "container", "network", "interface"))
			same(t, "bridges gone", []string{one.Network + " " + one.Name, two.Network + " " + two.Name}, attrs(events, vocab.NetBridgeGone, "network", "interface"))
		}},
		{"the first one on a network makes its bridge, the last one takes it away", func(t *testing.T, l *netLab) {
			d := l.net(t, nil)
			ctx, sink := traced(t)
			a := l.create(t, l.joined(t, l.staying(t, "read x"), "a", d))
			must(t, a.Start(ctx, a.streams(nil)))
			second := l.runTraced(t, l.joined(t, l.spec(t, "true"), "b", d))
			if kinds := netEvents(second); slices.Contains(kinds, vocab.NetBridge) || slices.Contains(kinds, vocab.NetBridgeGone) {
				t.Errorf("the second one: %q", kinds)
			}
			must(t, a.Signal(ctx, sigKill))
			_, err := a.Wait(ctx)
			must(t, err)
			must(t, a.Delete(ctx))
			if kinds := netEvents(sink.Events()); !slices.Contains(kinds, vocab.NetBridge) || !slices.Contains(kinds, vocab.NetBridgeGone) {
				t.Errorf("the first one: %q", kinds)
			}
		}},
		{"each name that is looked up is told, first for IPv4 and then for IPv6", func(t *testing.T, l *netLab) {
			d := l.net(t, nil)
			web := l.member(t, "web", d)
			l.serving(t, web)
			events := l.runTraced(t, l.joined(t, l.spec(t, script("nslookup web > /dev/null; nslookup nobody > /dev/null; nc -z web 80")...), "b", d))
			same(t, "lookups", []string{"web A NOERROR " + address(web, 0), "web AAAA NOERROR ", "nobody A NXDOMAIN ", "nobody AAAA NXDOMAIN ", "web A NOERROR " + address(web, 0), "web AAAA NOERROR "},
				attrs(events, vocab.NetLookup, "name", "type", "code", "answer"))
		}},
		{"joining and leaving are told", func(t *testing.T, l *netLab) {
			one, two := l.net(t, nil), l.net(t, nil)
			spec := l.joined(t, l.staying(t, "echo up; read x"), "web", one)
			ctx, sink := traced(t)
			b := l.create(t, spec)
			must(t, b.Start(ctx, b.streams(nil)))
			b.says("up\n")
			before := len(netEvents(sink.Events()))
			plan := *spec.Net
			plan.Bridges, plan.Endpoints = append(slices.Clone(plan.Bridges), two.Bridge), append(slices.Clone(plan.Endpoints), two.place(spec.ID, "eth1", false, "web"))
			_, err := b.Task.(driver.Rewirer).Rewire(ctx, plan)
			must(t, err)
			_, err = b.Task.(driver.Rewirer).Rewire(ctx, *spec.Net)
			must(t, err)
			must(t, b.Task.(driver.Eventer).Events(ctx))
			same(t, "kinds", []string{vocab.NetBridge, vocab.NetAddress, vocab.NetCable, vocab.NetAddress, vocab.NetUnplug, vocab.NetBridgeGone}, netEvents(sink.Events())[before:])
		}},
	}
}
