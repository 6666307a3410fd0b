//go:build linux

package rootnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/moby/moby/api/types/network"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/proxy"
)

// refusal is how long is waited for what must not come. A slow machine can only make such a test pass.
const refusal = 200 * time.Millisecond

// hang is how long what must succeed may take at most.
const hang = 20 * time.Second

// container is a network namespace with its wires.
type container struct {
	t     testing.TB
	post  *post
	netns int
	wires *Wires
	plan  network.Plan
	told  []wiring.Change
	lacks error
}

func newContainer(t testing.TB) *container {
	t.Helper()
	needRoot(t)
	c := &container{t: t}
	p, err := openPost(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		c.netns, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	must(t, err)
	c.post = p
	t.Cleanup(func() { _ = unix.Close(c.netns); p.close() })
	c.do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	return c
}

func (c *container) do(f func() error) {
	c.t.Helper()
	if err := c.post.do(f); err != nil {
		c.t.Fatal(err)
	}
}

// run gives what a command prints in the container.
func (c *container) run(words ...string) string {
	c.t.Helper()
	var out []byte
	c.do(func() (err error) {
		if out, err = exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			err = fmt.Errorf("%v: %w\n%s", words, err, out)
		}
		return err
	})
	return string(out)
}

// lan is networks that containers of a test are on.
type lan struct {
	t   testing.TB
	dir string
}

func newLAN(t testing.TB) *lan {
	// longer than a socket's address may be
	return &lan{t, filepath.Join(t.TempDir(), strings.Repeat("long-name-", 12))}
}

func (l *lan) folder(network string) string { return filepath.Join(l.dir, network, "cables") }

func bridge(net int) network.Bridge {
	return network.Bridge{Network: fmt.Sprintf("%064x", net), Name: fmt.Sprintf("br%d", net), Hidden: true,
		Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.77.%d.1/24", net)), netip.MustParsePrefix(fmt.Sprintf("fd77:%d::1/64", net))}}
}

func endpoint(net, host int, name string) network.Endpoint {
	return network.Endpoint{ID: fmt.Sprintf("%060x%02x%02x", 7, net, host), Network: bridge(net).Network, Bridge: bridge(net).Name, Interface: name, MAC: fmt.Sprintf("02:42:0a:4d:%02x:%02x", net, host),
		Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.77.%d.%d/24", net, host)), netip.MustParsePrefix(fmt.Sprintf("fd77:%d::%d/64", net, host))}}
}

// plan is that of a container on one network, without a way out.
func plan(net, host int) network.Plan {
	return network.Plan{Container: fmt.Sprintf("%064x", host), Bridges: []network.Bridge{bridge(net)}, Endpoints: []network.Endpoint{endpoint(net, host, "eth0")}}
}

// add makes a container and connects it.
func (l *lan) add(p network.Plan) *container {
	l.t.Helper()
	c := newContainer(l.t)
	must(l.t, l.connect(c, p))
	return c
}

func (l *lan) connect(c *container, p network.Plan) (err error) {
	c.wires, err = Connect(context.Background(), Config{Plan: p, Netns: c.netns, Folder: l.folder, Path: os.Getenv("PATH"),
		Report: func(ch wiring.Change) { c.told = append(c.told, ch) }, Lacking: func(err error) { c.lacks = err }})
	if err != nil {
		return err
	}
	c.plan = p
	l.t.Cleanup(c.close)
	return nil
}

func (c *container) close() {
	if c.wires != nil {
		if err := c.wires.Close(); err != nil {
			c.t.Error(err)
		}
		c.wires = nil
	}
}

// serve answers on address with the caller's address.
func (c *container) serve(address string) {
	c.t.Helper()
	var l net.Listener
	c.do(func() (err error) { l, err = net.Listen("tcp", address); return err })
	c.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, conn.RemoteAddr().(*net.TCPAddr).IP.String())
			_ = conn.Close()
		}
	}()
}

// call gives the address that the server at address saw.
func (c *container) call(address string, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d, err := OpenDialer(c.netns)
	if err != nil {
		return "", err
	}
	defer d.Close()
	conn, err := d.Dial(ctx, api.TCP, netip.MustParseAddrPort(address))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hang))
	seen, err := io.ReadAll(conn)
	return string(seen), err
}

func (c *container) reaches(address, as string) {
	c.t.Helper()
	seen, err := c.call(address, hang)
	if err != nil || seen != as {
		c.t.Errorf("%s saw %q (%v), not %q", address, seen, err, as)
	}
}

