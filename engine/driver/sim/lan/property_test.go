package lan

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/userland"
)

// books is what addresses and ports should look like: the plain truth that the switch is held against.
type books struct {
	s     *Switch
	hosts []*Host
	owner map[netip.Addr]int
	ports map[string]userland.Listener // "host address port"
	conns []userland.Conn
}

func someAddr(t *rapid.T) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Filter(func(b byte) bool { return b < 6 }).Draw(t, "addr")})
}

func (b *books) host(t *rapid.T) int { return rapid.IntRange(0, len(b.hosts)-1).Draw(t, "host") }

func (b *books) plug(t *rapid.T) {
	i, a := b.host(t), someAddr(t)
	_, taken := b.owner[a]
	_, err := b.s.Plug(b.hosts[i], at(a.String()))
	if taken != errors.Is(err, syscall.EADDRINUSE) || !taken && err != nil {
		t.Fatalf("plug %s: %v, taken: %v", a, err, taken)
	}
	if !taken {
		b.owner[a] = i
	}
}

func (b *books) unplug(t *rapid.T) {
	i := b.host(t)
	if _, err := b.s.Unplug(b.hosts[i]); err != nil {
		t.Fatal(err)
	}
	b.drop(func(h int, addr string) bool { return h == i && addr != "127.0.0.1" && addr != "" })
	for a, h := range b.owner {
		if h == i {
			delete(b.owner, a)
		}
	}
}

func (b *books) drop(gone func(h int, addr string) bool) {
	for key := range b.ports {
		var h, port int
		var addr string
		fmt.Sscanf(key, "%d/%d/%s", &h, &port, &addr)
		if gone(h, addr) {
			delete(b.ports, key)
		}
	}
}

func (b *books) listen(t *rapid.T) {
	i, port := b.host(t), rapid.IntRange(1, 3).Draw(t, "port")
	addr := rapid.SampledFrom([]string{"", "127.0.0.1", "10.0.0.1", "10.0.0.2"}).Draw(t, "on")
	own := true
	if len(addr) > 2 && addr[:2] == "10" {
		h, plugged := b.owner[netip.MustParseAddr(addr)]
		own = plugged && h == i
	}
	free := true
	for _, other := range []string{"", "127.0.0.1", "10.0.0.1", "10.0.0.2"} {
		if b.ports[fmt.Sprintf("%d/%d/%s", i, port, other)] != nil && (other == "" || addr == "" || other == addr) {
			free = false
		}
	}
	l, err := b.hosts[i].Listen(t.Context(), fmt.Sprintf("%s:%d", addr, port))
	switch {
	case !own && !errors.Is(err, syscall.EADDRNOTAVAIL), own && !free && !errors.Is(err, syscall.EADDRINUSE), own && free && err != nil:
		t.Fatalf("host %d listens on %q port %d: %v; own %v, free %v", i, addr, port, err, own, free)
	case err == nil:
		b.ports[fmt.Sprintf("%d/%d/%s", i, port, addr)] = l
	}
}

func (b *books) closeListener(t *rapid.T) {
	for key, l := range b.ports {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		delete(b.ports, key)
		return
	}
}

func (b *books) dial(t *rapid.T) {
	i, a, port := b.host(t), someAddr(t), rapid.IntRange(1, 3).Draw(t, "port")
	want := syscall.Errno(0)
	peer, plugged := b.owner[a]
	has := false
	for _, h := range b.owner {
		has = has || h == i
	}
	open := b.ports[fmt.Sprintf("%d/%d/", peer, port)] != nil || b.ports[fmt.Sprintf("%d/%d/%s", peer, port, a)] != nil
	switch {
	case !has:
		want = syscall.ENETUNREACH
	case !plugged:
		want = syscall.EHOSTUNREACH
	case !open:
		want = syscall.ECONNREFUSED
	}
	c, err := b.hosts[i].Dial(t.Context(), netip.AddrPortFrom(a, uint16(port)).String())
	if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
		t.Fatalf("host %d dials %s port %d: %v, want %v", i, a, port, err, want)
	}
	if err == nil {
		b.conns = append(b.conns, c)
	}
}

func (b *books) hangUp(*rapid.T) {
	for _, c := range b.conns {
		c.Close()
	}
	b.conns = nil
}

func (b *books) restart(t *rapid.T) {
	i := b.host(t)
	b.hosts[i].Close()
	b.hosts[i] = b.s.Host(fmt.Sprint(i), fmt.Sprint("h", i))
	b.drop(func(h int, _ string) bool { return h == i })
	for a, h := range b.owner {
		if h == i {
			delete(b.owner, a)
		}
	}
}

// check holds the switch's own records against the books.
func (b *books) check(t *rapid.T) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if len(b.s.plugs) != len(b.owner) || len(b.s.hosts) != len(b.hosts) {
		t.Fatalf("%d addresses and %d hosts, want %d and %d", len(b.s.plugs), len(b.s.hosts), len(b.owner), len(b.hosts))
	}
	listeners := 0
	for _, h := range b.s.hosts {
		listeners += len(h.listeners)
		ports := make(map[uint16]bool)
		for c := range h.conns {
			if p := c.endpoint().Port(); p >= firstEphemeral {
				if ports[p] {
					t.Fatalf("port %d is given twice", p)
				}
				ports[p] = true
			}
		}
	}
	if listeners != len(b.ports) {
		t.Fatalf("%d listeners, want %d", listeners, len(b.ports))
	}
}

func TestAddressAndPortBookkeeping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &books{s: NewSwitch(), owner: make(map[netip.Addr]int), ports: make(map[string]userland.Listener)}
		defer b.s.Close()
		for i := range 3 {
			b.hosts = append(b.hosts, b.s.Host(fmt.Sprint(i), fmt.Sprint("h", i)))
		}
		t.Repeat(map[string]func(*rapid.T){
			"plug": b.plug, "unplug": b.unplug, "listen": b.listen, "close listener": b.closeListener, "dial": b.dial,
			"hang up": b.hangUp, "restart": b.restart, "": b.check,
		})
	})
}
