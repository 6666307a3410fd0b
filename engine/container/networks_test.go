package container_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	api "github.com/moby/moby/api/types/container"
	ntypes "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
)

type settings = map[string]*ntypes.EndpointSettings

func ip4(s string) *ntypes.EndpointIPAMConfig {
	return &ntypes.EndpointIPAMConfig{IPv4Address: netip.MustParseAddr(s)}
}

func subnets(words ...string) []ntypes.IPAMConfig {
	var all []ntypes.IPAMConfig
	for _, w := range words {
		all = append(all, ntypes.IPAMConfig{Subnet: netip.MustParsePrefix(w)})
	}
	return all
}

// testNetworks are those of most tests: front and back with subnets of their own, auto without, quiet that leads nowhere.
func testNetworks(b *bench) {
	b.network(ledger.CreateOptions{Name: "front", Subnets: subnets("10.1.0.0/24", "fd01::/64"), IPv6: true})
	b.network(ledger.CreateOptions{Name: "back", Subnets: subnets("10.2.0.0/24")})
	b.network(ledger.CreateOptions{Name: "auto"})
	b.network(ledger.CreateOptions{Name: "quiet", Internal: true, Subnets: subnets("10.3.0.0/24")})
	b.network(ledger.CreateOptions{Name: "local", Subnets: subnets("10.4.0.0/24"), Options: map[string]string{ledger.OptionHostIP: "127.0.0.1"}})
}

func ports(words ...string) ntypes.PortMap {
	p, err := network.ParsePublish(words)
	if err != nil {
		panic(err)
	}
	return p.Ports
}

func portSet(words ...string) ntypes.PortSet {
	set := ntypes.PortSet{}
	for _, w := range words {
		set[ntypes.MustParsePort(w)] = struct{}{}
	}
	return set
}

// drawPlan writes a plan down, a line for each thing in it.
func drawPlan(p *network.Plan) string {
	if p == nil {
		return "nothing"
	}
	var lines []string
	for i, e := range p.Endpoints {
		lines = append(lines, fmt.Sprintf("%s %v via %v internal=%v", e.Interface, e.Addresses, e.Gateways, p.Bridges[i].Internal))
	}
	for _, port := range p.Ports {
		lines = append(lines, fmt.Sprintf("%s %s %d-%d to %s", port.Protocol, port.HostIP, port.HostPort, port.HostLast, port.To))
	}
	if p.Resolver != nil {
		names := []string{}
		for _, z := range p.Resolver.Zones {
			names = append(names, z.Name)
		}
		lines = append(lines, fmt.Sprintf("names of %v closed=%v", names, p.Resolver.Closed))
	}
	return strings.Join(lines, "\n")
}

