//go:build linux

package wiring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/thread"
	"github.com/learn-containers/learn/engine/network"
)

// refusal is how long a connection is tried before it counts as dropped. A slow machine can only make such a test pass.
const refusal = 300 * time.Millisecond

// hang is how long a connection that must succeed may take at most.
const hang = 10 * time.Second

// machine is a network namespace of the test, with a thread of its own.
type machine struct {
	t    testing.TB
	work chan func()
	fd   int
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("needs root: makes network namespaces")
		}
		t.Skip("needs root: makes network namespaces")
	}
	m := &machine{t: t, work: make(chan func())}
	ready := make(chan error)
	go thread.Apart(func() {
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			m.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		ready <- err
		for f := range m.work {
			f()
		}
	})
	if err := <-ready; err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(m.fd); close(m.work) })
	m.do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, f := range forwardings() { // a new namespace has what the first one has at the moment
			if err := os.WriteFile(f.setting, []byte("0"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return netlink.LinkSetUp(lo)
	})
	return m
}

// try does something in the machine's namespace.
func (m *machine) try(f func() error) error {
	done := make(chan error)
	m.work <- func() { done <- f() }
	return <-done
}

func (m *machine) do(f func() error) {
	m.t.Helper()
	if err := m.try(f); err != nil {
		m.t.Fatal(err)
	}
}

// run gives what a command prints in the machine's namespace.
func (m *machine) run(name string, args ...string) string {
	m.t.Helper()
	var out []byte
	m.do(func() (err error) {
		if out, err = exec.Command(name, args...).CombinedOutput(); err != nil {
			err = fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
		}
		return err
	})
	return string(out)
}

// serve answers on address with the caller's address.
func (m *machine) serve(address string) {
	m.t.Helper()
	var l net.Listener
	m.do(func() (err error) { l, err = net.Listen("tcp", address); return err })
	m.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).IP.String())
			_ = c.Close()
		}
	}()
}

// call gives the address that the server at address saw, or an error.
func (m *machine) call(address string, patience time.Duration) (string, error) {
	var seen []byte
	err := m.try(func() error {
		c, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		seen, err = io.ReadAll(c)
		return err
	})
	return string(seen), err
}

func (m *machine) reaches(address string) string {
	m.t.Helper()
	seen, err := m.call(address, hang)
	if err != nil {
		m.t.Errorf("%s should be reached: %v", address, err)
	}
	return seen
}

func (m *machine) isRefused(address string) {
	m.t.Helper()
	if seen, err := m.call(address, refusal); err == nil {
		m.t.Errorf("%s was reached, as %s", address, seen)
	}
}

// scene is a host and a neighbour that has routes to the host's networks.
type scene struct {
	host, neighbour *machine
	wires           Host
	changes         []Change
}

func newScene(t testing.TB) *scene {
	s := &scene{host: newMachine(t), neighbour: newMachine(t)}
	s.wires = Host{Owner: "/home/of/" + t.Name(), Report: func(c Change) { s.changes = append(s.changes, c) }}
	s.host.do(func() error {
		v := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "uplink"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(s.neighbour.fd)}
		return netlink.LinkAdd(v)
	})
	s.host.do(func() error { return address("uplink", "192.0.2.1/24", "2001:db8::1/64") })
	s.neighbour.do(func() error { return address("eth0", "192.0.2.2/24", "2001:db8::2/64") })
	s.neighbour.run("ip", "route", "add", "172.16.0.0/12", "via", "192.0.2.1")
	s.neighbour.run("ip", "-6", "route", "add", "fd00::/16", "via", "2001:db8::1")
	return s
}

func address(name string, addresses ...string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := addAddress(pkgHandle(), l, netip.MustParsePrefix(a)); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(l)
}

// pkgHandle opens its socket where it is called.
func pkgHandle() *netlink.Handle { return &netlink.Handle{} }

func (s *scene) connect(p network.Plan, container *machine) {
	s.host.t.Helper()
	s.host.do(func() error { return s.wires.Connect(context.Background(), p, container.fd) })
}

func (s *scene) disconnect(p network.Plan) {
	s.host.t.Helper()
	s.host.do(func() error { return s.wires.Disconnect(context.Background(), p) })
}

// bridge is the nth network: 172.(17+n).0.0/16 and fd00:n::/64.
func bridge(n int) network.Bridge {
	return network.Bridge{Network: fmt.Sprintf("%064x", 0xb00+n), Name: fmt.Sprintf("br-%d", n), Hidden: true,
		Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("172.%d.0.1/16", 17+n)), netip.MustParsePrefix(fmt.Sprintf("fd00:%x::1/64", n))}}
}

