//go:build linux

package shim

import (
	"net"
	"net/netip"
	"strconv"
	"sync"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/names"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// maxObserved bounds the events of what programs do with a network: a flood of lookups is not to fill the disk.
const maxObserved = 2000

// teller turns what happens to a container's networks into events. At first it keeps them, for their place is before the program's start.
type teller struct {
	id  string
	log func() *eventlog.Log

	mu       sync.Mutex
	direct   bool
	kept     []trace.Event
	observed int
}

func (t *teller) fact(kind string, attrs ...trace.Attr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.direct {
		t.kept = append(t.kept, eventlog.Note(kind, attrs...))
		return
	}
	t.log().Fact(kind, attrs...)
}

// taken gives what was kept; what comes from now on is recorded at once.
func (t *teller) taken() []trace.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.direct = true
	kept := t.kept
	t.kept = nil
	return kept
}

// live records what comes from now on at once.
func (t *teller) live() { t.taken() }

// change tells a change of the machine.
func (t *teller) change(c wiring.Change) { TellWiring(t.fact)(c) }

// TellWiring gives what turns changes of the machine into facts.
func TellWiring(fact func(kind string, attrs ...trace.Attr)) func(wiring.Change) {
	return func(c wiring.Change) {
		owner := []trace.Attr{trace.String("container", c.Container), trace.String("network", c.Network)}
		switch c.Kind {
		case wiring.KindForwarding:
			fact(vocab.NetForwarding, trace.String("setting", c.Rule))
		case wiring.KindBridge:
			kind := vocab.NetBridge
			if c.Gone {
				kind = vocab.NetBridgeGone
			}
			fact(kind, trace.String("network", c.Network), trace.String("interface", c.Interface))
		case wiring.KindCable:
			fact(vocab.NetCable, append(owner, trace.String("interface", c.Peer), trace.String("peer", c.Interface))...)
		case wiring.KindAddress:
			fact(vocab.NetAddress, append(owner, trace.String("interface", c.Interface), trace.String("address", c.Address.String()))...)
		case wiring.KindRoute:
			fact(vocab.NetRoute, append(owner, trace.String("interface", c.Interface), trace.String("gateway", c.Gateway.String()))...)
		case wiring.KindRule:
			place := c.Chain
			if place == "" {
				place = c.Set
			}
			fact(vocab.NetRule, append(owner, trace.String("table", c.Table), trace.String("place", place), trace.String("rule", c.Rule))...)
		}
	}
}

func (t *teller) published(ports []network.Published) {
	for _, p := range ports {
		t.fact(vocab.NetPublish, trace.String("container", t.id), trace.String("protocol", string(p.Protocol)), trace.String("host", hostSide(p)), trace.String("to", p.To.String()))
	}
}

func hostSide(p network.Published) string {
	return net.JoinHostPort(p.HostIP.String(), strconv.Itoa(int(p.HostPort)))
}

func (t *teller) resolver(plan network.Plan, servers []netip.Addr) {
	var zones, asked []string
	for _, z := range plan.Resolver.Zones {
		zones = append(zones, z.Name)
	}
	for _, s := range upstream(plan, servers) {
		asked = append(asked, s.String())
	}
	t.fact(vocab.NetResolver, trace.String("container", t.id), trace.String("address", network.ResolverAddress), trace.Strings("networks", zones), trace.Strings("servers", asked))
}

func (t *teller) unplugged(endpoints []network.Endpoint) {
	for _, e := range endpoints {
		t.fact(vocab.NetUnplug, trace.String("container", t.id), trace.String("network", e.Network), trace.String("interface", e.Interface))
	}
}

// observes reports whether one more event of what programs do is told.
func (t *teller) observes() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.observed++
	return t.observed <= maxObserved
}

func (t *teller) lookup(e names.Event) {
	if !t.observes() {
		return
	}
	server := ""
	if e.Server.IsValid() {
		server = e.Server.Addr().String()
	}
	t.fact(vocab.NetLookup, trace.String("container", t.id), trace.String("name", e.Name), trace.String("type", e.Type), trace.String("code", e.Code),
		trace.Strings("answer", e.Answer), trace.String("server", server))
}

func (t *teller) refused(p network.Published, _ netip.AddrPort, err error) {
	if t.observes() {
		t.fact(vocab.NetRefused, trace.String("container", t.id), trace.String("host", hostSide(p)), trace.String("to", p.To.String()), trace.String("error", err.Error()))
	}
}
