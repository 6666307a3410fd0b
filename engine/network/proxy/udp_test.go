package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	api "github.com/moby/moby/api/types/network"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/network"
)

// serveUDP is a container's program that answers each datagram.
func serveUDP(t testing.TB, says func([]byte) []byte) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, maxPacket)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(says(buf[:n]), from)
		}
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-done
	})
	return addrPort(c.LocalAddr())
}

func connectUDP(t testing.TB, p network.Published) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", netip.AddrPortFrom(p.HostIP, p.HostPort).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(guard))
	return c
}

func TestDatagrams(t *testing.T) {
	to := serveUDP(t, func(b []byte) []byte { return append([]byte("re:"), b...) })
	p := open(t, Config{}, published(api.UDP, to))
	var clients []net.Conn
	for range 20 {
		clients = append(clients, connectUDP(t, p.Ports()[0]))
	}
	for _, c := range clients {
		_, _ = c.Write([]byte("first"))
	}
	for _, c := range clients {
		_, _ = c.Read(make([]byte, 10))
	}
	buf := make([]byte, maxPacket)
	for _, size := range []int{0, 1, 1472, 60000} {
		for i, c := range clients {
			// one after the other: a socket's buffer holds only some that are large
			if _, err := c.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
				t.Fatal(err)
			}
			want := append([]byte("re:"), bytes.Repeat([]byte{byte(i)}, size)...)
			if n, err := c.Read(buf); err != nil || !bytes.Equal(buf[:n], want) {
				t.Errorf("client %d, size %d: %d bytes, %v", i, size, n, err)
			}
		}
	}
}

func TestNothingListensUDP(t *testing.T) {
	told := make(chan error, 10)
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := addrPort(c.LocalAddr())
	_ = c.Close()
	p := open(t, Config{Unreached: func(_ network.Published, _ netip.AddrPort, err error) { told <- err }}, published(api.UDP, to))
	u := connectUDP(t, p.Ports()[0])
	if _, err := u.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err == nil {
		t.Error("told no error")
	}
	// the program starts late: the same client gets through
	if c, err = net.ListenPacket("udp4", to.String()); err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	defer c.Close()
	_, _ = u.Write([]byte("y"))
	_ = c.SetDeadline(time.Now().Add(guard))
	buf := make([]byte, 10)
	if n, _, err := c.ReadFrom(buf); err != nil || string(buf[:n]) != "y" {
		// a report of the first datagram may have taken the second one's place
		_, _ = u.Write([]byte("y"))
		if n, _, err = c.ReadFrom(buf); err != nil || string(buf[:n]) != "y" {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
}

// fake is a host's socket and a container in memory, so that time can be the test's.
type fake struct {
	in     chan datagram
	closed chan struct{}

	mu    sync.Mutex
	out   []datagram // to clients
	peers []*peer    // connections to the container, in the order of their making
}

type datagram struct {
	route route
	text  string
}

// peer is the container's end of one session.
type peer struct {
	net.Conn
	mu  sync.Mutex
	got []string
	end bool
}

func newFake() *fake { return &fake{in: make(chan datagram), closed: make(chan struct{})} }

func (f *fake) receive(buf []byte) (int, route, error) {
	select {
	case d := <-f.in:
		return copy(buf, d.text), d.route, nil
	case <-f.closed:
		return 0, route{}, net.ErrClosed
	}
}

func (f *fake) send(b []byte, to route) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out = append(f.out, datagram{to, string(b)})
	return nil
}

func (f *fake) Close() error {
	close(f.closed)
	return nil
}

func (f *fake) dial(context.Context, api.IPProtocol, netip.AddrPort) (net.Conn, error) {
	a, b := net.Pipe()
	p := &peer{Conn: b}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peers = append(f.peers, p)
	go p.read()
	return pipe{a}, nil
}

// pipe says of itself what sockets do.
type pipe struct{ net.Conn }

func (p pipe) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = net.ErrClosed
	}
	return n, err
}

func (p *peer) read() {
	buf := make([]byte, 100)
	for {
		n, err := p.Read(buf)
		p.mu.Lock()
		if err != nil {
			p.end = true
			p.mu.Unlock()
			return
		}
		p.got = append(p.got, string(buf[:n]))
		p.mu.Unlock()
	}
}

