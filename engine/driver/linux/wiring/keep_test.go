//go:build linux

package wiring

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/learn-containers/learn/engine/network"
)

// state is what real tools show of the machine's interfaces and rules, less the counters that grow.
func (m *machine) state() string {
	m.t.Helper()
	var links []string
	for line := range strings.Lines(m.run("ip", "-o", "link")) {
		_, line, _ = strings.Cut(line, ": ")
		links = append(links, line)
	}
	slices.Sort(links)
	return strings.Join(links, "") + m.run("nft", "list", "ruleset") + m.run("ip", "-o", "addr", "show", "scope", "global") + m.run("ip", "route")
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwas:\n%s", what, got, want)
	}
}

func twoPorts(i int) []network.Published {
	return []network.Published{publish("0.0.0.0", uint16(8000+i), fmt.Sprintf("172.17.0.%d:80", i)), publish("192.0.2.1", uint16(9000+i), fmt.Sprintf("172.17.0.%d:80", i))}
}

func TestDisconnectTakesAllBack(t *testing.T) {
	s := newScene(t)
	before := s.host.state()
	_, p := s.container(bridge(0), 2, twoPorts(2)...)
	_, q := s.container(bridge(0), 3, twoPorts(3)...)
	s.disconnect(p)
	s.neighbour.reaches("192.0.2.1:8003")
	s.neighbour.isRefused("192.0.2.1:8002")
	s.disconnect(p)
	s.disconnect(q)
	s.disconnect(q)
	same(t, "after disconnecting", s.host.state(), before)
}

func TestDisconnectLeavesWhatIsAnothersByNow(t *testing.T) {
	s := newScene(t)
	_, p := s.container(bridge(0), 2, twoPorts(2)...)
	s.container(bridge(0), 3)
	s.disconnect(p)
	again := plan(bridge(0), 2, twoPorts(2)...)
	again.Container = strings.Repeat("a", 64)
	m := newMachine(t)
	s.connect(again, m)
	before := s.host.state()
	s.disconnect(p)
	same(t, "after disconnecting one that was gone", s.host.state(), before)
}

func TestChangesAreWhatToolsShow(t *testing.T) {
	s := newScene(t)
	inner := bridge(0)
	inner.Internal = true
	c := newMachine(t)
	p, q := plan(bridge(1), 2, publish("0.0.0.0", 8080, "172.18.0.2:80"), publish("2001:db8::1", 8080, "[fd00:1::2]:80")), plan(inner, 3)
	q.Endpoints[0].Interface = "eth1"
	p.Bridges, p.Endpoints = append(p.Bridges, q.Bridges...), append(p.Endpoints, q.Endpoints...)
	s.connect(p, c)

	described := Describe(p, s.wires.Owner)
	made := slices.DeleteFunc(slices.Clone(s.changes), func(c Change) bool { return c.Kind == KindForwarding || strings.Contains(c.Table, guardTable) })
	if !slices.Equal(made, described) {
		t.Errorf("made\n%+v\ndescribed\n%+v", made, described)
	}
	rules, addresses, routes := s.host.run("nft", "list", "ruleset"), c.run("ip", "addr")+s.host.run("ip", "addr"), c.run("ip", "route")+c.run("ip", "-6", "route")
	for _, c := range s.changes {
		switch c.Kind {
		case KindRule:
			if !strings.Contains(rules, c.Rule) || !strings.Contains(rules, "table "+c.Table+" {") {
				t.Errorf("nft does not show %q in %s:\n%s", c.Rule, c.Table, rules)
			}
		case KindAddress:
			if !strings.Contains(addresses, c.Address.String()) {
				t.Errorf("ip does not show %s:\n%s", c.Address, addresses)
			}
		case KindRoute:
			if !strings.Contains(routes, "default via "+c.Gateway.String()+" dev "+c.Interface) {
				t.Errorf("ip does not show the route by %s:\n%s", c.Gateway, routes)
			}
		case KindForwarding:
			if got := s.host.run("sysctl", strings.Fields(c.Rule)[0]); strings.TrimSpace(got) != c.Rule {
				t.Errorf("sysctl shows %q, not %q", got, c.Rule)
			}
		}
	}
}

