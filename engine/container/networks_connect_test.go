package container_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/learn-containers/learn/engine/oci"
)

func imageWith() oci.ImageConfig { return oci.ImageConfig{} }

func unmarshal(line string, v any) error { return json.Unmarshal([]byte(line), v) }

// inNetwork makes a container that sleeps.
func (b *bench) inNetwork(name string, mode api.NetworkMode, published ...string) *container.Container {
	b.t.Helper()
	c, err := b.Create(b.ctx, container.CreateOptions{Name: name, Image: "img", Config: api.Config{Cmd: []string{"sleep"}},
		HostConfig: api.HostConfig{NetworkMode: mode, PortBindings: ports(published...)}})
	b.must(err)
	return c
}

func (b *bench) plan(name string) string {
	b.t.Helper()
	c, err := b.Find(b.ctx, name)
	b.must(err)
	return drawPlan(c.Net)
}

func TestConnectARunningContainer(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	b.inNetwork("web", "bridge", "80")
	b.start("web")
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return nil }, "eth0 [172.17.0.2/16] via [172.17.0.1] internal=false\ntcp 0.0.0.0 32768-0 to 172.17.0.2:80\ntcp :: 32768-0 to 172.17.0.2:80"},
		{func() error { return b.Connect(b.ctx, "back", "web", settings{"": {IPAMConfig: ip4("10.2.0.7")}}[""]) },
			"eth0 [172.17.0.2/16] via [] internal=false\neth1 [10.2.0.7/24] via [10.2.0.1] internal=false\ntcp 0.0.0.0 32768-0 to 10.2.0.7:80\ntcp :: 32768-0 to 10.2.0.7:80\nnames of [back] closed=false"},
		{func() error { return b.Disconnect(b.ctx, "bridge", "web", false) },
			"eth1 [10.2.0.7/24] via [10.2.0.1] internal=false\ntcp 0.0.0.0 32768-0 to 10.2.0.7:80\ntcp :: 32768-0 to 10.2.0.7:80\nnames of [back] closed=false"},
		{func() error { return b.Connect(b.ctx, "quiet", "web", nil) },
			"eth1 [10.2.0.7/24] via [10.2.0.1] internal=false\neth0 [10.3.0.2/24] via [] internal=true\ntcp 0.0.0.0 32768-0 to 10.2.0.7:80\ntcp :: 32768-0 to 10.2.0.7:80\nnames of [back quiet] closed=false"},
		{func() error { return b.Disconnect(b.ctx, "back", "web", true) },
			"eth0 [10.3.0.2/24] via [] internal=true\nnames of [quiet] closed=true"},
		{func() error { return b.Disconnect(b.ctx, "quiet", "web", false) }, ""},
		{func() error { return b.Connect(b.ctx, "bridge", "web", nil) }, "eth0 [172.17.0.2/16] via [172.17.0.1] internal=false\ntcp 0.0.0.0 32768-0 to 172.17.0.2:80\ntcp :: 32768-0 to 172.17.0.2:80"},
	} {
		b.must(step.do())
		if got := b.plan("web"); got != step.want {
			t.Errorf("got\n%s\nwant\n%s", got, step.want)
		}
	}
	if got := strings.Join(slices.Concat(b.leases("bridge"), b.leases("back"), b.leases("quiet")), ", "); got != "web 172.17.0.2/16" {
		t.Errorf("leases %s", got)
	}
}

func TestConnectAStoppedContainer(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	c := b.inNetwork("web", "bridge")
	b.must(b.Connect(b.ctx, "back", "web", nil))
	b.must(b.Connect(b.ctx, "back", "web", nil)) // docker does not mind
	if got := b.leases("back"); got != nil {
		t.Errorf("leases %v of one that does not run", got)
	}
	b.must(b.Disconnect(b.ctx, "bridge", "web", false))
	b.start("web")
	if got, want := drawPlan(b.task(c.ID).spec.Net), "eth0 [10.2.0.2/24] via [10.2.0.1] internal=false\nnames of [back] closed=false"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b.must(b.Stop(b.ctx, "web", container.StopOptions{}))
	b.must(b.Disconnect(b.ctx, "back", "web", false))
	if c, err := b.Find(b.ctx, "web"); err != nil || len(c.NetworkNames()) > 0 {
		t.Errorf("networks %v, want none: %v", c.NetworkNames(), err)
	}
	b.start("web")
	if got := drawPlan(b.task(c.ID).spec.Net); got != "nothing" {
		t.Errorf("got\n%s", got)
	}
}

