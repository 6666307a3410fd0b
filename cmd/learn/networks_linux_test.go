//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracefile"
	"github.com/learn-containers/learn/trace/vocab"
)

// page is what the web server of serve answers with.
func page(name string) string { return "page of " + name }

// serve starts a web server in a container.
func (m *machine) serve(name string, options ...string) {
	m.t.Helper()
	words := append([]string{"run", "-d", "--name", name}, options...)
	m.must(append(words, "learn/base", "sh", "-c", "mkdir /w; echo '"+page(name)+"' >/w/index.html; exec httpd -f -p 80 -h /w")...)
	m.must("exec", name, "sh", "-c", "until wget -qO- http://127.0.0.1/; do sleep 0.02; done")
}

// fetches reports whether a container gets the page of another by address or name.
func (m *machine) fetches(from, address, name string) bool {
	m.t.Helper()
	return m.docker("exec", from, "wget", "-T", "2", "-qO-", "http://"+address+"/").out == page(name)+"\n"
}

func (m *machine) address(name string) string {
	m.t.Helper()
	return m.must("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
}

// curl gets a page from the namespace itself.
func (n *netns) curl(url string) string {
	out, _ := n.run("curl", "-s", "-m", "3", url)
	return strings.TrimSpace(out)
}

// TestPublishedPorts: what is published answers on the host, where it was published, and nowhere else.
func TestPublishedPorts(t *testing.T) {
	m, n := newNetworked(t)
	m.serve("web", "-p", "8080:80")
	m.serve("local", "-p", "127.0.0.1:8081:80")
	m.serve("random", "-P", "--expose", "80")
	m.serve("twin", "-p", "8082:80") // the same port inside as the others
	port := regexp.MustCompile(`0\.0\.0\.0:(\d+)`).FindStringSubmatch(m.must("port", "random", "80"))
	if port == nil {
		t.Fatalf("port: %q", m.must("port", "random"))
	}
	for at, name := range map[string]string{"8080": "web", "8081": "local", port[1]: "random", "8082": "twin"} {
		if got := n.curl("http://127.0.0.1:" + at + "/"); got != page(name) {
			t.Errorf("port %s: %q", at, got)
		}
	}
	if got := n.curl("http://[::1]:8080/"); got != page("web") {
		t.Errorf("by IPv6: %q", got)
	}
	r := m.docker("run", "-d", "--name", "late", "-p", "8080:80", "learn/base", "true")
	if r.code != 125 || !strings.Contains(r.err, "port is already allocated (container web has it)") {
		t.Errorf("a port that is taken: exit code %d, %s", r.code, r.err)
	}
}

// TestNeighbour: a machine on the same wire that has a route to the containers reaches what is published for it, and nothing else (CVE-2025-54410,
// CVE-2025-54388); and a container does not reach another network.
func TestNeighbour(t *testing.T) {
	m, n := newNetworked(t)
	neighbour := newNetns(t)
	n.must("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink", "netns", neighbour.path)
	for at, address := range map[*netns]string{n: "10.99.0.1/24", neighbour: "10.99.0.2/24"} {
		at.must("ip", "address", "add", address, "dev", "uplink")
		at.must("ip", "link", "set", "uplink", "up")
	}
	m.must("network", "create", "other")
	m.serve("web", "-p", "8080:80")
	m.serve("local", "-p", "127.0.0.1:8081:80")
	m.serve("apart", "--network", "other")
	for _, name := range []string{"web", "apart"} {
		subnet := m.address(name)
		neighbour.must("ip", "route", "add", subnet[:strings.LastIndexByte(subnet, '.')]+".0/24", "via", "10.99.0.1")
	}
	look := func(when string) {
		t.Helper()
		if got := neighbour.curl("http://10.99.0.1:8080/"); got != page("web") {
			t.Errorf("%s: the neighbour gets %q from a published port", when, got)
		}
		for _, url := range []string{"10.99.0.1:8081", m.address("local"), m.address("web"), m.address("apart")} {
			if got := neighbour.curl("http://" + url + "/"); got != "" {
				t.Errorf("%s: the neighbour gets %q from %s", when, got, url)
			}
		}
		if m.fetches("web", m.address("apart"), "apart") {
			t.Errorf("%s: a container reaches another network", when)
		}
		if !m.fetches("web", m.address("local"), "local") {
			t.Errorf("%s: a container does not reach its own network", when)
		}
	}
	look("at first")
	rules := n.must("nft", "list", "ruleset")
	n.must("nft", "flush", "ruleset")
	m.must("network", "ls")
	look("after the firewall was flushed, and network ls")
	n.must("nft", "flush", "ruleset")
	if !eventually(20*time.Second, func() bool { return n.must("nft", "list", "ruleset") == rules }) {
		t.Errorf("after the firewall was flushed nobody put the rules back. Before:\n%s\nAfter:\n%s", rules, n.must("nft", "list", "ruleset"))
	}
	look("after the firewall was flushed, and a while")
	m.must("rm", "-f", "web", "local", "apart")
	n.must("ip", "link", "delete", "uplink")
}

// eventually asks until the answer is yes.
func eventually(most time.Duration, ask func() bool) bool {
	for deadline := time.Now().Add(most); ; time.Sleep(50 * time.Millisecond) {
		if ask() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// TestPortsFollowTheContainer from one network to the other; where no network has a way out there are none.
func TestPortsFollowTheContainer(t *testing.T) {
	m, n := newNetworked(t)
	m.mustEach([]string{"network", "create", "one"}, []string{"network", "create", "two"}, []string{"network", "create", "--internal", "closed"})
	m.serve("web", "--network", "one", "-p", "8080:80")
	m.must("network", "connect", "two", "web")
	m.must("network", "disconnect", "one", "web")
	if got := n.curl("http://127.0.0.1:8080/"); got != page("web") {
		t.Errorf("on the other network: %q", got)
	}
	m.must("network", "connect", "closed", "web")
	m.must("network", "disconnect", "two", "web")
	if got, ports := n.curl("http://127.0.0.1:8080/"), m.must("port", "web"); got != "" || ports != "" {
		t.Errorf("on an internal network: %q, ports %q", got, ports)
	}
	m.must("network", "connect", "one", "web")
	if got, ports := n.curl("http://127.0.0.1:8080/"), m.must("port", "web"); got != page("web") || !strings.Contains(ports, "80/tcp -> 0.0.0.0:8080") {
		t.Errorf("with a way out again: %q, ports %q", got, ports)
	}
}

// TestNamesOfContainers resolve on networks of one's own and not on the default one.
func TestNamesOfContainers(t *testing.T) {
	m, _ := newNetworked(t)
	m.must("network", "create", "own")
	m.serve("web", "--network", "own", "--network-alias", "www")
	m.serve("plain")
	m.must("run", "-d", "--name", "client", "--network", "own", "learn/base", "sleep", "1000")
	id := m.must("inspect", "-f", "{{.Id}}", "web")[:12]
	for _, name := range []string{"web", "www", id, "web.own", "WEB"} {
		if !m.fetches("client", name, "web") {
			t.Errorf("%s does not lead to the container", name)
		}
	}
	m.must("run", "-d", "--name", "other", "learn/base", "sleep", "1000")
	for _, name := range []string{"plain", "web", "www"} {
		if m.fetches("other", name, name) {
			t.Errorf("%s resolves on the default bridge", name)
		}
	}
	m.must("run", "-d", "--name", "brief", "--network", "own", "learn/base", "sleep", "0.2")
	if r := m.docker("exec", "client", "timeout", "10", "sh", "-c", "while nslookup brief >/dev/null; do sleep 0.05; done"); r.code != 0 {
		t.Error("a container that has ended is found by its name still, as nobody has noticed its end")
	}
	m.must("network", "connect", "--alias", "late", "own", "plain")
	if !m.fetches("client", "late", "plain") {
		t.Error("a container that was connected later is not found by its alias")
	}
	m.must("network", "disconnect", "own", "plain")
	if m.fetches("client", "late", "plain") || m.fetches("client", "plain", "plain") {
		t.Error("a container that was disconnected is found still")
	}
}

// TestInternalNetwork: nothing leaves it, not even a question for a name (CVE-2024-29018).
func TestInternalNetwork(t *testing.T) {
	m, n := newNetworked(t)
	m.must("network", "create", "--internal", "closed")
	m.serve("web", "--network", "closed", "-p", "8080:80")
	m.must("run", "-d", "--name", "client", "--network", "closed", "learn/base", "sleep", "1000")
	if !m.fetches("client", "web", "web") {
		t.Error("containers of an internal network do not reach one another")
	}
	if routes := m.must("exec", "client", "cat", "/proc/net/route"); strings.Contains(routes, "eth0\t00000000\t") {
		t.Errorf("it has a default route:\n%s", routes)
	}
	stub := n.stubServer()
	if r := m.docker("exec", "client", "nslookup", "example.com"); r.code == 0 {
		t.Errorf("a name from outside resolves: %s", r.out)
	}
	if asked := stub(); asked != "" {
		t.Errorf("a question left the internal network: %q", asked)
	}
}

// stubServer listens where the machine's name servers would be asked, in the namespace; what it gives tells what came.
func (n *netns) stubServer() (asked func() string) {
	text, _ := os.ReadFile("/etc/resolv.conf")
	for _, s := range regexp.MustCompile(`(?m)^nameserver (\S+)`).FindAllStringSubmatch(string(text), -1) {
		_, _ = n.run("ip", "address", "add", s[1], "dev", "lo")
	}
	counters := func() string {
		return n.must("sh", "-c", "grep '^Udp: [0-9]' /proc/net/snmp | cut -d' ' -f2,3")
	}
	before := counters()
	return func() string {
		if after := counters(); after != before {
			return before + after
		}
		return ""
	}
}

// TestToolsAgree compares what the events said with what the kernel's own tools show.
func TestToolsAgree(t *testing.T) {
	m, n := newNetworked(t)
	file := filepath.Join(t.TempDir(), "trace")
	m.env = append(m.env, "LEARN_TRACE="+file)
	m.must("network", "create", "--ipv6", "own")
	m.serve("web", "--network", "own", "-p", "8080:80", "-p", "5300:53/udp")
	pid := m.must("inspect", "-f", "{{.State.Pid}}", "web")
	links, routes, rules, ports := n.must("ip", "-o", "address"), "", n.must("nft", "list", "ruleset"), n.must("ss", "-Hlntu")
	out, err := n.run("nsenter", "-t", pid, "-n", "--", "ip", "-o", "address")
	if err != nil {
		t.Fatal(out, err)
	}
	links += out
	for _, family := range []string{"-4", "-6"} {
		out, err := n.run("nsenter", "-t", pid, "-n", "--", "ip", family, "route")
		if err != nil {
			t.Fatal(out, err)
		}
		routes += out
	}
	seen := map[string]int{}
	events, err := tracefile.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		seen[e.Kind]++
		switch e.Kind {
		case vocab.NetBridge:
			contains(t, e, links, e.Attr("interface").Str())
		case vocab.NetCable:
			contains(t, e, n.must("ip", "-o", "link"), e.Attr("peer").Str()+"@")
		case vocab.NetAddress:
			contains(t, e, links, e.Attr("interface").Str())
			contains(t, e, links, e.Attr("address").Str())
		case vocab.NetRoute:
			contains(t, e, routes, "default via "+e.Attr("gateway").Str()+" dev "+e.Attr("interface").Str())
		case vocab.NetRule:
			contains(t, e, strings.Join(strings.Fields(rules), " "), strings.Join(strings.Fields(e.Attr("rule").Str()), " "))
		case vocab.NetPublish:
			contains(t, e, ports, e.Attr("host").Str())
		}
	}
	for _, kind := range []string{vocab.NetBridge, vocab.NetCable, vocab.NetAddress, vocab.NetRoute, vocab.NetRule, vocab.NetPublish, vocab.NetResolver} {
		if seen[kind] == 0 {
			t.Errorf("no event %s", kind)
		}
	}
}

func contains(t *testing.T, e trace.Event, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("%s told of %q, and the tools don't show it:\n%s", e.Kind, want, text)
	}
}

// TestNetworksAfterKills: whatever is killed and when, the next command finds nothing left of it.
func TestNetworksAfterKills(t *testing.T) {
	m, n := newNetworked(t)
	m.must("network", "create", "own")
	times := 8
	if whole() {
		times = 200
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range times {
		var both sync.WaitGroup
		for _, name := range []string{"aa", "bb"} {
			both.Go(func() {
				started := m.docker("run", "-d", "--name", name, "--network", "own", "-p", fmt.Sprintf("%d:80", 8000+int(name[0])), "learn/base", "sleep", "1000")
				if i%2 == 0 && started.code != 0 {
					t.Errorf("start: %s", started.err)
				}
			})
		}
		if i%2 == 0 {
			both.Wait()
		} else {
			time.Sleep(time.Duration(random.IntN(120)) * time.Millisecond)
		}
		m.killAll()
		both.Wait()
		m.killAll() // what the last moment brought forth
		m.must("ps")
		if left := n.leftovers(); len(left) > 0 {
			t.Fatalf("after kill %d: %s", i, strings.Join(left, "\n"))
		}
		m.docker("rm", "-f", "aa", "bb")
		if r := m.docker("network", "inspect", "own"); r.code != 0 || strings.Contains(r.out, "IPv4Address") {
			t.Fatalf("after kill %d: %s%s", i, r.out, r.err)
		}
	}
	m.must("network", "rm", "own")
}

// killAll ends all processes of the home at once, as far as they can be seen.
func (m *machine) killAll() {
	all, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, p := range all {
		if pid, err := strconv.Atoi(filepath.Base(p)); err == nil && pid != os.Getpid() && m.owns(p) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	eventually(5*time.Second, func() bool { return len(m.processes()) == 0 })
}

// TestManyOnOneNetwork: each of many containers resolves and reaches the next one, and the first reaches all.
func TestManyOnOneNetwork(t *testing.T) {
	m, _ := newNetworked(t)
	m.must("network", "create", "own")
	many := 12
	if whole() {
		many = 50
	}
	var lines [][]string
	for i := range many {
		name := fmt.Sprintf("c%d", i)
		lines = append(lines, []string{"run", "-d", "--name", name, "--network", "own", "learn/base", "sh", "-c",
			"mkdir /w; echo '" + page(name) + "' >/w/index.html; exec httpd -f -p 80 -h /w"})
	}
	m.mustEach(lines...)
	fetch := "until wget -T 5 -qO- http://%[1]s/ | grep -q 'page of %[1]s$'; do sleep 0.05; done; "
	var asks [][]string
	all := ""
	for i := range many {
		next := fmt.Sprintf("c%d", (i+1)%many)
		asks = append(asks, []string{"exec", fmt.Sprintf("c%d", i), "timeout", "20", "sh", "-c", fmt.Sprintf(fetch, next)})
		all += fmt.Sprintf(fetch, next)
	}
	m.mustEach(append(asks, []string{"exec", "c0", "timeout", "60", "sh", "-c", all})...)
}

// TestConnectAndDisconnect many times leaks nothing.
func TestConnectAndDisconnect(t *testing.T) {
	m, n := newNetworked(t)
	m.must("network", "create", "own")
	m.must("run", "-d", "--name", "box", "learn/base", "sleep", "1000")
	state := func() string {
		pid := m.must("inspect", "-f", "{{.State.Pid}}", "box")
		return n.must("ip", "-o", "link", "show", "type", "bridge") + n.must("nft", "list", "ruleset") + n.must("nsenter", "-t", pid, "-n", "ip", "route") +
			m.must("exec", "box", "cat", "/etc/hosts")
	}
	cycles := 10
	if whole() {
		cycles = 1000
	}
	var lines [][]string
	for range cycles {
		lines = append(lines, []string{"network", "connect", "own", "box"}, []string{"network", "disconnect", "own", "box"})
	}
	m.mustEach(lines[:2]...) // what the first time brings for good
	before, open := state(), m.descriptors()
	m.mustEach(lines...)
	if grown := m.descriptors() - open; grown >= cycles { // some come and go
		t.Errorf("%d more descriptors are open after %d times", grown, cycles)
	}
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(state(), "\n")); diff != "" {
		t.Errorf("%d times connected and disconnected (-before +after):\n%s", cycles, diff)
	}
}

// descriptors counts the open files of the home's processes.
func (m *machine) descriptors() int {
	count := 0
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		if m.owns(p) {
			fds, _ := os.ReadDir(p + "/fd")
			count += len(fds)
		}
	}
	return count
}
