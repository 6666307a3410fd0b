package world

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// plugIn tells what happens when a container starts in a network and publishes a port.
func (s *teller) plugIn(id, network string) {
	s.fact(vocab.NetworkLease, str("network", network), str("name", "shop"), str("container", id), list("addresses", []string{"172.18.0.2/16"}), str("mac", "02:42:ac:12:00:02"), list("names", []string{"web"}))
	s.fact(vocab.NetBridge, str("network", network), str("interface", "br-"+network))
	s.fact(vocab.NetCable, str("container", id), str("network", network), str("interface", "eth0"), str("peer", "veth1"))
	s.fact(vocab.NetPublish, str("container", id), str("protocol", "tcp"), str("host", "0.0.0.0:8080"), str("to", "172.18.0.2:80"))
	s.state(id, "created", "running", 0)
}

func (s *teller) refuse(id string) {
	s.fact(vocab.NetRefused, str("container", id), str("host", "0.0.0.0:8080"), str("to", "172.18.0.2:80"), str("error", "connection refused"))
}

func TestNetworkOfARunningContainer(t *testing.T) {
	var running World
	w := Fold(story(t, func(s *teller) {
		s.container("c1", "web", "img")
		s.plugIn("c1", "n1")
		s.refuse("c1")
		s.fact(vocab.NetLookup, str("container", "c1"), str("name", "db"), str("type", "A"), str("code", "NXDOMAIN"), list("answer", nil), str("server", ""))
		s.refuse("build-step")
	}))
	running = w
	c, n := w.Container("web"), w.Network("n1")
	if diff := cmp.Diff([]Port{{"tcp", "0.0.0.0:8080", "172.18.0.2:80"}}, c.Ports); diff != "" {
		t.Errorf("ports: %s", diff)
	}
	if len(c.Refused) != 1 || c.Refused[0].Error != "connection refused" || len(c.Lookups) != 1 || c.Lookups[0].Code != "NXDOMAIN" {
		t.Errorf("refused %v, lookups %v", c.Refused, c.Lookups)
	}
	if n.Name != "shop" || n.Bridge != "br-n1" || len(n.Members) != 1 || n.Members[0].Interface != "eth0" || n.Members[0].HostEnd != "veth1" {
		t.Errorf("network %+v", n)
	}
	again := w.Apply(trace.Event{Kind: vocab.NetworkLease, Attrs: []trace.Attr{str("network", "n1"), str("container", "c1"), list("names", []string{"shop"})}}).Network("n1")
	if len(again.Members) != 1 || again.Members[0].Interface != "eth0" || again.Members[0].Names[0] != "shop" {
		t.Errorf("after it was renamed: %+v", again)
	}
	if len(w.Containers) != 1 {
		t.Errorf("%d containers; want 1: a build step is none", len(w.Containers))
	}

	for _, e := range story(t, func(s *teller) {
		s.fact(vocab.NetUnplug, str("container", "c1"), str("network", "n1"), str("interface", "eth0"))
		s.fact(vocab.NetBridgeGone, str("network", "n1"), str("interface", "br-n1"))
	}) {
		w = w.Apply(e)
	}
	if n := w.Network("n1"); n.Bridge != "" || n.Members[0].Interface != "" || len(w.Container("web").Ports) != 0 {
		t.Errorf("after it was unplugged: %+v, ports %v", n, w.Container("web").Ports)
	}
	if n := running.Network("n1"); n.Members[0].Interface != "eth0" || len(running.Container("web").Ports) != 1 {
		t.Errorf("an earlier world changed: %+v", n)
	}
}

func TestPortsCloseWithTheContainer(t *testing.T) {
	w := Fold(story(t, func(s *teller) {
		s.container("c1", "web", "img")
		s.plugIn("c1", "n1")
		s.state("c1", "running", "exited", 0)
	}))
	if ports := w.Container("web").Ports; len(ports) != 0 {
		t.Errorf("a container that has ended has ports %v", ports)
	}
}

func TestTheLatestRefusalsAreKept(t *testing.T) {
	w := Fold(story(t, func(s *teller) {
		s.container("c1", "web", "img")
		for i := range maxKept + 10 {
			s.fact(vocab.NetRefused, str("container", "c1"), str("host", fmt.Sprint(i)), str("to", "172.18.0.2:80"), str("error", "connection refused"))
		}
	}))
	if r := w.Container("web").Refused; len(r) != maxKept || r[0].Host != "10" {
		t.Errorf("%d refusals from %s on", len(r), r[0].Host)
	}
}