func TestPlanOfAContainer(t *testing.T) {
	for _, c := range []struct {
		name     string
		mode     api.NetworkMode
		networks settings
		host     api.HostConfig
		exposed  ntypes.PortSet
		want     string
	}{
		{name: "the default", want: "eth0 [172.17.0.2/16] via [172.17.0.1] internal=false"},
		{name: "the default by its word", mode: "default", want: "eth0 [172.17.0.2/16] via [172.17.0.1] internal=false"},
		{name: "none", mode: "none", want: "nothing"},
		{name: "host", mode: "host", want: "nothing"},
		{name: "both families", mode: "front", want: "eth0 [10.1.0.2/24 fd01::2/64] via [10.1.0.1 fd01::1] internal=false\nnames of [front] closed=false"},
		{name: "internal", mode: "quiet", host: api.HostConfig{PortBindings: ports("80:80")},
			want: "eth0 [10.3.0.2/24] via [] internal=true\nnames of [quiet] closed=true"},
		{name: "mode first, way out by name", mode: "front", networks: settings{"back": nil, "quiet": nil},
			want: "eth0 [10.1.0.2/24 fd01::2/64] via [fd01::1] internal=false\neth1 [10.2.0.2/24] via [10.2.0.1] internal=false\neth2 [10.3.0.2/24] via [] internal=true\nnames of [front back quiet] closed=false"},
		{name: "way out by priority", mode: "front", networks: settings{"back": nil, "front": {GwPriority: 1}},
			want: "eth0 [10.1.0.2/24 fd01::2/64] via [10.1.0.1 fd01::1] internal=false\neth1 [10.2.0.2/24] via [] internal=false\nnames of [front back] closed=false"},
		{name: "address", mode: "back", networks: settings{"back": {IPAMConfig: ip4("10.2.0.9")}},
			want: "eth0 [10.2.0.9/24] via [10.2.0.1] internal=false\nnames of [back] closed=false"},
		{name: "port on all addresses", host: api.HostConfig{PortBindings: ports("8080:80")},
			want: "eth0 [172.17.0.2/16] via [172.17.0.1] internal=false\ntcp 0.0.0.0 8080-0 to 172.17.0.2:80\ntcp :: 8080-0 to 172.17.0.2:80"},
		{name: "ports in both families", mode: "front", host: api.HostConfig{PortBindings: ports("8000-8010:80/udp", "127.0.0.1:90:90")},
			want: "eth0 [10.1.0.2/24 fd01::2/64] via [10.1.0.1 fd01::1] internal=false\nudp 0.0.0.0 8000-8010 to 10.1.0.2:80\nudp :: 8000-8010 to [fd01::2]:80\ntcp 127.0.0.1 90-0 to 10.1.0.2:90\nnames of [front] closed=false"},
		{name: "the network's own address of the host", mode: "local", host: api.HostConfig{PortBindings: ports("80:80", "[::1]:81:80")},
			want: "eth0 [10.4.0.2/24] via [10.4.0.1] internal=false\ntcp 127.0.0.1 80-0 to 10.4.0.2:80\ntcp ::1 81-0 to 10.4.0.2:80\nnames of [local] closed=false"},
		{name: "all exposed ports, those with a number first", mode: "local", host: api.HostConfig{PublishAllPorts: true, PortBindings: ports("9000:90")},
			exposed: portSet("80/tcp", "80/udp", "90/tcp"),
			want:    "eth0 [10.4.0.2/24] via [10.4.0.1] internal=false\ntcp 127.0.0.1 9000-0 to 10.4.0.2:90\ntcp 127.0.0.1 0-0 to 10.4.0.2:80\nudp 127.0.0.1 0-0 to 10.4.0.2:80\nnames of [local] closed=false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newNetBench(t)
			testNetworks(b)
			c.host.NetworkMode = c.mode
			made, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}, ExposedPorts: c.exposed}, HostConfig: c.host, Networks: c.networks})
			b.must(err)
			b.start("web")
			spec := b.task(made.ID).spec
			if got := drawPlan(spec.Net); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if want := map[bool]string{true: driver.NetworkHost}[c.mode == "host"]; spec.Network != want {
				t.Errorf("network %q, want %q", spec.Network, want)
			}
		})
	}
}

