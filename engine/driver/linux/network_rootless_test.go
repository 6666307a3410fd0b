//go:build linux

package linux

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/moby/moby/api/types/network"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/driver/linux/rootnet"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/network"
)

// connectedSpec is that of a container with a host's number on a network, which has a shell run a script.
func (l *lab) connectedSpec(t *testing.T, net, host int, script string) driver.Spec {
	t.Helper()
	spec := l.spec(t, "sh", "-c", script)
	spec.ID = fmt.Sprintf("%062x%02x", os.Getpid(), host)
	spec.Dir, spec.Key = filepath.Join(l.home.Containers(), spec.ID), spec.ID
	must(t, os.MkdirAll(spec.Dir, 0o700))
	id := fmt.Sprintf("%064x", net)
	bridge := network.Bridge{Network: id, Name: fmt.Sprintf("br%d", net), Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.87.%d.1/24", net))}}
	spec.Net = &network.Plan{Container: spec.ID, Bridges: []network.Bridge{bridge}, Endpoints: []network.Endpoint{{ID: fmt.Sprintf("%060x%02x%02x", 1, net, host), Network: id, Bridge: bridge.Name,
		HostEnd: fmt.Sprintf("veth%d%d", net, host), Interface: "eth0", MAC: fmt.Sprintf("02:42:0a:57:%02x:%02x", net, host), Addresses: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.87.%d.%d/24", net, host))}}}}
	return spec
}

// serving starts a web server there, published on the host's loopback.
func (l *lab) serving(t *testing.T, net, host int) (id string) {
	t.Helper()
	spec := l.connectedSpec(t, net, host, "busybox mkdir /www; echo hello > /www/index.html; exec busybox httpd -f -p 80 -h /www")
	to := netip.AddrPortFrom(spec.Net.Endpoints[0].Addresses[0].Addr(), 80)
	spec.Net.Ports = []network.Published{{Protocol: api.TCP, HostIP: netip.MustParseAddr("127.0.0.1"), To: to}}
	tk := l.create(t, spec)
	ctx, cancel := context.WithTimeout(context.Background(), drivertest.Patience())
	defer cancel()
	must(t, tk.Start(ctx, driver.Streams{}))
	return spec.ID
}

// fetching is a script that tries until it has a page, or for the times given.
func fetching(times int, address string) string {
	return fmt.Sprintf(`for i in $(seq %d); do printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 2 %s 80 | tail -n 1 | grep hello && exit 0; sleep 0.1; done; exit 1`, times, address)
}

func needOrdinaryUser(t *testing.T) *lab {
	l := newLab(t)
	if !l.mode.Rootless {
		t.Skip("is about ordinary users: TestAsOrdinaryUser runs it")
	}
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	if lo.Attrs().Flags&net.FlagUp == 0 { // in a namespace of our own
		must(t, netlink.LinkSetUp(lo))
	}
	return l
}

func TestNetworkOfOrdinaryUser(t *testing.T) {
	l := needOrdinaryUser(t)
	server := l.serving(t, 1, 3)
	if out, exit := l.run(t, l.connectedSpec(t, 1, 2, fetching(100, "10.87.1.3"))); exit.Code != 0 || !strings.HasSuffix(out, "hello\n") {
		t.Errorf("on the same network: %q, %+v", out, exit)
	}
	if out, exit := l.run(t, l.connectedSpec(t, 2, 4, fetching(2, "10.87.1.3"))); exit.Code != 1 {
		t.Errorf("on another network: %q, %+v", out, exit)
	}
	plan, ok := l.runtime.connected().Read(server)
	if !ok || !plan.Alive {
		t.Fatalf("the server is not recorded as connected: %+v", plan)
	}
	client := http.Client{Timeout: drivertest.Patience()}
	reply, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", plan.Ports[0].HostPort))
	must(t, err)
	defer reply.Body.Close()
	if page, err := io.ReadAll(reply.Body); string(page) != "hello\n" || err != nil {
		t.Errorf("by the published port: %q, %v", page, err)
	}
}

func TestNetworkAfterSupervisorWasKilled(t *testing.T) {
	l := needOrdinaryUser(t)
	for range 3 {
		id := l.serving(t, 1, 3)
		rec, ok := shim.ReadRecord(filepath.Join(l.home.Containers(), id))
		if !ok {
			t.Fatal("the server has no record")
		}
		fd, err := unix.PidfdOpen(rec.ShimPid, 0)
		must(t, err)
		must(t, unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0))
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(drivertest.Patience().Milliseconds()))
		must(t, err)
		_ = unix.Close(fd)
		must(t, l.runtime.SweepNetworks(context.Background()))
		if _, ok := l.runtime.connected().Read(id); ok {
			t.Error("the dead container is still recorded as connected")
		}
		must(t, os.RemoveAll(filepath.Join(l.home.Containers(), id)))
	}
	l.serving(t, 1, 3)
	if out, exit := l.run(t, l.connectedSpec(t, 1, 2, fetching(100, "10.87.1.3"))); exit.Code != 0 {
		t.Errorf("after three dead ones with the same address: %q, %+v", out, exit)
	}
}

// asking is a script that does so once, and does not end its side of the connection early: old versions of pasta lose the answer then.
func asking(address string) string {
	return fmt.Sprintf(`{ printf 'GET / HTTP/1.0\r\n\r\n'; sleep 1; } | busybox nc -w 2 %s 80 | tail -n 1 | grep hello`, address)
}

// outsideServer gives the namespace that the test is in an interface with an address and a default route. An ordinary user may do that only where
// the namespace is nested.
func outsideServer(t *testing.T) {
	t.Helper()
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "uplink"}, PeerName: "far"}); err != nil {
		t.Skip("needs a network namespace of its own:", err)
	}
	near, err := netlink.LinkByName("uplink")
	must(t, err)
	t.Cleanup(func() { must(t, netlink.LinkDel(near)) })
	far, err := netlink.LinkByName("far")
	must(t, err)
	must(t, netlink.LinkSetUp(far))
	must(t, netlink.LinkSetUp(near))
	must(t, netlink.AddrAdd(near, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(192, 0, 2, 1), Mask: net.CIDRMask(24, 32)}}))
	must(t, netlink.RouteAdd(&netlink.Route{Gw: net.IPv4(192, 0, 2, 2)}))
}