func TestConnectWords(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	run := func(name string, mode api.NetworkMode) string {
		c := b.inNetwork(name, mode)
		b.start(name)
		return c.ID
	}
	web, alone := run("web", "back"), b.inNetwork("alone", "back").ID
	run("nothing", "none")
	run("open", "host")
	run("guest", "container:web")
	for _, c := range []struct {
		do   error
		want string
	}{
		{b.Connect(b.ctx, "nope", "web", nil), "network nope not found"},
		{b.Connect(b.ctx, "back", "nobody", nil), "No such container: nobody"},
		{b.Connect(b.ctx, "back", "web", nil), "endpoint with name web already exists in network back"},
		{b.Connect(b.ctx, "host", "web", nil), "cannot connect container to host network - container must be created in host network mode"},
		{b.Connect(b.ctx, "none", "web", nil), "container cannot be connected to multiple networks with one of the networks in private (none) mode"},
		{b.Connect(b.ctx, "back", "nothing", nil), "container cannot be connected to multiple networks with one of the networks in private (none) mode"},
		{b.Connect(b.ctx, "back", "open", nil), "container sharing network namespace with another container or host cannot be connected to any other network"},
		{b.Connect(b.ctx, "back", "guest", nil), "container sharing network namespace with another container or host cannot be connected to any other network"},
		{b.Connect(b.ctx, "bridge", "web", settings{"": {Aliases: []string{"db"}}}[""]), "invalid endpoint settings:\nnetwork-scoped alias is supported only for containers in user defined networks"},
		{b.Connect(b.ctx, "auto", "web", settings{"": {IPAMConfig: ip4("172.18.0.9")}}[""]), "invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets"},
		{b.Disconnect(b.ctx, "nope", "web", false), "network nope not found"},
		{b.Disconnect(b.ctx, "nope", "web", true), "container " + web + " is not connected to the network nope"},
		{b.Disconnect(b.ctx, "front", "web", false), "container " + web + " is not connected to network front"},
		{b.Disconnect(b.ctx, "front", "alone", false), "container " + alone + " is not connected to the network front"},
		{b.Disconnect(b.ctx, "host", "open", false), "cannot disconnect container from host network - container was created in host network mode"},
	} {
		if c.do == nil || c.do.Error() != c.want {
			t.Errorf("got  %v\nwant %s", c.do, c.want)
		}
	}
}

func TestConnectThatFails(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	b.inNetwork("web", "back")
	b.start("web")
	before := b.plan("web")
	b.failRewire = true
	if err := b.Connect(b.ctx, "front", "web", nil); !errors.Is(err, errWires) {
		t.Fatalf("connect: %v", err)
	}
	if err := b.Disconnect(b.ctx, "back", "web", false); !errors.Is(err, errWires) {
		t.Fatalf("disconnect: %v", err)
	}
	c, err := b.Find(b.ctx, "web")
	b.must(err)
	if got := strings.Join(c.NetworkNames(), " "); got != "back" || b.plan("web") != before || b.leases("front") != nil || len(b.leases("back")) != 1 {
		t.Errorf("networks %s, plan %s, leases %v and %v", got, b.plan("web"), b.leases("front"), b.leases("back"))
	}
}

func TestLeaveNoneForAnother(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	b.inNetwork("web", "none")
	b.start("web")
	b.must(b.Disconnect(b.ctx, "none", "web", false))
	b.must(b.Connect(b.ctx, "back", "web", nil))
	if got, want := b.plan("web"), "eth0 [10.2.0.2/24] via [10.2.0.1] internal=false\nnames of [back] closed=false"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEndpointsInDockersShape(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	n, err := b.Networks.Find(b.ctx, "front")
	b.must(err)
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}, ExposedPorts: portSet("80/tcp", "90/udp")},
		HostConfig: api.HostConfig{NetworkMode: "front", PortBindings: ports("127.0.0.1::80")}, Networks: settings{"front": {Aliases: []string{"www"}}}})
	b.must(err)
	look := func() (string, string) {
		v, err := b.Inspect(b.ctx, "web")
		b.must(err)
		e, err := json.Marshal(v.NetworkSettings.Networks["front"])
		b.must(err)
		p, err := json.Marshal(v.NetworkSettings.Ports)
		b.must(err)
		return string(e), string(p)
	}
	if e, p := look(); !strings.Contains(e, `"IPAddress":"","`) || p != "{}" {
		t.Errorf("before it runs: %s, %s", e, p)
	}
	b.start("web")
	e, p := look()
	for _, want := range []string{`"Aliases":["www"]`, `"NetworkID":"` + n.ID + `"`, `"Gateway":"10.1.0.1"`, `"IPAddress":"10.1.0.2","MacAddress":"02:42:0a:01:00:02","IPPrefixLen":24`,
		`"IPv6Gateway":"fd01::1"`, `"GlobalIPv6Address":"fd01::2","GlobalIPv6PrefixLen":64`, `"DNSNames":["web","www","` + c.ID[:12] + `"]`} {
		if !strings.Contains(e, want) {
			t.Errorf("no %s in %s", want, e)
		}
	}
	if want := `{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"32768"}],"90/udp":null}`; p != want {
		t.Errorf("ports %s, want %s", p, want)
	}
	found, err := b.Find(b.ctx, "web")
	b.must(err)
	if got := found.Ports(); len(got) != 2 || got[0].PublicPort != firstFree || got[0].IP.String() != "127.0.0.1" || got[1].PrivatePort != 90 || got[1].PublicPort != 0 {
		t.Errorf("ports %+v", got)
	}
	all, err := b.List(b.ctx, false)
	b.must(err)
	if len(all) != 1 || len(all[0].Ports()) != 2 {
		t.Errorf("listed %+v", all)
	}
}

// TestNetworkOfARunningContainerStays: a network can be removed once nobody who runs is in it, also if others name it.
func TestNetworkOfARunningContainerStays(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	b.inNetwork("web", "back")
	b.inNetwork("idle", "back")
	b.start("web")
	if _, err := b.Networks.Remove(b.ctx, "back"); !errors.As(err, new(*ledger.InUseError)) {
		t.Fatalf("remove: %v", err)
	}
	b.must(b.Stop(b.ctx, "web", container.StopOptions{}))
	_, err := b.Networks.Remove(b.ctx, "back")
	b.must(err)
	if err := b.Start(b.ctx, "web", container.StartOptions{}); !ledger.IsNotFound(err) {
		t.Errorf("start: %v", err)
	}
	b.must(b.Disconnect(b.ctx, "back", "web", false))
	b.start("web")
}
