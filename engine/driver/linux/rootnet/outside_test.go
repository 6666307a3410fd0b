//go:build linux

package rootnet

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// insideMachine: the test binary is in a network namespace of its own, which stands for the machine, with one tool alone on its PATH.
const insideMachine = "machine"

func TestWayOut(t *testing.T) {
	if os.Getenv(enterVariable) != "" {
		t.Skip("is inside")
	}
	needRoot(t)
	for _, tool := range Tools() {
		t.Run(tool, func(t *testing.T) {
			path, err := exec.LookPath(tool)
			if err != nil {
				lacks(t, "needs "+tool+" (Debian: passt, slirp4netns)")
			}
			dir := t.TempDir()
			must(t, os.Symlink(path, filepath.Join(dir, tool)))
			out, err := machineTest(t.TempDir(), dir, "^TestReachesOut$").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestReachesOut") {
				t.Errorf("%v\n%s", err, out)
			}
		})
		t.Run(tool+" dies with the supervisor", func(t *testing.T) {
			path, err := exec.LookPath(tool)
			if err != nil {
				lacks(t, "needs "+tool+" (Debian: passt, slirp4netns)")
			}
			dir := t.TempDir()
			must(t, os.Symlink(path, filepath.Join(dir, tool)))
			diesWithSupervisor(t, machineTest(t.TempDir(), dir, "^TestHoldsOut$"))
		})
	}
}

// machineTest runs a test of this binary on a machine of its own. What it leaves when it is killed lies in dir.
func machineTest(dir, path, name string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run", name)
	cmd.Env = []string{"PATH=" + path, "TMPDIR=" + dir, enterVariable + "=" + insideMachine}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{Size: 1}}, GidMappings: []syscall.SysProcIDMap{{Size: 1}}}
	return cmd
}

func diesWithSupervisor(t *testing.T, cmd *exec.Cmd) {
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid := 0
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "the tool is process %d", &pid)
	}
	if pid == 0 {
		t.Fatal("the tool did not start")
	}
	fd, err := unix.PidfdOpen(pid, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, cmd.Process.Kill())
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(hang.Milliseconds())); n != 1 {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		t.Errorf("the tool outlived the supervisor: %v", err)
	}
}

// newMachine makes the namespace that the test is in a machine with an uplink to a server, at 192.0.2.2.
func newMachine(t *testing.T) (server *container) {
	if os.Getenv(enterVariable) != insideMachine {
		t.Skip("runs on a machine of its own, see TestWayOut")
	}
	server = newContainer(t)
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "uplink"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(server.netns)}))
	up := func(name, address string) error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(l); err != nil || address == "" {
			return err
		}
		return netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(address), Mask: net.CIDRMask(24, 32)}})
	}
	must(t, up("lo", ""))
	must(t, up("uplink", "192.0.2.1"))
	server.do(func() error { return up("eth0", "192.0.2.2") })
	must(t, netlink.RouteAdd(&netlink.Route{Gw: net.IPv4(192, 0, 2, 2)}))
	server.serve("192.0.2.2:80")
	return server
}

// planOut is that of a container with a way out.
func planOut(net, host int) network.Plan {
	p := plan(net, host)
	p.Endpoints[0].Gateways = []netip.Addr{bridge(net).Addresses[0].Addr()}
	return p
}

func TestReachesOut(t *testing.T) {
	newMachine(t)
	secret, err := net.Listen("tcp", "127.0.0.1:8080")
	must(t, err)
	defer secret.Close()
	l := newLAN(t)
	a := l.add(planOut(1, 2))
	if a.lacks != nil {
		t.Fatal(a.lacks)
	}
	a.reaches("192.0.2.2:80", "192.0.2.1")
	if last := a.told[len(a.told)-1]; last.Gateway != netip.MustParseAddr("10.0.2.2") || last.Interface != wayOut || last.Network != bridge(1).Network {
		t.Errorf("the route was told as %+v", last)
	}
	for _, address := range []string{"10.0.2.2:8080", "10.0.2.3:8080", "10.77.1.1:8080"} {
		if _, err := a.call(address, refusal); err == nil {
			t.Errorf("what listens on the host's loopback is reached by %s", address)
		}
	}
	b := l.add(plan(1, 3)) // without a way out
	if _, err := b.call("192.0.2.2:80", refusal); err == nil {
		t.Error("a container without a way out reached the server")
	}
	b.serve("10.77.1.3:80")
	a.reaches("10.77.1.3:80", "10.77.1.2")

	tool := a.wires.outside
	must(t, a.wires.Rewire(context.Background(), plan(1, 2))) // all of its networks are internal now
	<-tool.gone
	if _, err := a.call("192.0.2.2:80", refusal); err == nil {
		t.Error("the way out is still there")
	}
	must(t, a.wires.Rewire(context.Background(), planOut(1, 2)))
	a.reaches("192.0.2.2:80", "192.0.2.1")
	both := planOut(1, 2)
	both.Endpoints[0].Gateways = append(both.Endpoints[0].Gateways, bridge(1).Addresses[1].Addr())
	must(t, a.wires.Rewire(context.Background(), both)) // though this machine has no IPv6
	a.reaches("192.0.2.2:80", "192.0.2.1")
	tool = a.wires.outside
	a.close()
	<-tool.gone
	if out, err := os.ReadFile("/proc/thread-self/children"); err == nil && len(out) > 0 {
		t.Errorf("processes are left: %s", out)
	}
}

// TestHoldsOut is a supervisor that is killed.
func TestHoldsOut(t *testing.T) {
	newMachine(t)
	a := newLAN(t).add(planOut(1, 2))
	if a.lacks != nil {
		t.Fatal(a.lacks)
	}
	fmt.Printf("the tool is process %d\n", a.wires.outside.process)
	select {}
}

func TestNoWayOut(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	a := newLAN(t).add(planOut(1, 2))
	if a.lacks == nil || !strings.Contains(a.lacks.Error(), "pasta") || a.wires.Outside() != "" {
		t.Errorf("without a tool there is a way out: %v, %q", a.lacks, a.wires.Outside())
	}
	if _, err := a.call("192.0.2.2:80", hang); err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("a program should know at once that there is no way: %v", err)
	}
}

func TestSubnetOfTheWayOut(t *testing.T) {
	all := subnets()
	p := plan(1, 2)
	if !free(all[0], p, nil) || free(all[0], p, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}) {
		t.Error("what the host uses is free, or all is in use")
	}
	p.Endpoints[0].Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.2.7/16")}
	if free(all[0], p, nil) || !free(all[1], p, nil) {
		t.Error("a network's subnet is free, or all is in use")
	}
}
