package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
)

// guard is how long a test waits for what must come.
const guard = 30 * time.Second

var loopback = netip.MustParseAddr("127.0.0.1")

func dialHost(ctx context.Context, protocol api.IPProtocol, to netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, string(protocol), to.String())
}

func published(protocol api.IPProtocol, to netip.AddrPort) network.Published {
	return network.Published{Protocol: protocol, HostIP: loopback, To: to}
}

// open publishes ports until the test ends.
func open(t testing.TB, c Config, ports ...network.Published) *Proxy {
	t.Helper()
	if c.Dial == nil {
		c.Dial = dialHost
	}
	p, err := Open(context.Background(), ports, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// serveTCP is a container's program: serve gets each connection.
func serveTCP(t testing.TB, serve func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(guard))
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return addrPort(l.Addr())
}

func echo(c *net.TCPConn) { _, _ = io.Copy(c, c) }

func connect(t testing.TB, p network.Published) *net.TCPConn {
	t.Helper()
	c, err := net.Dial(string(p.Protocol), netip.AddrPortFrom(p.HostIP, p.HostPort).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(guard))
	return c.(*net.TCPConn)
}

func TestDataBothWays(t *testing.T) {
	p := open(t, Config{}, published(api.TCP, serveTCP(t, echo)))
	c := connect(t, p.Ports()[0])
	for i := range 100 {
		want := fmt.Sprintf("message %d", i)
		if _, err := io.WriteString(c, want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

// The client ends its half, and gets an answer to all that it sent.
func TestClientEndsItsHalf(t *testing.T) {
	to := serveTCP(t, func(c *net.TCPConn) {
		all, err := io.ReadAll(c)
		_, _ = fmt.Fprintf(c, "%s, %v", all, err)
	})
	c := connect(t, open(t, Config{}, published(api.TCP, to)).Ports()[0])
	_, _ = io.WriteString(c, "all")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); string(got) != "all, <nil>" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// The container ends its half, and still reads.
func TestContainerEndsItsHalf(t *testing.T) {
	got := make(chan string, 1)
	to := serveTCP(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "hello")
		_ = c.CloseWrite()
		all, err := io.ReadAll(c)
		got <- fmt.Sprintf("%s, %v", all, err)
	})
	c := connect(t, open(t, Config{}, published(api.TCP, to)).Ports()[0])
	if hello, err := io.ReadAll(c); string(hello) != "hello" || err != nil {
		t.Fatalf("got %q, %v", hello, err)
	}
	_, _ = io.WriteString(c, "late")
	_ = c.Close()
	if s := <-got; s != "late, <nil>" {
		t.Errorf("the container read %s", s)
	}
}

func TestLargeTransferIsIntact(t *testing.T) {
	const size = 64 << 20
	p := open(t, Config{}, published(api.TCP, serveTCP(t, echo)))
	c := connect(t, p.Ports()[0])
	sent := sha256.New()
	go func() {
		random := rand.NewChaCha8([32]byte{1})
		_, _ = io.Copy(io.MultiWriter(c, sent), io.LimitReader(random, size))
		_ = c.CloseWrite()
	}()
	got := sha256.New()
	n, err := io.Copy(got, c)
	if err != nil || n != size || !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
		t.Errorf("%d of %d bytes, %v", n, size, err)
	}
}

func TestContainerResets(t *testing.T) {
	to := serveTCP(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.SetLinger(0)
	})
	c := connect(t, open(t, Config{}, published(api.TCP, to)).Ports()[0])
	_, _ = c.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("the client sees %v", err)
	}
}

func TestClientResets(t *testing.T) {
	got := make(chan error, 1)
	to := serveTCP(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "x")
		_, err := c.Read(make([]byte, 1))
		got <- err
	})
	c := connect(t, open(t, Config{}, published(api.TCP, to)).Ports()[0])
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = c.SetLinger(0)
	_ = c.Close()
	if err := <-got; !isReset(err) {
		t.Errorf("the container sees %v", err)
	}
}

// A server that refuses a long upload says why, ends, and resets what still comes: the client must see why.
func TestLastWordsBeforeReset(t *testing.T) {
	to := serveTCP(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		_, _ = io.WriteString(c, "413 too large")
	})
	c := connect(t, open(t, Config{}, published(api.TCP, to)).Ports()[0])
	go func() {
		for {
			if _, err := c.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}()
	got := make([]byte, 13)
	if _, err := io.ReadFull(c, got); string(got) != "413 too large" {
		t.Errorf("the client reads %q, %v", got, err)
	}
}

func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// closedPort is one that nothing listens on.
func closedPort(t testing.TB) netip.AddrPort {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return addrPort(l.Addr())
}

