//go:build linux

package uplink

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/network"
)

// TestConnectedPlans: a plan is alive as long as somebody holds its file, also over its replacement; a broken file says that something is there.
func TestConnectedPlans(t *testing.T) {
	c, id := Connected{filepath.Join(t.TempDir(), "connected")}, strings.Repeat("a", 64)
	if all, err := c.All(); err != nil || len(all) != 0 {
		t.Fatalf("an empty home: %v, %v", all, err)
	}
	port := network.Published{Protocol: "tcp", HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: 8080}
	first, err := c.hold(network.Plan{Container: id, Ports: []network.Published{port}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	everywhere := port
	everywhere.HostIP = netip.IPv4Unspecified()
	if who, ok := c.publisher(everywhere); !ok || who != id {
		t.Errorf("who has the port: %q, %v", who, ok)
	}
	second, err := c.hold(network.Plan{Container: id}, first)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := c.Read(id); !ok || !p.Alive || len(p.Ports) != 0 {
		t.Errorf("held: %+v, %v", p, ok)
	}
	if _, ok := c.publisher(port); ok {
		t.Error("a port that was given back is somebody's")
	}
	second.Close()
	if p, ok := c.Read(id); !ok || p.Alive {
		t.Errorf("left behind: %+v, %v", p, ok)
	}
	if err := os.WriteFile(c.path(id), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := c.All(); err != nil || len(all) != 1 || all[0].Container != id || all[0].Alive {
		t.Errorf("a broken file: %+v, %v", all, err)
	}
	if _, ok := c.Read("../connected/" + id); ok {
		t.Error("a path was taken for an id")
	}
	for range 2 {
		if err := c.Drop(id); err != nil {
			t.Error(err)
		}
	}
}

func TestRetargetedPorts(t *testing.T) {
	at := func(host uint16, to string) network.Published {
		return network.Published{Protocol: "tcp", HostIP: netip.IPv4Unspecified(), HostPort: host, To: netip.MustParseAddrPort(to)}
	}
	p := &publishing{now: []network.Published{at(32768, "172.17.0.2:80")}}
	for _, c := range []struct {
		name string
		want []network.Published
		ok   bool
	}{
		{"the same on another network", []network.Published{at(0, "172.18.0.2:80")}, true},
		{"none any more", nil, false},
		{"another port", []network.Published{at(0, "172.18.0.2:81")}, false},
		{"one more", []network.Published{at(0, "172.18.0.2:80"), at(0, "172.18.0.2:81")}, false},
	} {
		got, ok := p.retargeted(c.want)
		if ok != c.ok {
			t.Errorf("%s: %v", c.name, ok)
		}
		if ok && (got[0].HostPort != 32768 || got[0].To != c.want[0].To) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
