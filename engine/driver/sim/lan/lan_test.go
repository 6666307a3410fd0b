package lan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/userland"
)

// two is a switch with two hosts, a (10.0.0.1) and b (10.0.0.2, db), which know each other by name.
func two(t *testing.T) (s *Switch, a, b *Host) {
	t.Helper()
	s = NewSwitch()
	t.Cleanup(func() { s.Close() })
	a, b = s.Host("ida", "a"), s.Host("idb", "b")
	plugIn(t, s, a, "10.0.0.1")
	plugIn(t, s, b, "10.0.0.2")
	know(map[string]string{"a": "10.0.0.1", "b": "10.0.0.2", "db": "10.0.0.2"}, a, b)
	return s, a, b
}

const nameServer = "127.0.0.11:53"

// know has hosts find names.
func know(names map[string]string, hosts ...*Host) {
	for _, h := range hosts {
		h.Resolve = func(name string) ([]netip.Addr, string) {
			var found []netip.Addr
			for _, a := range strings.Fields(names[name]) {
				found = append(found, netip.MustParseAddr(a))
			}
			return found, nameServer
		}
	}
}

// at is an address in network n.
func at(addr string) Plug {
	a := netip.MustParseAddr(addr)
	bits := 24
	if a.Unmap().Is6() {
		bits = 64
	}
	return Plug{Network{ID: "n", Gateways: []netip.Addr{netip.MustParseAddr("10.0.0.254")}}, netip.PrefixFrom(a, bits)}
}

func plugIn(t *testing.T, s *Switch, h *Host, addr string) {
	t.Helper()
	if _, err := s.Plug(h, at(addr)); err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, h *Host, address string) userland.Listener {
	t.Helper()
	l, err := h.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t *testing.T, h *Host, address string) net.Conn {
	t.Helper()
	c, err := h.Dial(quickly(t), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(net.Conn)
}

// connect makes both ends of a connection from a to port 80 of b.
func connect(t *testing.T, a, b *Host) (near, far net.Conn) {
	t.Helper()
	l := listen(t, b, ":80")
	near = dial(t, a, "b:80")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return near, c.(net.Conn)
}

func echoAll(l userland.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			io.Copy(c, c)
			c.Close()
		}()
	}
}