func TestNothingListens(t *testing.T) {
	told := make(chan string, 1)
	to := closedPort(t)
	p := open(t, Config{Unreached: func(port network.Published, client netip.AddrPort, err error) {
		told <- fmt.Sprint(port.To, client.Addr(), errors.Is(err, syscall.ECONNREFUSED))
	}}, published(api.TCP, to))
	// the reset may arrive before connect returns
	c, err := net.Dial("tcp", netip.AddrPortFrom(loopback, p.Ports()[0].HostPort).String())
	if err == nil {
		_, err = c.Read(make([]byte, 1))
		_ = c.Close()
	}
	if !isReset(err) {
		t.Errorf("the client sees %v", err)
	}
	if got, want := <-told, fmt.Sprint(to, loopback, true); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

func TestManyAtOnce(t *testing.T) {
	p := open(t, Config{}, published(api.TCP, serveTCP(t, echo)))
	var clients sync.WaitGroup
	for i := range 200 {
		clients.Go(func() {
			c, err := net.Dial("tcp", netip.AddrPortFrom(loopback, p.Ports()[0].HostPort).String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(guard))
			want := bytes.Repeat([]byte{byte(i)}, 1000+i)
			go func() {
				_, _ = c.Write(want)
				_ = c.(*net.TCPConn).CloseWrite()
			}()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
				t.Errorf("client %d: %d of %d bytes, %v", i, len(got), len(want), err)
			}
		})
	}
	clients.Wait()
}

// Close ends what is open in every state, and leaves no goroutine and no descriptor.
func TestCloseLeavesNothing(t *testing.T) {
	to, udp := serveTCP(t, echo), serveUDP(t, func(b []byte) []byte { return b })
	hang := make(chan struct{}, 1)
	before, files := runtime.NumGoroutine(), descriptors(t)
	dial := func(ctx context.Context, protocol api.IPProtocol, a netip.AddrPort) (net.Conn, error) {
		if a.Port() == 1 {
			hang <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return dialHost(ctx, protocol, a)
	}
	told := func(_ network.Published, _ netip.AddrPort, err error) { t.Errorf("unreached: %v", err) }
	p, err := Open(context.Background(), []network.Published{published(api.TCP, to), published(api.TCP, netip.AddrPortFrom(loopback, 1)), published(api.UDP, udp)}, Config{Dial: dial, Unreached: told})
	if err != nil {
		t.Fatal(err)
	}
	ports := p.Ports()
	var clients []*net.TCPConn
	for range 10 {
		c := connect(t, ports[0])
		_, _ = c.Write([]byte("x"))
		_, _ = c.Read(make([]byte, 1))
		clients = append(clients, c)
	}
	_ = clients[0].CloseWrite()
	_, _ = io.ReadAll(clients[0])
	_ = clients[0].Close()
	clients = append(clients[1:], connect(t, ports[1]))
	<-hang
	u := connectUDP(t, ports[2])
	_, _ = u.Write([]byte("x"))
	_, _ = u.Read(make([]byte, 1))
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for i, c := range clients {
		if _, err := c.Read(make([]byte, 1)); !isReset(err) {
			t.Errorf("client %d sees %v", i, err)
		}
		_ = c.Close()
	}
	_ = u.Close()
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	settle(t, func() string {
		if n, f := runtime.NumGoroutine(), descriptors(t); n > before || f > files {
			return fmt.Sprintf("%d goroutines and %d descriptors, %d and %d before", n, f, before, files)
		}
		return ""
	})
	if _, err := net.Dial("tcp", netip.AddrPortFrom(loopback, ports[0].HostPort).String()); err == nil {
		t.Error("the port is open")
	}
}

// settle waits until what the test's own servers hold, too, is gone.
func settle(t *testing.T, wrong func() string) {
	t.Helper()
	for end := time.Now().Add(guard); ; runtime.Gosched() {
		s := wrong()
		if s == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal(s)
		}
	}
}

// descriptors counts the sockets of the process; pipes of splice stay in a pool of package net. 0 where that can't be told.
func descriptors(t testing.TB) (n int) {
	t.Helper()
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if link, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(link, "socket:") {
			n++
		}
	}
	return n
}

