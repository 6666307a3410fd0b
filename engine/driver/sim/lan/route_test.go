package lan

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func networks() (web, db, alone Network) {
	a := netip.MustParseAddr
	return Network{ID: "web", Gateways: []netip.Addr{a("10.1.0.1")}}, Network{ID: "db", Gateways: []netip.Addr{a("10.2.0.1")}},
		Network{ID: "alone", Gateways: []netip.Addr{a("10.3.0.1")}, Isolated: true}
}

func in(n Network, prefix string) Plug { return Plug{n, netip.MustParsePrefix(prefix)} }

// at2 makes a host with these addresses, by way of all its networks unless it is shut in, that listens on port 80.
func at2(t *testing.T, s *Switch, name string, shutIn bool, plugs ...Plug) *Host {
	t.Helper()
	h := s.Host("id-"+name, name)
	if _, err := s.Plug(h, plugs...); err != nil {
		t.Fatal(err)
	}
	if !shutIn {
		s.Route(h, idsOf(plugs, func(string) bool { return true })...)
	}
	listen(t, h, ":80")
	h.Lost = func(context.Context) error { return nil }
	return h
}

func TestWhoReachesWhom(t *testing.T) {
	web, db, alone := networks()
	dir := t.TempDir()
	near, far := NewSwitch(), NewSwitch()
	for _, s := range []*Switch{near, far} {
		t.Cleanup(func() { s.Close() })
		if err := s.Trunk(dir); err != nil {
			t.Fatal(err)
		}
		s.Machine("host")
	}
	listen(t, near.machine, ":80")
	hosts := map[string]*Host{
		"machine": near.machine, "w1": at2(t, near, "w1", false, in(web, "10.1.0.2/16")), "w2": at2(t, far, "w2", false, in(web, "10.1.0.3/16")),
		"both": at2(t, near, "both", false, in(web, "10.1.0.4/16"), in(db, "10.2.0.4/16")), "shut in": at2(t, far, "shut in", true, in(db, "10.2.0.5/16")),
		"i1": at2(t, near, "i1", false, in(alone, "10.3.0.2/16")), "i2": at2(t, near, "i2", false, in(alone, "10.3.0.3/16")),
	}
	for _, c := range []struct {
		from, to string
		want     error
	}{
		{"w1", "10.1.0.3", nil}, {"w2", "10.1.0.2", nil}, {"w1", "10.1.0.4", nil}, {"both", "10.1.0.2", nil}, {"both", "10.2.0.5", nil}, {"shut in", "10.2.0.4", nil},
		{"w1", "10.2.0.4", syscall.ETIMEDOUT}, {"w1", "10.2.0.99", syscall.ETIMEDOUT}, {"w2", "10.3.0.2", syscall.ETIMEDOUT}, {"shut in", "10.1.0.2", syscall.ENETUNREACH},
		{"w1", "10.1.0.99", syscall.EHOSTUNREACH}, {"w1", "10.9.0.1", syscall.ENETUNREACH}, {"i1", "10.3.0.3", syscall.EHOSTUNREACH}, {"i1", "10.3.0.2", nil},
		{"w1", "10.1.0.1", nil}, {"i1", "10.3.0.1", nil}, {"w1", "10.2.0.1", nil}, {"w2", "10.1.0.1", syscall.ECONNREFUSED}, {"shut in", "10.1.0.1", syscall.ENETUNREACH},
		{"machine", "10.1.0.2", nil}, {"machine", "10.1.0.3", nil}, {"machine", "10.2.0.5", nil}, {"machine", "10.3.0.2", nil}, {"machine", "10.1.0.99", syscall.EHOSTUNREACH},
		{"machine", "10.1.0.1", nil}, {"machine", "10.9.0.1", syscall.ENETUNREACH},
	} {
		conn, err := hosts[c.from].Dial(quickly(t), c.to+":80")
		if conn != nil {
			conn.Close()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s to %s: %v, want %v", c.from, c.to, err, c.want)
		}
	}
	if c := dial(t, near.machine, "10.2.0.5:80"); c.LocalAddr().(*net.TCPAddr).IP.String() != "10.2.0.1" {
		t.Errorf("the machine comes from %s", c.LocalAddr())
	}
}

// The first one that comes to a network, from whatever process, makes it; the last one that leaves takes it away.
func TestFirstAndLast(t *testing.T) {
	web, db, _ := networks()
	dir := filepath.Join(t.TempDir(), "trunk")
	near, far := NewSwitch(), NewSwitch()
	for _, s := range []*Switch{near, far} {
		t.Cleanup(func() { s.Close() })
		if err := s.Trunk(dir); err != nil {
			t.Fatal(err)
		}
	}
	a, b := near.Host("a", "a"), far.Host("b", "b")
	plug := func(s *Switch, h *Host, want []string, plugs ...Plug) {
		t.Helper()
		fresh, err := s.Plug(h, plugs...)
		if diff := cmp.Diff(want, fresh); diff != "" || err != nil {
			t.Errorf("plug: %v (-want +got)\n%s", err, diff)
		}
	}
	unplug := func(s *Switch, h *Host, want []string, networks ...string) {
		t.Helper()
		empty, err := s.Unplug(h, networks...)
		if diff := cmp.Diff(want, empty); diff != "" || err != nil {
			t.Errorf("unplug: %v (-want +got)\n%s", err, diff)
		}
	}
	plug(near, a, []string{"web"}, in(web, "10.1.0.2/16"))
	plug(far, b, []string{"db"}, in(web, "10.1.0.3/16"), in(db, "10.2.0.3/16"))
	if _, err := near.Plug(a, in(db, "10.2.0.2/16"), in(web, "10.1.0.3/16")); !errors.Is(err, syscall.EADDRINUSE) || len(a.Addrs()) != 1 {
		t.Errorf("one address of two is taken: %v, %v", err, a.Addrs())
	}
	if !near.Present("b", netip.MustParseAddr("10.2.0.3")) || near.Present("a", netip.MustParseAddr("10.2.0.3")) {
		t.Error("who has an address is not known")
	}
	unplug(near, a, nil, "web")
	unplug(far, b, []string{"db"}, "db")
	if got := b.Addrs(); len(got) != 1 || !slices.Contains(got, netip.MustParseAddr("10.1.0.3")) {
		t.Errorf("left with %v", got)
	}
	unplug(far, b, []string{"web"})
	unplug(far, b, nil)
}

func TestLostUntilSomebodyGivesUp(t *testing.T) {
	web, db, _ := networks()
	s := NewSwitch()
	t.Cleanup(func() { s.Close() })
	a := at2(t, s, "a", false, in(web, "10.1.0.2/16"))
	at2(t, s, "b", false, in(db, "10.2.0.2/16"))
	a.Lost = nil
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := a.Dial(ctx, "10.2.0.2:80"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := a.Dial(context.Background(), "10.2.0.2:80")
		done <- err
	}()
	a.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial of a host that is closed: %v", err)
	}
}