func TestDial(t *testing.T) {
	_, a, b := two(t)
	lone := a.sw.Host("idc", "c")
	listen(t, b, ":80")
	listen(t, b, "127.0.0.1:81")
	listen(t, b, "10.0.0.2:82")
	listen(t, b, "0.0.0.0:83")
	listen(t, b, "[::1]:84")
	for _, tc := range []struct {
		from    *Host
		address string
		want    error
	}{
		{a, "10.0.0.2:80", nil}, {a, "db:80", nil}, {a, "B.:80", nil}, {b, "localhost:80", nil}, {b, "10.0.0.2:80", nil}, {b, ":80", nil},
		{b, "0.0.0.0:80", nil}, {b, "[::1]:80", nil}, {b, "127.9.9.9:80", nil}, {b, "[::ffff:10.0.0.2]:80", nil},
		{b, "127.0.0.1:81", nil}, {a, "10.0.0.2:81", syscall.ECONNREFUSED}, {b, "127.0.0.2:81", syscall.ECONNREFUSED},
		{a, "10.0.0.2:82", nil}, {b, "127.0.0.1:82", syscall.ECONNREFUSED},
		{a, "10.0.0.2:83", nil}, {b, "[::1]:83", syscall.ECONNREFUSED}, {b, "[::1]:84", nil}, {b, "127.0.0.1:84", syscall.ECONNREFUSED},
		{a, "127.0.0.1:80", syscall.ECONNREFUSED}, {a, "10.0.0.2:9", syscall.ECONNREFUSED}, {a, "10.0.0.1:80", syscall.ECONNREFUSED},
		{a, "10.0.0.9:80", syscall.EHOSTUNREACH}, {a, "[fd00::9]:80", syscall.ENETUNREACH}, {lone, "10.0.0.2:80", syscall.ENETUNREACH},
		{a, "255.255.255.255:80", syscall.ENETUNREACH}, {a, "224.0.0.1:80", syscall.ENETUNREACH},
	} {
		t.Run(tc.from.hostname+" to "+tc.address, func(t *testing.T) {
			c, err := tc.from.Dial(quickly(t), tc.address)
			if c != nil {
				c.Close()
			}
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

func TestDialErrorsReadLikeThoseOfPackageNet(t *testing.T) {
	_, a, _ := two(t)
	for address, want := range map[string]string{
		"10.0.0.2:80": "dial tcp 10.0.0.2:80: connect: connection refused",
		"nosuch:80":   "dial tcp: lookup nosuch on 127.0.0.11:53: no such host",
		"b":           "dial tcp: address b: missing port in address",
		"b:99999":     "dial tcp: address 99999: invalid port",
	} {
		_, err := a.Dial(t.Context(), address)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}

func TestListen(t *testing.T) {
	for _, tc := range []struct {
		first, second string
		want          error
	}{
		{":80", ":80", syscall.EADDRINUSE}, {":80", "127.0.0.1:80", syscall.EADDRINUSE}, {"127.0.0.1:80", ":80", syscall.EADDRINUSE},
		{"127.0.0.1:80", "127.0.0.1:80", syscall.EADDRINUSE}, {"127.0.0.1:80", "127.0.0.2:80", nil}, {"127.0.0.1:80", "10.0.0.1:80", nil},
		{"0.0.0.0:80", "[::1]:80", nil}, {"0.0.0.0:80", "10.0.0.1:80", syscall.EADDRINUSE}, {":80", "[::1]:80", syscall.EADDRINUSE},
		{":80", ":81", nil}, {":80", "10.0.0.2:81", syscall.EADDRNOTAVAIL}, {":80", "9.9.9.9:0", syscall.EADDRNOTAVAIL},
		{":0", ":0", nil}, {"a:80", "localhost:80", nil}, {"a:80", "10.0.0.1:80", syscall.EADDRINUSE},
	} {
		t.Run(tc.first+" "+tc.second, func(t *testing.T) {
			_, a, _ := two(t)
			listen(t, a, tc.first)
			l, err := a.Listen(t.Context(), tc.second)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if l != nil {
				l.Close()
			}
		})
	}
}

func TestListenerNamesItsAddress(t *testing.T) {
	_, a, _ := two(t)
	for address, want := range map[string]string{":80": "[::]:80", "0.0.0.0:81": "0.0.0.0:81", "localhost:82": "127.0.0.1:82", "a:83": "10.0.0.1:83"} {
		if got := listen(t, a, address).Addr(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := listen(t, a, ":0").Addr(); got != "[::]:32768" {
		t.Errorf("first ephemeral port: %s", got)
	}
}

func TestDialWaitsWhileTheQueueIsFull(t *testing.T) {
	_, a, b := two(t)
	l := listen(t, b, ":80")
	for range backlog {
		dial(t, a, "b:80")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := a.Dial(ctx, "b:80"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("dial: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := a.Dial(context.Background(), "b:80")
		done <- err
	}()
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestClosingEndsEveryWait(t *testing.T) {
	_, a, b := two(t)
	near, far := connect(t, a, b)
	l := listen(t, b, ":81")
	var wg sync.WaitGroup
	errs := make([]error, 3)
	wg.Go(func() { _, errs[0] = l.Accept() })
	wg.Go(func() { _, errs[1] = far.Read(make([]byte, 1)) })
	wg.Go(func() { _, errs[2] = near.Read(make([]byte, 1)) })
	time.Sleep(5 * time.Millisecond)
	b.Close()
	wg.Wait()
	if !errors.Is(errs[0], net.ErrClosed) || !errors.Is(errs[1], net.ErrClosed) || !errors.Is(errs[2], io.EOF) {
		t.Errorf("accept: %v, own read: %v, peer's read: %v", errs[0], errs[1], errs[2])
	}
	if _, err := a.Dial(t.Context(), "10.0.0.2:80"); !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("dial: %v", err)
	}
	if _, err := b.Listen(t.Context(), ":80"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listen: %v", err)
	}
	plugIn(t, a.sw, a.sw.Host("idc", "c"), "10.0.0.2")
}

func TestUnplugResets(t *testing.T) {
	s, a, b := two(t)
	near, far := connect(t, a, b)
	own := listen(t, b, "127.0.0.1:9")
	listen(t, b, "10.0.0.2:9")
	if _, err := s.Unplug(b); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{near, far} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %v", err)
		}
	}
	dial(t, b, own.Addr())
	if _, err := b.Dial(t.Context(), "10.0.0.2:9"); err == nil {
		t.Error("the listener on the address is still there")
	}
	if _, err := b.Dial(t.Context(), "10.0.0.1:80"); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("dial: %v", err)
	}
}

func plugErr(s *Switch, h *Host, addr string) error {
	_, err := s.Plug(h, at(addr))
	return err
}

func TestPlug(t *testing.T) {
	s, a, _ := two(t)
	for addr, want := range map[string]error{
		"10.0.0.2": syscall.EADDRINUSE, "10.0.0.1": syscall.EADDRINUSE, "::ffff:10.0.0.1": syscall.EADDRINUSE, "127.0.0.5": syscall.EADDRNOTAVAIL,
		"0.0.0.0": syscall.EADDRNOTAVAIL, "::": syscall.EADDRNOTAVAIL, "::1": syscall.EADDRNOTAVAIL, "224.0.0.1": syscall.EADDRNOTAVAIL,
		"255.255.255.255": syscall.EADDRNOTAVAIL, "fd00::1": nil, "10.0.0.3": nil,
	} {
		if err := plugErr(s, a, addr); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", addr, err, want)
		}
	}
	want := []string{"10.0.0.1", "10.0.0.3", "fd00::1"}
	got, server, err := a.Lookup(t.Context(), "A")
	if diff := cmp.Diff(len(want), len(got)); diff != "" || server != "" || err != nil {
		t.Errorf("own name: %v %q %v", got, server, err)
	}
}

func TestLookup(t *testing.T) {
	s, a, _ := two(t)
	know(map[string]string{"db": "10.0.0.2 10.0.0.9", "c": "10.0.0.9"}, a)
	a.Names = func() ([]byte, error) { return []byte("# names\n10.9.9.9 Mine other # db\nbad db\n::1 other\n"), nil }
	lone := s.Host("id4", "lone")
	for _, tc := range []struct {
		host   *Host
		name   string
		want   []string
		server string
	}{
		{a, "db", []string{"10.0.0.2", "10.0.0.9"}, nameServer}, {a, "DB.", []string{"10.0.0.2", "10.0.0.9"}, nameServer},
		{a, "c", []string{"10.0.0.9"}, nameServer}, {a, "a", []string{"10.0.0.1"}, ""}, {a, "localhost", []string{"127.0.0.1", "::1"}, ""},
		{a, "10.1.2.3", []string{"10.1.2.3"}, ""}, {a, "::1", []string{"::1"}, ""}, {a, "mine", []string{"10.9.9.9"}, ""},
		{a, "other", []string{"10.9.9.9", "::1"}, ""}, {a, "nosuch", nil, nameServer}, {a, "", nil, nameServer},
		{lone, "lone", []string{"127.0.0.1"}, ""}, {lone, "db", nil, noServer},
	} {
		got, server, err := tc.host.Lookup(t.Context(), tc.name)
		if diff := cmp.Diff(tc.want, got); diff != "" || server != tc.server {
			t.Errorf("%s: %s server %q", tc.name, diff, server)
		}
		var dns *net.DNSError
		if (tc.want == nil) != errors.As(err, &dns) || dns != nil && (!dns.IsNotFound || dns.Name != tc.name) {
			t.Errorf("%s: error %v", tc.name, err)
		}
	}
}

func TestWaitIsToldOfEveryWait(t *testing.T) {
	_, a, b := two(t)
	var waits, inside atomic.Int64
	hook := func(f func()) {
		waits.Add(1)
		inside.Add(1)
		f()
		inside.Add(-1)
	}
	a.Wait, b.Wait = hook, hook
	l := listen(t, b, ":80")
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(io.Discard, c)
	}()
	for inside.Load() != 1 { // it waits for a connection
		time.Sleep(time.Millisecond)
	}
	c := dial(t, a, "b:80")
	fmt.Fprint(c, "x")
	c.Close()
	<-done
	if waits.Load() == 0 || inside.Load() != 0 {
		t.Errorf("%d waits, %d unfinished", waits.Load(), inside.Load())
	}
}