func TestMembersReachOneAnother(t *testing.T) {
	l := newLAN(t)
	a, b := l.add(plan(1, 2)), l.add(plan(1, 3))
	b.serve("10.77.1.3:80")
	b.serve("[fd77:1::3]:80")
	a.reaches("10.77.1.3:80", "10.77.1.2")
	a.reaches("[fd77:1::3]:80", "fd77:1::2")
	if _, err := a.call("10.77.1.3:81", hang); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a port where nobody listens: %v", err)
	}
	if out := a.run("ip", "-o", "link", "show", "eth0"); !strings.Contains(out, "02:42:0a:4d:01:02") {
		t.Errorf("the interface has another MAC address: %s", out)
	}
	if out := a.run("ip", "-4", "route"); strings.Contains(out, "default") {
		t.Errorf("there is a default route that leads nowhere: %s", out)
	}
}

func TestWhatIsTold(t *testing.T) {
	l := newLAN(t)
	a, b := l.add(plan(1, 2)), l.add(plan(1, 3))
	kinds := func(c *container) string {
		var s []string
		for _, ch := range c.told {
			s = append(s, string(ch.Kind)+" "+ch.Interface)
		}
		return strings.Join(s, ", ")
	}
	if got, want := kinds(a), "bridge br1, address br1, address br1, cable 02420a4d0102, address eth0, address eth0"; got != want {
		t.Errorf("the first was told %s, not %s", got, want)
	}
	if got, want := kinds(b), "cable 02420a4d0103, address eth0, address eth0"; got != want {
		t.Errorf("the second was told %s, not %s", got, want)
	}
}

// ping gives what an echo request of some bytes brings back.
func (c *container) ping(to string, size int) []byte {
	c.t.Helper()
	a := netip.MustParseAddr(to)
	family, protocol, request := unix.AF_INET, unix.IPPROTO_ICMP, byte(echo4)
	if a.Is6() {
		family, protocol, request = unix.AF_INET6, unix.IPPROTO_ICMPV6, echo6
	}
	msg := append([]byte{request, 0, 0, 0, 1, 2, 3, 4}, bytes.Repeat([]byte{0x5a}, size)...)
	if a.Is4() { // for IPv6 the kernel does it
		binary.BigEndian.PutUint16(msg[2:], sum(0, msg))
	}
	buf := make([]byte, 2048)
	n := 0
	c.do(func() error {
		fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		tv := unix.NsecToTimeval(hang.Nanoseconds())
		if err := errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv), unix.Connect(fd, sockaddr(netip.AddrPortFrom(a, 0)))); err != nil {
			return err
		}
		_, err = unix.Write(fd, msg)
		for err == nil && (n == 0 || buf[0] == advertisement) { // such a socket is shown all messages
			n, err = unix.Read(fd, buf)
		}
		return err
	})
	if a.Is4() {
		return buf[head4:n]
	}
	return buf[:n]
}

func TestGatewayAnswers(t *testing.T) {
	l := newLAN(t)
	a := l.add(plan(1, 2))
	for address, kind := range map[string]byte{"10.77.1.1": echoReply4, "fd77:1::1": echoReply6} {
		if got := a.ping(address, 1000); len(got) != 1008 || got[0] != kind || got[7] != 4 || got[1007] != 0x5a {
			t.Errorf("ping %s brought %d bytes: %x", address, len(got), got)
		}
	}
	for _, address := range []string{"10.77.1.1:80", "[fd77:1::1]:80"} {
		if _, err := a.call(address, hang); !errors.Is(err, unix.EHOSTUNREACH) && !errors.Is(err, unix.EACCES) {
			t.Errorf("%s should say at once that there is no way: %v", address, err)
		}
	}
	if out := a.run("ip", "neigh", "show", "10.77.1.1"); !strings.Contains(out, gatewayOf(bridge(1)).mac.String()) {
		t.Errorf("the gateway has another address than a bridge would have: %s", out)
	}
}

func (m mac) String() string { return net.HardwareAddr(m[:]).String() }

func TestNetworksAreIsolated(t *testing.T) {
	l := newLAN(t)
	a, b := l.add(plan(1, 2)), newContainer(t)
	p := plan(2, 3)
	p.Endpoints[0].Addresses = []netip.Prefix{netip.MustParsePrefix("10.77.1.3/24")} // as if it were on the other one
	p.Endpoints[0].MAC = "02:42:0a:4d:01:03"
	must(t, l.connect(b, p))
	b.serve("10.77.1.3:80")
	if seen, err := a.call("10.77.1.3:80", refusal); err == nil {
		t.Errorf("reached another network, as %s", seen)
	}
	if out := a.run("ip", "neigh", "show", "10.77.1.3"); strings.Contains(out, "lladdr") {
		t.Errorf("another network's container was heard: %s", out)
	}
}