// plan is the ith container of a network, i from 2 on.
func plan(b network.Bridge, i int, ports ...network.Published) network.Plan {
	e := network.Endpoint{ID: fmt.Sprintf("%064x", i), Network: b.Network, Bridge: b.Name, HostEnd: fmt.Sprintf("ve%s-%d", b.Name[3:], i), Interface: "eth0"}
	for _, g := range b.Addresses {
		a := g.Addr()
		for range i - 1 {
			a = a.Next()
		}
		e.Addresses = append(e.Addresses, netip.PrefixFrom(a, g.Bits()))
		if !b.Internal {
			e.Gateways = append(e.Gateways, g.Addr())
		}
	}
	e.MAC = network.MAC(e.Addresses[0].Addr())
	return network.Plan{Container: fmt.Sprintf("%060x%04x", 0xc0de, i), Bridges: []network.Bridge{b}, Endpoints: []network.Endpoint{e}, Ports: ports}
}

func (s *scene) container(b network.Bridge, i int, ports ...network.Published) (*machine, network.Plan) {
	s.host.t.Helper()
	m, p := newMachine(s.host.t), plan(b, i, ports...)
	s.connect(p, m)
	m.serve(":80")
	m.serve(":81")
	return m, p
}

func publish(host string, port uint16, to string) network.Published {
	return network.Published{Protocol: "tcp", HostIP: netip.MustParseAddr(host), HostPort: port, To: netip.MustParseAddrPort(to)}
}

func TestContainersReachOneAnother(t *testing.T) {
	s := newScene(t)
	a, _ := s.container(bridge(0), 2)
	b, _ := s.container(bridge(0), 3)
	s.host.serve(":90")
	for _, to := range []string{"172.17.0.3:80", "[fd00::3]:80", "172.17.0.1:90", "[fd00::1]:90"} {
		a.reaches(to)
	}
	if seen := b.reaches("172.17.0.2:80"); seen != "172.17.0.3" {
		t.Errorf("a neighbour in the network saw %s", seen)
	}
	s.host.reaches("172.17.0.2:80")
	s.host.reaches("[fd00::3]:80")
}

func TestWhatLeavesCarriesTheHostsAddress(t *testing.T) {
	s := newScene(t)
	a, _ := s.container(bridge(0), 2)
	open := bridge(1)
	open.Hidden = false
	b, _ := s.container(open, 2)
	s.neighbour.serve(":90")
	for m, want := range map[*machine][2]string{a: {"192.0.2.1", "2001:db8::1"}, b: {"172.18.0.2", "fd00:1::2"}} {
		if seen := m.reaches("192.0.2.2:90"); seen != want[0] {
			t.Errorf("the neighbour saw %s, not %s", seen, want[0])
		}
		if seen := m.reaches("[2001:db8::2]:90"); seen != want[1] {
			t.Errorf("the neighbour saw %s, not %s", seen, want[1])
		}
	}
}

func TestPublishedPorts(t *testing.T) {
	s := newScene(t)
	a, _ := s.container(bridge(0), 2,
		publish("0.0.0.0", 8080, "172.17.0.2:80"), publish("::", 8080, "[fd00::2]:80"),
		publish("192.0.2.1", 8081, "172.17.0.2:80"), publish("192.0.2.99", 8082, "172.17.0.2:80"),
		publish("2001:db8::1", 8081, "[fd00::2]:80"),
		publish("127.0.0.1", 8083, "172.17.0.2:80"), publish("::1", 8083, "[fd00::2]:80"))
	b, _ := s.container(bridge(0), 3)
	c, _ := s.container(bridge(1), 2)

	if seen := s.neighbour.reaches("192.0.2.1:8080"); seen != "192.0.2.2" {
		t.Errorf("the container saw %s, not the neighbour", seen)
	}
	for _, m := range []*machine{s.neighbour, s.host, a, b, c} {
		for _, to := range []string{"192.0.2.1:8080", "[2001:db8::1]:8080", "192.0.2.1:8081", "[2001:db8::1]:8081"} {
			m.reaches(to)
		}
		for _, to := range []string{"192.0.2.1:8082", "192.0.2.1:8083", "[2001:db8::1]:8083", "192.0.2.1:81"} {
			m.isRefused(to)
		}
	}
	for _, to := range []string{"172.17.0.2:80", "172.17.0.2:81", "[fd00::2]:80", "172.17.0.2:8080"} {
		s.neighbour.isRefused(to)
	}
	s.host.isRefused("127.0.0.1:8080")
	s.host.serve("127.0.0.1:8080") // a process of ours serves loopback, not a rule
	s.host.serve("[::1]:8080")
	s.host.reaches("127.0.0.1:8080")
	s.host.reaches("[::1]:8080")
	if list := s.host.run("nft", "list", "ruleset"); strings.Contains(list, "8083") {
		t.Errorf("a port of loopback has a rule:\n%s", list)
	}
}

func TestNetworksAreApart(t *testing.T) {
	s := newScene(t)
	a, _ := s.container(bridge(0), 2)
	b, _ := s.container(bridge(1), 2)
	other := Host{Owner: "/another/home"}
	third, p := newMachine(t), plan(bridge(2), 2)
	s.host.do(func() error { return other.Connect(context.Background(), p, third.fd) })
	third.serve(":80")
	a.isRefused("172.18.0.2:80")
	a.isRefused("[fd00:1::2]:80")
	b.isRefused("172.17.0.2:80")
	a.isRefused("172.19.0.2:80")
	third.isRefused("172.17.0.2:80")
}