// networkTestsOf are the tests of this file that have to pass in one of the ways in which an ordinary user's are run.
func networkTestsOf(t *testing.T, way string) []string {
	all := []string{"TestNetworkOfOrdinaryUser", "TestNetworkAfterSupervisorWasKilled"}
	if way != "nested" { // only there the network is theirs alone, and the outside can be made up
		return all
	}
	all = append(all, "TestNetworkOfTheHost ")
	if _, err := rootnet.CheckTools(os.Getenv("PATH")); err != nil {
		if os.Getenv("CI") != "" {
			t.Errorf("the way out can't be tested: %v", err)
		}
		return all
	}
	return append(all, "TestNetworkWayOut")
}

func TestNetworkWayOut(t *testing.T) {
	l := needOrdinaryUser(t)
	if _, err := rootnet.CheckTools(os.Getenv("PATH")); err != nil {
		t.Skip(err)
	}
	outsideServer(t)
	listener, err := net.Listen("tcp", "192.0.2.1:80")
	must(t, err)
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") })}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()
	spec := l.connectedSpec(t, 1, 2, asking("192.0.2.1"))
	spec.Net.Endpoints[0].Gateways = []netip.Addr{spec.Net.Bridges[0].Addresses[0].Addr()}
	if out, exit := l.run(t, spec); exit.Code != 0 {
		t.Errorf("the outside is out of reach: %q, %+v", out, exit)
	}
	if out, exit := l.run(t, l.connectedSpec(t, 1, 3, asking("192.0.2.1"))); exit.Code != 1 {
		t.Errorf("without a default route the outside is reached: %q, %+v", out, exit)
	}
}

func TestNetworkPortOfRoot(t *testing.T) {
	l := needOrdinaryUser(t)
	if c, err := net.Listen("tcp", "127.0.0.1:80"); err == nil {
		_ = c.Close()
		t.Skip("everybody may have port 80 here")
	}
	spec := l.connectedSpec(t, 1, 2, "true")
	spec.Net.Ports = []network.Published{{Protocol: api.TCP, HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: 80, HostLast: 80, To: netip.MustParseAddrPort("10.87.1.2:80")}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := l.create(t, spec).Start(ctx, driver.Streams{})
	for _, want := range []string{"port 80", "ip_unprivileged_port_start", "sysctl"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error says nothing of %q: %v", want, err)
		}
	}
}