// A connection that ended by itself leaves nothing either, while the proxy is open.
func TestEndedConnectionsLeaveNothing(t *testing.T) {
	p := open(t, Config{}, published(api.TCP, serveTCP(t, echo)))
	before, files := runtime.NumGoroutine(), descriptors(t)
	for range 50 {
		c := connect(t, p.Ports()[0])
		_ = c.CloseWrite()
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	settle(t, func() string {
		p.mu.Lock()
		open := len(p.open)
		p.mu.Unlock()
		if n, f := runtime.NumGoroutine(), descriptors(t); n > before || f > files || open != 1 {
			return fmt.Sprintf("%d goroutines and %d descriptors, %d and %d before; %d held", n, f, before, files, open)
		}
		return ""
	})
}

func TestPortsAreChosen(t *testing.T) {
	to := netip.MustParseAddrPort("10.0.0.2:80")
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	n := addrPort(taken.Addr()).Port()
	free := open(t, Config{}, published(api.TCP, to), published(api.UDP, to)).Ports()
	if free[0].HostPort == 0 || free[1].HostPort == 0 || free[0].To != to || free[1].Protocol != api.UDP {
		t.Errorf("any free one: %+v", free)
	}
	ranged := published(api.TCP, to)
	ranged.HostPort, ranged.HostLast = n, n+20
	first := open(t, Config{}, ranged).Ports()[0].HostPort
	if first <= n || first > n+20 {
		t.Errorf("of %d to %d: %d", n, n+20, first)
	}
	if second := open(t, Config{}, ranged).Ports()[0].HostPort; second <= first || second > n+20 {
		t.Errorf("a second one of %d to %d: %d", n, n+20, second)
	}
}

// The same port on several addresses has one number.
func TestOneNumberOnAllAddresses(t *testing.T) {
	one := published(api.TCP, netip.MustParseAddrPort("10.0.0.2:80"))
	two := one
	two.HostIP = netip.MustParseAddr("127.0.0.2")
	if l, err := net.Listen("tcp4", "127.0.0.2:0"); err != nil {
		t.Skipf("the system has no second address on loopback: %v", err)
	} else {
		_ = l.Close()
	}
	ports := open(t, Config{}, one, two).Ports()
	if ports[0].HostPort != ports[1].HostPort || ports[0].HostIP == ports[1].HostIP {
		t.Errorf("any free one: %+v", ports)
	}
	// the first number that is free on one address only doesn't do
	l, err := net.Listen("tcp4", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := addrPort(l.Addr()).Port()
	one.HostPort, one.HostLast, two.HostPort, two.HostLast = n, n+20, n, n+20
	ports = open(t, Config{}, one, two).Ports()
	if ports[0].HostPort != ports[1].HostPort || ports[0].HostPort == n {
		t.Errorf("of %d to %d: %+v", n, n+20, ports)
	}
}

func TestTogether(t *testing.T) {
	p := func(ip string, host, to uint16) network.Published {
		return network.Published{Protocol: api.TCP, HostIP: netip.MustParseAddr(ip), HostPort: host, To: netip.AddrPortFrom(loopback, to)}
	}
	for want, ports := range map[int][]network.Published{
		2: {p("0.0.0.0", 0, 80), p("::", 0, 80), p("0.0.0.0", 0, 81)},
		1: {p("0.0.0.0", 0, 80), p("0.0.0.0", 0, 80)},
		3: {p("0.0.0.0", 8, 80), p("::", 8, 80), p("127.0.0.1", 8, 80)},
	} {
		if got := together(ports); got != want {
			t.Errorf("together(%v) = %d, want %d", ports, got, want)
		}
	}
}

// All or none: the ports before the one that is taken are free again.
func TestConflict(t *testing.T) {
	to := netip.MustParseAddrPort("10.0.0.2:80")
	for _, protocol := range []api.IPProtocol{api.TCP, api.UDP} {
		taken := open(t, Config{}, published(protocol, to)).Ports()[0]
		free := open(t, Config{}, published(protocol, to))
		wish := free.Ports()[0]
		_ = free.Close()
		_, err := Open(context.Background(), []network.Published{wish, taken}, Config{})
		var conflict *ConflictError
		if !errors.As(err, &conflict) || !inUse(err) {
			t.Fatalf("Open: %v", err)
		}
		if want := fmt.Sprintf("bind host port 127.0.0.1:%d/%s: address already in use", taken.HostPort, protocol); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Open: %v, want %s", err, want)
		}
		again := open(t, Config{}, wish)
		if again.Ports()[0].HostPort != wish.HostPort {
			t.Errorf("got %+v", again.Ports())
		}
		taken.HostLast = taken.HostPort + 1
		if s := (&ConflictError{Port: taken}).Error(); !strings.HasSuffix(s, "all of these ports are in use") {
			t.Error(s)
		}
	}
}

func TestWhatCantBePublished(t *testing.T) {
	sctp := published("sctp", netip.MustParseAddrPort("10.0.0.2:80"))
	sctp.HostPort = 8080
	_, err := Open(context.Background(), []network.Published{sctp}, Config{})
	if want := "bind host port 127.0.0.1:8080/sctp: protocol sctp can't be published in userspace: only tcp and udp can"; err == nil || err.Error() != want {
		t.Errorf("Open: %v", err)
	}
	if _, err := Open(context.Background(), []network.Published{{Protocol: api.TCP}}, Config{}); err == nil {
		t.Error("a port without an address is published")
	}
}

func TestManyPorts(t *testing.T) {
	to := serveTCP(t, echo)
	ports := slices.Repeat([]network.Published{published(api.TCP, to)}, 200)
	got := open(t, Config{}, ports...).Ports()
	seen := map[uint16]bool{}
	for _, p := range got {
		seen[p.HostPort] = true
	}
	if len(seen) != 200 {
		t.Errorf("%d ports", len(seen))
	}
	c := connect(t, got[199])
	_, _ = c.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}