func (f *fake) start(c Config) *Proxy {
	c.Dial = f.dial
	p := &Proxy{config: c, open: map[io.Closer]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.start(listener{port: network.Published{Protocol: api.UDP}, udp: f})
	return p
}

// model is what is expected: which session each client has, and when it was last used.
type model struct {
	idle  time.Duration
	most  int
	now   time.Duration
	by    map[int]int // client: index of its peer
	used  map[int]time.Duration
	alive []bool // by peer
	got   [][]string
	out   []datagram
}

func (m *model) pass(d time.Duration) {
	m.now += d
	for c, used := range m.used {
		if m.now-used >= m.idle {
			m.end(c)
		}
	}
}

func (m *model) end(client int) {
	m.alive[m.by[client]] = false
	delete(m.by, client)
	delete(m.used, client)
}

func (m *model) fromClient(client int, text string) {
	if _, ok := m.by[client]; !ok {
		if len(m.by) == m.most {
			oldest := -1
			for c, used := range m.used {
				if oldest < 0 || used < m.used[oldest] {
					oldest = c
				}
			}
			m.end(oldest)
		}
		m.by[client] = len(m.alive)
		m.alive, m.got = append(m.alive, true), append(m.got, nil)
	}
	m.used[client] = m.now
	m.got[m.by[client]] = append(m.got[m.by[client]], text)
}

func clientRoute(i int) route {
	return route{client: netip.AddrPortFrom(loopback, uint16(1000+i))}
}

// Whatever clients and the container send, and however long they are silent: each datagram arrives where the model says, sessions end when
// it says, and there are never more than the bound.
func TestSessionsProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			m := &model{idle: time.Duration(rapid.IntRange(1, 100).Draw(rt, "idle")) * time.Second, most: rapid.IntRange(1, 4).Draw(rt, "most"), by: map[int]int{}, used: map[int]time.Duration{}}
			f := newFake()
			p := f.start(Config{Idle: m.idle, Sessions: m.most})
			for step := range rapid.IntRange(1, 40).Draw(rt, "steps") {
				client, text := rapid.IntRange(0, 5).Draw(rt, "client"), fmt.Sprint("datagram ", step)
				switch peer, ok := m.by[client]; rapid.SampledFrom([]string{"client", "client", "container", "wait"}).Draw(rt, "step") {
				case "client":
					f.in <- datagram{clientRoute(client), text}
					m.fromClient(client, text)
				case "container":
					if ok {
						_, _ = f.peers[peer].Write([]byte(text))
						m.used[client] = m.now
						m.out = append(m.out, datagram{clientRoute(client), text})
					}
				case "wait":
					d := time.Duration(rapid.IntRange(1, 120).Draw(rt, "seconds")) * time.Second
					time.Sleep(d)
					m.pass(d)
				}
				// no two things happen at the same time, so that it is clear which client was silent for longest
				time.Sleep(time.Millisecond)
				m.pass(time.Millisecond)
				synctest.Wait()
				compare(rt, m, f)
			}
			if err := p.Close(); err != nil {
				rt.Errorf("Close: %v", err)
			}
			synctest.Wait()
			for i := range m.alive {
				m.alive[i] = false
			}
			compare(rt, m, f)
		})
	})
}

func compare(rt *rapid.T, m *model, f *fake) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.peers) != len(m.alive) || fmt.Sprint(f.out) != fmt.Sprint(m.out) {
		rt.Fatalf("%d sessions were made, want %d; to clients %v, want %v", len(f.peers), len(m.alive), f.out, m.out)
	}
	for i, p := range f.peers {
		p.mu.Lock()
		if p.end == m.alive[i] || fmt.Sprint(p.got) != fmt.Sprint(m.got[i]) {
			rt.Errorf("session %d: ended %v, want %v; got %v, want %v", i, p.end, !m.alive[i], p.got, m.got[i])
		}
		p.mu.Unlock()
	}
}

// A socket that is broken doesn't keep its goroutine running.
func TestBrokenSocketEnds(t *testing.T) {
	b := &brokenSocket{}
	p := &Proxy{open: map[io.Closer]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.start(listener{udp: b})
	p.running.Wait()
	if b.asked <= maxErrors {
		t.Errorf("given up after %d errors", b.asked)
	}
	_ = p.Close()
}

type brokenSocket struct{ asked int }

func (b *brokenSocket) receive([]byte) (int, route, error) {
	b.asked++
	return 0, route{}, errors.New("broken")
}
func (b *brokenSocket) send([]byte, route) error { return nil }
func (b *brokenSocket) Close() error             { return nil }
