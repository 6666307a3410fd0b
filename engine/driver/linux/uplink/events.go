//go:build linux

package uplink

import (
	"net/netip"
	"sync"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/describe"
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
	silent   bool // all has been told
	kept     []trace.Event
	observed int
}

func (t *teller) fact(kind string, attrs ...trace.Attr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.silent {
		return
	}
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

// stop: what comes from now on has been told.
func (t *teller) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.silent = true
}

// change tells a change of the machine.
func (t *teller) change(c wiring.Change) { TellWiring(t.fact)(c) }

func (t *teller) all(facts ...describe.Fact) {
	for _, f := range facts {
		t.fact(f.Kind, f.Attrs...)
	}
}

// TellWiring gives what turns changes of the machine into facts. A bridge and a cable have one, and each of their addresses and routes.
func TellWiring(fact func(kind string, attrs ...trace.Attr)) func(wiring.Change) {
	return func(c wiring.Change) {
		f := describe.Fact{}
		switch c.Kind {
		case wiring.KindForwarding:
			f = describe.Fact{Kind: vocab.NetForwarding, Attrs: []trace.Attr{trace.String("setting", c.Rule)}}
		case wiring.KindBridge:
			b := network.Bridge{Network: c.Network, Name: c.Interface}
			if f = describe.Bridge(b)[0]; c.Gone {
				f = describe.BridgeGone(b)
			}
		case wiring.KindCable:
			e := network.Endpoint{Network: c.Network, Interface: c.Peer, HostEnd: c.Interface}
			if f = describe.Endpoint(c.Container, e)[0]; c.Gone {
				f = describe.Unplugged(c.Container, e)
			}
		case wiring.KindAddress:
			f = describe.Address(c.Container, c.Network, c.Interface, c.Address)
		case wiring.KindRoute:
			f = describe.Route(c.Container, c.Network, c.Interface, c.Gateway)
		case wiring.KindRule:
			f = rule(c)
		}
		fact(f.Kind, f.Attrs...)
	}
}

func rule(c wiring.Change) describe.Fact {
	place := c.Chain
	if place == "" {
		place = c.Set
	}
	return describe.Fact{Kind: vocab.NetRule, Attrs: []trace.Attr{trace.String("container", c.Container), trace.String("network", c.Network),
		trace.String("table", c.Table), trace.String("place", place), trace.String("rule", c.Rule)}}
}

func (t *teller) published(ports []network.Published) {
	for _, p := range ports {
		t.all(describe.Published(t.id, p))
	}
}

func (t *teller) resolver(plan network.Plan, host []netip.Addr) {
	t.all(describe.Resolver(t.id, *plan.Resolver, upstream(plan, host)))
}

func (t *teller) lookup(e names.Event) {
	if t.observes() {
		t.all(describe.Lookup(t.id, e))
	}
}

func (t *teller) refused(p network.Published, _ netip.AddrPort, err error) {
	if t.observes() {
		t.all(describe.Refused(t.id, p, err))
	}
}

// observes reports whether one more event of what programs do is told.
func (t *teller) observes() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.observed++
	return t.observed <= maxObserved
}