func TestNoIPv6WhereTheNetworkHasNone(t *testing.T) {
	s := newScene(t)
	b := bridge(0)
	b.Addresses = b.Addresses[:1]
	c, _ := s.container(b, 2)
	d, _ := s.container(bridge(1), 2)
	for m, want := range map[*machine]string{c: "1", d: "0"} {
		if got := strings.TrimSpace(m.run("cat", "/proc/sys/net/ipv6/conf/eth0/disable_ipv6")); got != want {
			t.Errorf("disable_ipv6 is %s, not %s", got, want)
		}
	}
	for _, f := range []string{"br-0", "br-1"} {
		if got := strings.TrimSpace(s.host.run("cat", "/proc/sys/net/ipv6/conf/"+f+"/accept_ra")); got != "0" {
			t.Errorf("%s takes router advertisements: %s", f, got)
		}
	}
	if got := strings.TrimSpace(d.run("cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra")); got != "0" {
		t.Errorf("a container takes router advertisements: %s", got)
	}
	if got := s.host.run("ip", "-6", "addr", "show", "dev", "br-0"); got != "" {
		t.Errorf("br-0 has IPv6: %s", got)
	}
}

// TestFailureLeavesNothing lets each plan fail at another step.
func TestFailureLeavesNothing(t *testing.T) {
	s := newScene(t)
	good := plan(bridge(0), 2, twoPorts(2)...)
	twice := plan(bridge(0), 2)
	twice.Endpoints = append(twice.Endpoints, plan(bridge(0), 3).Endpoints...) // both are eth0
	taken := plan(bridge(0), 2)
	taken.Endpoints[0].HostEnd = "uplink"
	stray := plan(bridge(0), 2)
	stray.Endpoints[0].Gateways = []netip.Addr{netip.MustParseAddr("203.0.113.1")} // not in any subnet of the container
	noMAC := plan(bridge(0), 2)
	noMAC.Endpoints[0].MAC = "nonsense"
	noBridge := plan(bridge(0), 2)
	noBridge.Endpoints[0].Bridge = "br-9"
	notOurs := plan(bridge(0), 2)
	notOurs.Bridges[0].Name = "uplink"
	clash := plan(bridge(0), 2, publish("0.0.0.0", 8080, "172.17.0.2:80"), publish("0.0.0.0", 8080, "172.17.0.2:81"))
	before := s.host.state()
	c := newMachine(t)
	for name, p := range map[string]network.Plan{"interface twice": twice, "name taken": taken, "gateway out of reach": stray, "no MAC": noMAC, "no bridge": noBridge, "bridge not ours": notOurs, "port twice": clash} {
		s.changes = nil
		if err := s.host.try(func() error { return s.wires.Connect(context.Background(), p, c.fd) }); err == nil {
			t.Errorf("%s: connected", name)
		}
		same(t, name, s.host.state(), before)
	}
	if err := s.host.try(func() error { return s.wires.Connect(context.Background(), good, -1) }); err == nil {
		t.Error("connected to no namespace")
	}
	same(t, "no namespace", s.host.state(), before)

	s.connect(good, c)
	before = s.host.state()
	rival, d := plan(bridge(0), 3, publish("0.0.0.0", 8002, "172.17.0.3:80")), newMachine(t)
	if err := s.host.try(func() error { return s.wires.Connect(context.Background(), rival, d.fd) }); err == nil || !strings.Contains(err.Error(), good.Container) {
		t.Errorf("published a port that another container has: %v", err)
	}
	same(t, "port of another", s.host.state(), before)
	if err := s.host.try(func() error { return s.wires.Connect(context.Background(), good, c.fd) }); err == nil {
		t.Error("connected a second time")
	}
	same(t, "after connecting a second time", s.host.state(), before)
	s.neighbour.isRefused("192.0.2.1:8080")
}