func TestInternalNetwork(t *testing.T) {
	s := newScene(t)
	inner := bridge(0)
	inner.Internal = true
	a, _ := s.container(inner, 2, publish("0.0.0.0", 8080, "172.17.0.2:80"))
	s.container(inner, 3)
	c, _ := s.container(bridge(1), 2, publish("0.0.0.0", 8081, "172.18.0.2:80"))
	a.run("ip", "route", "add", "default", "via", "172.17.0.1")
	s.neighbour.serve(":90")
	s.host.serve(":90")
	a.reaches("172.17.0.3:80")
	a.reaches("172.17.0.1:90")
	for _, to := range []string{"192.0.2.2:90", "172.18.0.2:80", "192.0.2.1:90", "172.18.0.1:90", "192.0.2.1:8081"} {
		a.isRefused(to)
	}
	s.neighbour.isRefused("192.0.2.1:8080")
	s.neighbour.isRefused("172.17.0.2:80")
	c.isRefused("172.17.0.2:80")

	// not even what needs no answer leaves: the first datagram that arrives is not that of the internal network, which was sent before
	var sink net.PacketConn
	s.neighbour.do(func() (err error) { sink, err = net.ListenPacket("udp", ":91"); return err })
	defer func() { _ = sink.Close() }()
	for _, m := range []*machine{a, c} {
		m.do(func() error {
			conn, err := net.Dial("udp", "192.0.2.2:91")
			if err == nil {
				_, err = fmt.Fprint(conn, m == c)
				_ = conn.Close()
			}
			return err
		})
	}
	_ = sink.SetReadDeadline(time.Now().Add(hang))
	got := make([]byte, 16)
	n, from, err := sink.ReadFrom(got)
	if string(got[:n]) != "true" {
		t.Errorf("the neighbour got %q from %v: %v", got[:n], from, err)
	}
}

func TestIsolatedContainers(t *testing.T) {
	s := newScene(t)
	apart := bridge(0)
	apart.Isolated = true
	a, _ := s.container(apart, 2, publish("0.0.0.0", 8080, "172.17.0.2:80"))
	b, _ := s.container(apart, 3)
	s.neighbour.serve(":90")
	b.isRefused("172.17.0.2:80")
	b.run("ip", "route", "add", "172.17.0.2/32", "via", "172.17.0.1") // by way of the host
	b.isRefused("172.17.0.2:80")
	a.reaches("192.0.2.2:90")
	s.neighbour.reaches("192.0.2.1:8080")
}

func TestForwardingStaysRefusedBetweenOthers(t *testing.T) {
	s := newScene(t)
	beyond := newMachine(t)
	s.host.do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "other"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(beyond.fd)})
	})
	s.host.do(func() error { return address("other", "198.51.100.1/24") })
	beyond.do(func() error { return address("eth0", "198.51.100.2/24") })
	beyond.run("ip", "route", "add", "default", "via", "198.51.100.1")
	s.neighbour.run("ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.1")
	beyond.serve(":90")
	before := s.host.run("sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
	_, p := s.container(bridge(0), 2)
	s.neighbour.isRefused("198.51.100.2:90")
	s.disconnect(p)
	if after := s.host.run("sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"); after != before {
		t.Errorf("forwarding is\n%s, was\n%s", after, before)
	}

	s.host.run("sysctl", "net.ipv4.ip_forward=1")
	_, p = s.container(bridge(0), 2)
	s.neighbour.reaches("198.51.100.2:90") // it was on: that is the host's affair
	s.disconnect(p)
	s.neighbour.reaches("198.51.100.2:90")
}

// TestDatagramsFollowThePort: a client that goes on sending from one port of its own reaches whoever has the port now.
func TestDatagramsFollowThePort(t *testing.T) {
	s := newScene(t)
	s.container(bridge(0), 9)
	var client net.Conn
	s.neighbour.do(func() (err error) { client, err = net.Dial("udp", "192.0.2.1:53"); return err })
	t.Cleanup(func() { _ = client.Close() })
	send := func() {
		if _, err := client.Write([]byte("datagram")); err != nil && !errors.Is(err, unix.ECONNREFUSED) { // of the one before
			t.Fatal(err)
		}
	}
	send()
	for i := 2; i < 4; i++ {
		port := publish("0.0.0.0", 53, fmt.Sprintf("172.17.0.%d:53", i))
		port.Protocol = "udp"
		c, p := newMachine(t), plan(bridge(0), i, port)
		s.connect(p, c)
		var server net.PacketConn
		c.do(func() (err error) { server, err = net.ListenPacket("udp", ":53"); return err })
		send()
		send() // the first may have reported an old error instead
		_ = server.SetReadDeadline(time.Now().Add(hang))
		if _, _, err := server.ReadFrom(make([]byte, 16)); err != nil {
			t.Errorf("container %d: %v", i, err)
		}
		_ = server.Close()
		s.disconnect(p)
		send()
	}
}