func TestNetworksThatCantBe(t *testing.T) {
	mac := &ntypes.EndpointSettings{MacAddress: ntypes.HardwareAddr{2, 0x42, 1, 2, 3, 4}}
	for _, c := range []struct {
		name     string
		mode     api.NetworkMode
		networks settings
		host     api.HostConfig
		config   api.Config
		want     string
	}{
		{name: "address on the bridge", networks: settings{"bridge": {IPAMConfig: ip4("172.17.0.9")}},
			want: "invalid config for network bridge: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only"},
		{name: "alias on the bridge", networks: settings{"bridge": {Aliases: []string{"db"}}},
			want: "invalid config for network bridge: invalid endpoint settings:\nnetwork-scoped alias is supported only for containers in user defined networks"},
		{name: "address in a drawn subnet", mode: "auto", networks: settings{"auto": {IPAMConfig: ip4("172.18.0.9")}},
			want: "invalid config for network auto: invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets"},
		{name: "address of another subnet", mode: "back", networks: settings{"back": {IPAMConfig: ip4("10.9.0.9")}},
			want: "invalid config for network back: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.9.0.9"},
		{name: "a group's hardware address", mode: "back", networks: settings{"back": {MacAddress: ntypes.HardwareAddr{1, 0, 0, 0, 0, 0}}},
			want: "invalid config for network back: invalid endpoint settings:\ninvalid MAC address 01:00:00:00:00:00"},
		{name: "host and another", mode: "host", networks: settings{"back": nil},
			want: "container sharing network namespace with another container or host cannot be connected to any other network"},
		{name: "none and another", mode: "none", networks: settings{"back": nil},
			want: "container cannot be connected to multiple networks with one of the networks in private (none) mode"},
		{name: "container and another", mode: "container:other", networks: settings{"back": nil},
			want: "container sharing network namespace with another container or host cannot be connected to any other network"},
		{name: "container and ports", mode: "container:other", host: api.HostConfig{PortBindings: ports("80:80")},
			want: "conflicting options: port publishing and the container type network mode"},
		{name: "container and all ports", mode: "container:other", host: api.HostConfig{PublishAllPorts: true},
			want: "conflicting options: port publishing and the container type network mode"},
		{name: "container and exposed ports", mode: "container:other", config: api.Config{ExposedPorts: portSet("80/tcp")},
			want: "conflicting options: port exposing and the container type network mode"},
		{name: "container and dns", mode: "container:other", host: api.HostConfig{DNS: []netip.Addr{netip.MustParseAddr("1.1.1.1")}},
			want: "conflicting options: dns and the network mode"},
		{name: "container and hosts", mode: "container:other", host: api.HostConfig{ExtraHosts: []string{"a:1.2.3.4"}},
			want: "conflicting options: custom host-to-IP mapping and the network mode"},
		{name: "container and links", mode: "container:other", host: api.HostConfig{Links: []string{"a:b"}},
			want: "conflicting options: container type network can't be used with links. This would result in undefined behavior"},
		{name: "container and mac", mode: "container:other", networks: settings{"container:other": mac}, want: "conflicting options: mac-address and the network mode"},
		{name: "host and mac", mode: "host", networks: settings{"host": mac}, want: "conflicting options: mac-address and the network mode"},
		{name: "host and links", mode: "host", host: api.HostConfig{Links: []string{"a:b"}},
			want: "conflicting options: host type networking can't be used with links. This would result in undefined behavior"},
		{name: "a port that is none", host: api.HostConfig{PortBindings: ntypes.PortMap{ntypes.MustParsePort("80"): {{HostPort: "x"}}}}, want: `invalid port specification: "x"`},
		{name: "a name without an address", host: api.HostConfig{ExtraHosts: []string{"a"}}, want: `bad format for add-host: "a"`},
		{name: "a name with no address", host: api.HostConfig{ExtraHosts: []string{"a:b"}}, want: `invalid IP address in add-host: "b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newNetBench(t)
			testNetworks(b)
			b.create("other", "sleep")
			c.host.NetworkMode, c.config.Cmd = c.mode, []string{"sleep"}
			_, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: c.config, HostConfig: c.host, Networks: c.networks})
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if _, err := b.Find(b.ctx, "web"); err == nil {
				t.Error("it was made")
			}
		})
	}
}

func TestNetworksByNameAndID(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	n, err := b.Networks.Find(b.ctx, "back")
	b.must(err)
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}},
		HostConfig: api.HostConfig{NetworkMode: api.NetworkMode(n.ID[:12])}, Networks: settings{n.ID: {Aliases: []string{"db", "web"}}}})
	b.must(err)
	if got := strings.Join(c.NetworkNames(), " "); got != "back" || c.HostConfig.NetworkMode != "back" {
		t.Errorf("networks %s, mode %s, want back", got, c.HostConfig.NetworkMode)
	}
	b.start("web")
	given, err := b.Networks.Leases(b.ctx, n)
	b.must(err)
	if want := []string{"web", "db", c.ID[:12]}; len(given) != 1 || !slices.Equal(given[0].Names, want) {
		t.Errorf("leases %v, want names %v", given, want)
	}
	b.must(b.Rename(b.ctx, "web", "www"))
	if given, err = b.Networks.Leases(b.ctx, n); err != nil || !given[0].Called("www") || given[0].Name != "www" {
		t.Errorf("leases %v, want one called www: %v", given, err)
	}
}

func TestMachineWithoutNetworks(t *testing.T) {
	b := newBench(t, imageWith())
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{NetworkMode: "bridge", PortBindings: ports("80:80")}})
	b.must(err)
	if c.HostConfig.NetworkMode != "none" || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "Published ports are discarded") {
		t.Errorf("mode %s, warnings %q", c.HostConfig.NetworkMode, c.Warnings)
	}
	_, err = b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{NetworkMode: "mine"}})
	if err == nil || !strings.HasPrefix(err.Error(), "network mine: this machine's driver can't connect containers") {
		t.Errorf("a user's network: %v", err)
	}
	if err := b.Connect(b.ctx, "mine", "web", nil); err == nil {
		t.Error("it was connected")
	}
}

func TestHostModeWarnsOfPorts(t *testing.T) {
	b := newNetBench(t)
	c, err := b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{NetworkMode: "host", PortBindings: ports("80:80")}})
	b.must(err)
	if !slices.Equal(c.Warnings, []string{"Published ports are discarded when using host network mode"}) {
		t.Errorf("warnings %q", c.Warnings)
	}
}

func TestStartInANetworkThatIsGone(t *testing.T) {
	b := newNetBench(t)
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{NetworkMode: "later"}, Networks: settings{"bridge": nil}})
	b.must(err)
	err = b.Start(b.ctx, "web", container.StartOptions{})
	if want := "failed to set up container networking: network later not found"; err == nil || err.Error() != want {
		t.Errorf("start: %v, want %s", err, want)
	}
	if s := b.state("web"); s.Status != api.StateCreated || s.Starting {
		t.Errorf("state %+v", s)
	}
	if b.task(c.ID) != nil {
		t.Error("there is a task")
	}
	b.network(ledger.CreateOptions{Name: "later"})
	b.start("web")
}

// TestLeasesEndWithTheirContainers looks at the files: void ones would not be counted as leases.
func TestLeasesEndWithTheirContainers(t *testing.T) {
	policy := func(h *api.HostConfig) { h.RestartPolicy.Name = api.RestartPolicyAlways }
	for _, c := range []struct {
		name string
		args []string
		host func(*api.HostConfig)
		end  func(b *bench, id string)
	}{
		{name: "stop", end: func(b *bench, id string) { b.must(b.Stop(b.ctx, id, container.StopOptions{})) }},
		{name: "kill", end: func(b *bench, id string) { b.must(b.Kill(b.ctx, id, "")) }},
		{name: "remove", end: func(b *bench, id string) { b.must(b.Remove(b.ctx, id, true)) }},
		{name: "own end", args: []string{"exit", "3"}, end: func(b *bench, id string) {
			if _, err := b.Wait(b.ctx, id); err != nil {
				b.t.Fatal(err)
			}
		}},
		{name: "lost", end: func(b *bench, id string) { b.crash(); b.state(id) }},
		{name: "no command", args: []string{"nope"}, end: func(*bench, string) {}},
		{name: "stopped while it rests", args: []string{"exit", "3"}, host: policy, end: func(b *bench, id string) {
			<-b.task(id).ended
			b.state(id)
			b.must(b.Stop(b.ctx, id, container.StopOptions{}))
		}},
		{name: "its rest was cut short", args: []string{"exit", "3"}, host: policy, end: func(b *bench, id string) {
			<-b.task(id).ended
			b.state(id)
			b.must(b.task(id).Dismiss(b.ctx))
			b.state(id)
		}},
		{name: "removes itself", args: []string{"exit", "0"}, host: func(h *api.HostConfig) { h.AutoRemove = true }, end: func(b *bench, id string) {
			if _, err := b.Wait(b.ctx, id); err != nil {
				b.t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newNetBench(t)
			testNetworks(b)
			h := api.HostConfig{NetworkMode: "back"}
			if c.host != nil {
				c.host(&h)
			}
			if c.args == nil {
				c.args = []string{"sleep"}
			}
			made, err := b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: c.args}, HostConfig: h, Networks: settings{"front": nil}})
			b.must(err)
			_ = b.Start(b.ctx, made.ID, container.StartOptions{})
			if got := len(b.events.kinds("network.lease")); got != 2 {
				t.Fatalf("%d leases were told, want 2", got)
			}
			c.end(b, made.ID)
			if left, _ := filepath.Glob(filepath.Join(b.home.Networks(), "*", "leases", "*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if got := len(b.events.kinds("network.release")); got != 2 {
				t.Errorf("%d releases were told, want 2", got)
			}
		})
	}
}

func TestRestartKeepsTheAddress(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	h := api.HostConfig{NetworkMode: "back", RestartPolicy: api.RestartPolicy{Name: api.RestartPolicyAlways}}
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img", Config: api.Config{Cmd: []string{"exit", "3"}}, HostConfig: h})
	b.must(err)
	b.start("web")
	<-b.task(c.ID).ended
	if s := b.state("web"); !s.Restarting {
		t.Fatalf("state %+v", s)
	}
	other, err := b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{NetworkMode: "back"}})
	b.must(err)
	b.start(other.ID)
	b.must(b.Again(b.ctx, c.ID))
	if got := b.task(c.ID).spec.Net.Endpoints[0].Addresses[0].String(); got != "10.2.0.2/24" {
		t.Errorf("address %s, want the one it had", got)
	}
}

func TestHoldsAsksWithoutALock(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	c := b.inNetwork("web", "back")
	back, err := b.Networks.Find(b.ctx, "back")
	b.must(err)
	holds := func(when string, want bool) {
		t.Helper()
		if got := b.Holds(b.ctx, back.ID, c.ID); got != want {
			t.Errorf("%s: holds %v", when, got)
		}
	}
	holds("before its start", false)
	b.start("web")
	holds("while it runs", true)
	if b.Holds(b.ctx, c.ID, c.ID) || b.Holds(b.ctx, back.ID, "web") {
		t.Error("it holds what is no network")
	}
	unlock, err := b.home.LockFolder(b.ctx, filepath.Join(b.home.Containers(), c.ID))
	b.must(err)
	holds("while its record is changed", true)
	unlock()
	b.crash()
	holds("once it is lost", false)
}

// TestLeaseOfADeadConnect: whoever was about to connect a container that runs left a lease behind.
func TestLeaseOfADeadConnect(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	c := b.inNetwork("web", "back")
	b.start("web")
	front, err := b.Networks.Find(b.ctx, "front")
	b.must(err)
	_, err = b.Networks.Claim(b.ctx, front, ledger.Request{Container: c.ID, Name: "web"})
	b.must(err)
	if got := b.leases("front"); got != nil {
		t.Errorf("leases %v of one that is not connected", got)
	}
	b.must(b.Networks.Sweep(b.ctx))
	if left, _ := filepath.Glob(filepath.Join(b.Networks.LeasesDir(front.ID), "*")); left != nil {
		t.Errorf("left: %v", left)
	}
	if got := b.leases("back"); len(got) != 1 {
		t.Errorf("leases %v, want that of web", got)
	}
}

func TestHostGateway(t *testing.T) {
	for mode, want := range map[api.NetworkMode]string{"": "172.17.0.1", "back": "10.2.0.1", "none": "172.17.0.1"} {
		b := newNetBench(t)
		testNetworks(b)
		c, err := b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}},
			HostConfig: api.HostConfig{NetworkMode: mode, ExtraHosts: []string{"me:host-gateway", "you:fd00::1"}}})
		b.must(err)
		b.start(c.ID)
		if got := b.task(c.ID).spec.Hosts; !slices.Equal(got, []string{"me:" + want, "you:fd00::1"}) {
			t.Errorf("mode %q: %q", mode, got)
		}
	}
}

// toldOfNetworks are the actions on networks in the event log, with the networks' names.
func (b *bench) toldOfNetworks() []string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.home.Root(), "events", "log"))
	b.must(err)
	var all []string
	for line := range strings.Lines(string(data)) {
		var m events.Message
		b.must(unmarshal(line, &m))
		if m.Type == "network" && m.Action != "create" {
			all = append(all, string(m.Action)+" "+m.Actor.Attributes["name"]+" "+m.Actor.Attributes["type"])
		} else if m.Type == "container" && (m.Action == "start" || m.Action == "die" || m.Action == "stop") {
			all = append(all, string(m.Action))
		}
	}
	return all
}

func TestNetworkEvents(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	b.create("web", "sleep")
	b.start("web")
	b.must(b.Connect(b.ctx, "back", "web", nil))
	b.must(b.Disconnect(b.ctx, "bridge", "web", false))
	b.must(b.Stop(b.ctx, "web", container.StopOptions{}))
	want := []string{"connect bridge bridge", "start", "connect back bridge", "disconnect bridge bridge", "die", "disconnect back bridge", "stop"}
	if got := b.toldOfNetworks(); !slices.Equal(got, want) {
		t.Errorf("told %q\nwant %q", got, want)
	}
}

func TestLinks(t *testing.T) {
	b := newNetBench(t)
	testNetworks(b)
	db := b.inNetwork("db", "bridge")
	link := func(mode api.NetworkMode, words ...string) (*container.Container, error) {
		return b.Create(b.ctx, container.CreateOptions{Image: "img", Config: api.Config{Cmd: []string{"sleep"}}, HostConfig: api.HostConfig{NetworkMode: mode, Links: words}})
	}
	for word, want := range map[string]string{"nobody:x": "could not get container for nobody: No such container: nobody", "db:": "bad format for links: db:"} {
		if _, err := link("bridge", word); err == nil || err.Error() != want {
			t.Errorf("link %s: %v, want %s", word, err, want)
		}
	}
	web, err := link("bridge", "db:data")
	b.must(err)
	if err := b.Start(b.ctx, web.ID, container.StartOptions{}); err == nil || err.Error() != "Cannot link to a non running container: /db AS /"+web.Name+"/data" {
		t.Errorf("start: %v", err)
	}
	b.start("db")
	b.start(web.ID)
	if got, want := b.task(web.ID).spec.Hosts, []string{"data:172.17.0.2", db.ID[:12] + ":172.17.0.2", "db:172.17.0.2"}; !slices.Equal(got, want) {
		t.Errorf("hosts %q, want %q", got, want)
	}
	apart, err := link("back", "db")
	b.must(err)
	if err := b.Start(b.ctx, apart.ID, container.StartOptions{}); err == nil {
		t.Error("it is linked to another network")
	}
}

func TestPortOfAnother(t *testing.T) {
	const asks = "it is taken"
	for _, c := range []struct{ has, wants, holds string }{
		{"8080:80", "8080:90", "0.0.0.0:8080"},
		{"127.0.0.1:8080:80", "8080:80", "0.0.0.0:8080"},
		{"8080:80", "127.0.0.1:8080:80", "127.0.0.1:8080"},
		{"127.0.0.1:8080:80", "127.0.0.2:8080:80", ""},
		{"8080:80", "8080:80/udp", ""},
		{"8080:80", "8080-8081:80", ""},
		{"80", "80", ""},
	} {
		b := newNetBench(t)
		b.inNetwork("web", "bridge", c.has)
		b.start("web")
		b.inNetwork("late", "bridge", c.wants)
		b.failStart = errors.New(asks)
		err := b.Start(b.ctx, "late", container.StartOptions{})
		id := ""
		if err != nil && c.holds != "" {
			_, id, _ = strings.Cut(err.Error(), "on endpoint late (")
			id, _, _ = strings.Cut(id, ")")
		}
		want := asks
		if c.holds != "" {
			want = "failed to set up container networking: driver failed programming external connectivity on endpoint late (" + id + "): Bind for " + c.holds + " failed: port is already allocated (container web has it)"
		}
		if err == nil || err.Error() != want || c.holds != "" && len(id) != 64 {
			t.Errorf("%s after %s: %v\nwant %s", c.wants, c.has, err, want)
		}
	}
}