func TestCancelled(t *testing.T) {
	s := newScene(t)
	before := s.host.state()
	c := newMachine(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.wires.Report = func(c Change) { // once the rules are there
		if c.Container != "" {
			cancel()
		}
	}
	err := s.host.try(func() error { return s.wires.Connect(ctx, plan(bridge(0), 2), c.fd) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	same(t, "after cancelling", s.host.state(), before)
}

func TestRestore(t *testing.T) {
	s := newScene(t)
	a, p := s.container(bridge(0), 2, twoPorts(2)...)
	b, q := s.container(bridge(1), 3)
	plans := []network.Plan{p, q}
	before := s.host.state()
	missing := func() (list []Change) {
		s.host.do(func() (err error) { list, err = s.wires.Missing(context.Background(), plans); return err })
		return list
	}
	if got := missing(); got != nil {
		t.Fatalf("missing right after connecting: %+v", got)
	}
	table := tableName(s.wires.Owner)
	for _, breakage := range [][]string{
		{"nft", "flush", "ruleset"},
		{"nft", "delete", "table", "ip", guardTable},
		{"nft", "flush", "chain", "inet", table, chainForward},
		{"nft", "flush", "map", "inet", table, "ports4"},
		{"nft", "flush", "set", "inet", table, "hidden4"},
		{"ip", "addr", "flush", "dev", "br-0"},
		{"ip", "link", "set", "br-0", "down"},
		{"ip", "link", "set", "ve0-2", "nomaster"},
		{"ip", "link", "del", "br-1"},
		{"sysctl", "-q", "net.ipv4.ip_forward=0"},
	} {
		name := strings.Join(breakage, " ")
		s.host.run(breakage[0], breakage[1:]...)
		if missing() == nil {
			t.Errorf("%s: nothing is missing", name)
		}
		var lost []Change
		s.host.do(func() (err error) { lost, err = s.wires.Restore(context.Background(), plans); return err })
		if lost != nil || missing() != nil {
			t.Errorf("%s: lost %+v, still missing %+v", name, lost, missing())
		}
		got := s.host.state()
		if len(strings.Split(got, "\n")) != len(strings.Split(before, "\n")) {
			same(t, name, got, before)
		}
		if t.Failed() {
			return
		}
	}
	s.neighbour.reaches("192.0.2.1:8002")
	s.neighbour.isRefused("172.17.0.2:80")
	a.isRefused("172.18.0.3:80")
	s.neighbour.serve(":90")
	b.reaches("192.0.2.2:90")

	s.host.run("ip", "link", "del", "ve0-2")
	var lost []Change
	s.host.do(func() (err error) { lost, err = s.wires.Restore(context.Background(), plans); return err })
	if len(lost) == 0 || lost[0].Kind != KindCable || lost[0].Interface != "ve0-2" {
		t.Errorf("lost %+v", lost)
	}
}

func TestSweep(t *testing.T) {
	s := newScene(t)
	before := s.host.state()
	_, p := s.container(bridge(0), 2, twoPorts(2)...)
	s.container(bridge(0), 3, twoPorts(3)...)
	s.container(bridge(1), 4)
	s.host.do(func() error { // killed before it could label them
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.Group = "br-half", bridgeGroup
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return err
		}
		attrs.Name, attrs.Group = "ve-half", cableGroup
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "ve-peer"})
	})
	sweep := func(w Host, alive string) (removed []string) {
		s.host.do(func() (err error) {
			removed, err = w.Sweep(context.Background(), func(id string) bool { return id == alive })
			return err
		})
		return removed
	}
	if removed := sweep(Host{Owner: "another"}, ""); !slices.Equal(removed, []string{"ve-half", "br-half"}) {
		t.Errorf("another home removed %q", removed)
	}
	sweep(s.wires, p.Container)
	s.neighbour.reaches("192.0.2.1:8002")
	s.neighbour.isRefused("192.0.2.1:8003")
	if got := s.host.run("nft", "list", "ruleset") + s.host.run("ip", "link"); strings.Contains(got, "br-1") || strings.Contains(got, "172.17.0.3") || strings.Contains(got, "172.18.0.0") {
		t.Errorf("left of the dead:\n%s", got)
	}
	if removed := sweep(s.wires, p.Container); removed != nil {
		t.Errorf("a second sweep removed %q", removed)
	}
	sweep(s.wires, "")
	same(t, "after sweeping", s.host.state(), before)
}