func TestIsolatedMembers(t *testing.T) {
	l := newLAN(t)
	p, q := plan(1, 2), plan(1, 3)
	p.Bridges[0].Isolated, q.Bridges[0].Isolated = true, true
	a, b := l.add(p), l.add(q)
	b.serve("10.77.1.3:80")
	if seen, err := a.call("10.77.1.3:80", refusal); err == nil {
		t.Errorf("reached an isolated container, as %s", seen)
	}
}

func TestAddressIsInUse(t *testing.T) {
	l := newLAN(t)
	l.add(plan(1, 2))
	c := newContainer(t)
	if err := l.connect(c, plan(1, 2)); !errors.Is(err, errTaken) {
		t.Errorf("two members have the same MAC address: %v", err)
	}
	if out := c.run("ip", "-o", "link"); strings.Contains(out, "eth0") {
		t.Errorf("a refused connection left an interface: %s", out)
	}
}

func TestRewire(t *testing.T) {
	l := newLAN(t)
	a, b := l.add(plan(1, 2)), l.add(plan(2, 3))
	b.serve("0.0.0.0:80")
	both := plan(1, 2)
	both.Bridges = append(both.Bridges, bridge(2))
	both.Endpoints = append(both.Endpoints, endpoint(2, 2, "eth1"))
	must(t, a.wires.Rewire(context.Background(), both))
	a.reaches("10.77.2.3:80", "10.77.2.2")

	clash := plan(1, 2)
	clash.Bridges = append(clash.Bridges, bridge(2))
	clash.Endpoints = append(clash.Endpoints, endpoint(2, 3, "eth1"))
	if err := a.wires.Rewire(context.Background(), clash); !errors.Is(err, errTaken) {
		t.Errorf("a member's address was given twice: %v", err)
	}
	a.reaches("10.77.2.3:80", "10.77.2.2")

	must(t, a.wires.Rewire(context.Background(), plan(1, 2)))
	if out := a.run("ip", "-o", "link"); strings.Contains(out, "eth1") || !strings.Contains(out, "eth0") {
		t.Errorf("after it left a network: %s", out)
	}
	if _, err := os.Lstat(filepath.Join(l.folder(bridge(2).Network), "02420a4d0202")); !os.IsNotExist(err) {
		t.Errorf("its cable is still there: %v", err)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	l := newLAN(t)
	a, b := l.add(plan(1, 2)), l.add(plan(1, 3))
	b.serve("10.77.1.3:80")
	a.reaches("10.77.1.3:80", "10.77.1.2")
	before := descriptors(t)
	for range 20 {
		a.close()
		if out := a.run("ip", "-o", "link"); strings.Contains(out, "eth0") {
			t.Fatalf("the interface is still there: %s", out)
		}
		must(t, l.connect(a, plan(1, 2)))
	}
	a.reaches("10.77.1.3:80", "10.77.1.2")
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors became %d", before, after)
	}
	a.close()
	b.close()
	if left, err := os.ReadDir(l.folder(bridge(1).Network)); err != nil || len(left) > 0 {
		t.Errorf("sockets are left: %v %v", left, err)
	}
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

func TestPublishedPort(t *testing.T) {
	l := newLAN(t)
	a := l.add(plan(1, 2))
	a.serve("10.77.1.2:80")
	port := network.Published{Protocol: api.TCP, HostIP: netip.MustParseAddr("127.0.0.1"), To: netip.MustParseAddrPort("10.77.1.2:80")}
	p, err := proxy.Open(context.Background(), []network.Published{port}, proxy.Config{Dial: a.wires.Dial})
	must(t, err)
	defer func() { must(t, p.Close()) }()
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.Ports()[0].HostPort), hang)
	must(t, err)
	defer conn.Close()
	if seen, err := io.ReadAll(conn); string(seen) != "10.77.1.2" || err != nil {
		t.Errorf("the server saw %q, %v", seen, err)
	}
}

func TestManyMembers(t *testing.T) {
	l := newLAN(t)
	var all []*container
	for i := range 20 {
		all = append(all, l.add(plan(1, 10+i)))
		all[i].serve(fmt.Sprintf("10.77.1.%d:80", 10+i))
	}
	for i, c := range all {
		for j := range all {
			if i != j {
				c.reaches(fmt.Sprintf("10.77.1.%d:80", 10+j), fmt.Sprintf("10.77.1.%d", 10+i))
			}
		}
	}
}