func TestUsed(t *testing.T) {
	s := newScene(t)
	s.host.run("ip", "route", "add", "10.1.0.0/16", "via", "192.0.2.2")
	s.host.run("ip", "route", "add", "10.2.0.0/16", "via", "192.0.2.2", "table", "77")
	s.host.run("ip", "route", "add", "default", "via", "192.0.2.2")
	s.container(bridge(0), 2)
	var used []netip.Prefix
	s.host.do(func() (err error) { used, err = Used(context.Background()); return err })
	for _, want := range []string{"192.0.2.0/24", "10.1.0.0/16", "10.2.0.0/16", "172.17.0.0/16", "2001:db8::/64", "fd00::/64"} {
		if !slices.Contains(used, netip.MustParsePrefix(want)) {
			t.Errorf("%s is not in %v", want, used)
		}
	}
	if slices.ContainsFunc(used, func(p netip.Prefix) bool { return p.Bits() == 0 || p.Addr().IsLinkLocalUnicast() }) {
		t.Errorf("a default or link-local route is in %v", used)
	}
}

func TestManyPorts(t *testing.T) {
	s := newScene(t)
	before := s.host.state()
	var ports []network.Published
	for i := range 200 {
		ports = append(ports, publish("0.0.0.0", uint16(10000+i), "172.17.0.2:80"), publish("::", uint16(10000+i), "[fd00::2]:80"))
	}
	_, p := s.container(bridge(0), 2, ports...)
	for _, to := range []string{"192.0.2.1:10000", "192.0.2.1:10199", "[2001:db8::1]:10199"} {
		s.neighbour.reaches(to)
	}
	s.disconnect(p)
	same(t, "after 200 ports", s.host.state(), before)
}

// TestCyclesLeakNothing keeps a second container connected, so that bridge and table stay.
func TestCyclesLeakNothing(t *testing.T) {
	s := newScene(t)
	s.wires.Report = nil
	s.container(bridge(0), 3)
	c, p := newMachine(t), plan(bridge(0), 2, twoPorts(2)...)
	before, fds := s.host.state(), openFiles(t)
	for range 1000 {
		s.connect(p, c)
		s.disconnect(p)
	}
	same(t, "after 1,000 cycles", s.host.state(), before)
	if now := openFiles(t); now > fds {
		t.Errorf("%d open files, were %d", now, fds)
	}
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestHomesTakeTurns(t *testing.T) {
	s := newScene(t)
	before := s.host.state()
	errs := make(chan error)
	for i := range 4 {
		m := newMachine(t)
		inHost := joined(t, s.host)
		go func() {
			w, p := Host{Owner: fmt.Sprint("home", i/2)}, plan(bridge(i/2), i+2)
			errs <- inHost(func() error {
				for range 10 {
					if err := errors.Join(w.Connect(context.Background(), p, m.fd), w.Disconnect(context.Background(), p)); err != nil {
						return err
					}
				}
				return nil
			})
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	same(t, "after all took turns", s.host.state(), before)
}

// joined gives a way into a machine's namespace by another thread.
func joined(t *testing.T, m *machine) func(func() error) error {
	t.Helper()
	return func(f func() error) error { return inside(m.fd, func(*netlink.Handle) error { return f() }) }
}

func BenchmarkConnectDisconnect(b *testing.B) {
	for _, alone := range []bool{false, true} {
		name := "network in use"
		if alone {
			name = "first of its network"
		}
		b.Run(name, func(b *testing.B) {
			s := newScene(b)
			s.wires.Report = nil
			if !alone {
				s.container(bridge(0), 3)
			}
			c, p := newMachine(b), plan(bridge(0), 2, twoPorts(2)...)
			for b.Loop() {
				s.connect(p, c)
				s.disconnect(p)
			}
		})
	}
}
