package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	api "github.com/moby/moby/api/types/network"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/home"
)

// seeded gives the same ids each time.
type seeded struct{ *rand.ChaCha8 }

func open(t testing.TB) *Store {
	t.Helper()
	h, err := home.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := New(h)
	s.Random = &locked{r: seeded{rand.NewChaCha8([32]byte{1})}}
	return s
}

type locked struct {
	mu sync.Mutex
	r  seeded
}

func (l *locked) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

func id(i int) string { return fmt.Sprintf("%064x", i+1) }

func create(t testing.TB, s *Store, o CreateOptions) *Network {
	t.Helper()
	n, err := s.Create(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func config(subnet, rng, gateway string) []api.IPAMConfig {
	c := api.IPAMConfig{Subnet: netip.MustParsePrefix(subnet)}
	if rng != "" {
		c.IPRange = netip.MustParsePrefix(rng)
	}
	if gateway != "" {
		c.Gateway = netip.MustParseAddr(gateway)
	}
	return []api.IPAMConfig{c}
}

func TestPredefinedNetworksAreAlwaysThere(t *testing.T) {
	s := open(t)
	for range 2 {
		all, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range all {
			got = append(got, n.Name+" "+n.Driver+" "+n.Scope)
		}
		if want := []string{"bridge bridge local", "host host local", "none null local"}; !slices.Equal(got, want) {
			t.Errorf("networks %q, want %q", got, want)
		}
	}
	n, err := s.Find(t.Context(), "bridge")
	if err != nil || n.IPAM.Config[0].Subnet.String() != "172.17.0.0/16" || n.IPAM.Config[0].Gateway.String() != "172.17.0.1" {
		t.Errorf("bridge: %+v, %v", n, err)
	}
	for _, name := range []string{"bridge", "host", "none"} {
		if _, err := s.Remove(t.Context(), name); err == nil || err.Error() != name+" is a pre-defined network and cannot be removed" {
			t.Errorf("rm %s: %v", name, err)
		}
		if _, err := s.Create(t.Context(), CreateOptions{Name: name}); err == nil || !strings.Contains(err.Error(), "predefined") {
			t.Errorf("create %s: %v", name, err)
		}
	}
}

func TestCreateFindRemove(t *testing.T) {
	s := open(t)
	a := create(t, s, CreateOptions{Name: "aa", Labels: map[string]string{"k": "v"}, Internal: true})
	b := create(t, s, CreateOptions{Name: "bb", IPv6: true, Subnets: config("10.9.0.0/24", "10.9.0.128/25", "10.9.0.5")})
	for ref, want := range map[string]string{"aa": a.ID, a.ID: a.ID, a.ID[:12]: a.ID, a.ID[:3]: a.ID, "bb": b.ID} {
		if n, err := s.Find(t.Context(), ref); err != nil || n.ID != want {
			t.Errorf("%s: %v, %v", ref, n, err)
		}
	}
	if n, _ := s.Find(t.Context(), "aa"); !n.Internal || n.Labels["k"] != "v" || n.IPAM.Config[0].Subnet.String() != "172.18.0.0/16" {
		t.Errorf("aa: %+v", n)
	}
	if len(b.IPAM.Config) != 2 || b.IPAM.Config[1].Subnet.Bits() != 64 || !strings.HasPrefix(b.IPAM.Config[1].Subnet.String(), "fd") {
		t.Errorf("bb has %v", b.IPAM.Config)
	}
	if _, err := s.Find(t.Context(), ""); !IsNotFound(err) {
		t.Errorf("an empty name: %v", err)
	}
	if _, err := s.Remove(t.Context(), a.ID[:12]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), "aa"); !IsNotFound(err) || err.Error() != "network aa not found" {
		t.Errorf("again: %v", err)
	}
	if _, err := os.Stat(s.dir(a.ID)); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
}

func TestCreateRefuses(t *testing.T) {
	s := open(t)
	create(t, s, CreateOptions{Name: "taken", Subnets: config("10.9.0.0/16", "", "")})
	for want, o := range map[string]CreateOptions{
		"network with name taken already exists":       {Name: "taken"},
		"Pool overlaps with other one":                 {Name: "x", Subnets: config("10.9.8.0/24", "", "")},
		"name is empty":                                {},
		"only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed":   {Name: "../x"},
		"could not be told from an id":                 {Name: id(7)},
		"overlay is not there":                         {Name: "x", Driver: "overlay"},
		"plugin not found":                             {Name: "x", Driver: "weave"},
		"only one instance of \"host\" network":        {Name: "x", Driver: "host"},
		"must have a corresponding subnet":             {Name: "x", Subnets: []api.IPAMConfig{{Gateway: netip.MustParseAddr("10.0.0.1")}}},
		"it should be 10.1.0.0/24":                     {Name: "x", Subnets: config("10.1.0.3/24", "", "")},
		"IPv6 subnet fd00::/64 needs --ipv6":           {Name: "x", Subnets: config("fd00::/64", "", "")},
		"invalid interface name":                       {Name: "x", Options: map[string]string{OptionBridge: "../../etc"}},
		"subnets 10.1.0.0/24 and 10.1.0.0/25 overlap":  {Name: "x", Subnets: append(config("10.1.0.0/24", "", ""), config("10.1.0.0/25", "", "")...)},
		"failed to find ipam driver \"dhcp\"":          {Name: "x", IPAMDriver: "dhcp"},
		"invalid gateway 10.2.0.1: parent subnet 10.1": {Name: "x", Subnets: config("10.1.0.0/24", "", "10.2.0.1")},
	} {
		if _, err := s.Create(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if all, _ := s.all(); len(all) != 2 {
		t.Errorf("%d networks are there", len(all))
	}
}

// What the host has routes for is given to no network. The default bridge comes first.
func TestSubnetsKeepClearOfTheHost(t *testing.T) {
	s := open(t)
	s.Used = func(context.Context) ([]netip.Prefix, error) {
		return []netip.Prefix{netip.MustParsePrefix("172.17.3.0/24"), netip.MustParsePrefix("172.18.0.1/32")}, nil
	}
	if n := create(t, s, CreateOptions{Name: "aa"}); n.IPAM.Config[0].Subnet.String() != "172.20.0.0/16" {
		t.Errorf("it has %s", n.IPAM.Config[0].Subnet)
	}
}

func TestClaim(t *testing.T) {
	s := open(t)
	n := create(t, s, CreateOptions{Name: "aa", IPv6: true, Subnets: append(config("10.9.0.0/29", "", ""), config("fd01::/64", "", "")...)})
	l, err := s.Claim(t.Context(), n, Request{Container: id(0), Name: "web", Names: []string{"web", "www"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(l.Addresses, " ", l.MAC); got != "[10.9.0.2/29 fd01::2/64] 02:42:0a:09:00:02" {
		t.Errorf("lease %s", got)
	}
	again, err := s.Claim(t.Context(), n, Request{Container: id(0), Name: "web"})
	if err != nil || !slices.Equal(again.Addresses, l.Addresses) {
		t.Errorf("claimed again: %v, %v", again.Addresses, err)
	}
	want := []netip.Addr{netip.MustParseAddr("10.9.0.5")}
	if l, err := s.Claim(t.Context(), n, Request{Container: id(1), Name: "db", Addresses: want, MAC: "02:00:00:00:00:09"}); err != nil || l.Addresses[0].String() != "10.9.0.5/29" || l.MAC != "02:00:00:00:00:09" {
		t.Errorf("a fixed address: %v, %v", l, err)
	}
	for words, a := range map[string]string{"10.9.0.5 is the address of db": "10.9.0.5", "the gateway's": "10.9.0.1", "belongs to none of the subnets": "10.10.0.5"} {
		if _, err := s.Claim(t.Context(), n, Request{Container: id(2), Addresses: []netip.Addr{netip.MustParseAddr(a)}}); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", a, err)
		}
	}
	for i := range 3 { // 3, 4 and 6
		if _, err := s.Claim(t.Context(), n, Request{Container: id(10 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Claim(t.Context(), n, Request{Container: id(20)}); err == nil || !strings.Contains(err.Error(), "no available IPv4 addresses") {
		t.Errorf("of a network that is full: %v", err)
	}
	s.Holds = func(_ context.Context, _, c string) bool { return c != id(11) } // one has died unseen
	if l, err := s.Claim(t.Context(), n, Request{Container: id(20)}); err != nil || l.Addresses[0].String() != "10.9.0.4/29" {
		t.Errorf("in a dead one's place: %v, %v", l.Addresses, err)
	}
}

func TestRemoveInUse(t *testing.T) {
	s := open(t)
	n := create(t, s, CreateOptions{Name: "aa"})
	l, err := s.Claim(t.Context(), n, Request{Container: id(0), Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("error while removing network: network aa id %s has active endpoints (name:\"web\" id:%q)", n.ID, l.Endpoint[:12])
	if _, err := s.Remove(t.Context(), "aa"); !errors.As(err, new(*InUseError)) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := s.Release(t.Context(), n.ID, id(0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), n.ID, id(0)); err != nil {
		t.Errorf("released twice: %v", err)
	}
	if _, err := s.Remove(t.Context(), "aa"); err != nil {
		t.Error(err)
	}
	if _, err := s.Claim(t.Context(), n, Request{Container: id(1)}); !IsNotFound(err) {
		t.Errorf("a claim in a network that is gone: %v", err)
	}
}

// A record that is damaged stops no other network, says how to mend it, and can be removed; a folder without one is swept.
func TestDamagedRecords(t *testing.T) {
	s := open(t)
	a, b := create(t, s, CreateOptions{Name: "aa"}), create(t, s, CreateOptions{Name: "bb"})
	file := filepath.Join(s.dir(a.ID), recordName)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{nil, whole[:len(whole)/2], []byte(`{"Id":"` + b.ID + `"}`), []byte(`{"Name":"aa","Driver":"bridge","Id":"` + a.ID + `"}`)} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := s.Find(t.Context(), a.ID[:12])
		if err != nil || n.Problem == nil || !strings.Contains(n.Problem.Error(), "docker network rm "+a.ID[:12]) {
			t.Errorf("%q: %v, %v", data, n, err)
		}
		if n, err := s.Find(t.Context(), "bb"); err != nil || n.Problem != nil {
			t.Errorf("the other one: %v, %v", n, err)
		}
	}
	if _, err := s.Remove(t.Context(), a.ID[:12]); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(s.dir(b.ID), recordName)); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names, _ := home.Names(s.home.Networks()); len(names) != 1 {
		t.Errorf("after the sweep there are %v", names)
	}
}

func TestPrune(t *testing.T) {
	s := open(t)
	a := create(t, s, CreateOptions{Name: "aa"})
	for _, name := range []string{"bb", "cc", "dd"} {
		create(t, s, CreateOptions{Name: name})
	}
	if _, err := s.Claim(t.Context(), a, Request{Container: id(0)}); err != nil {
		t.Fatal(err)
	}
	gone, err := s.Prune(t.Context(), func(n *Network) bool { return n.Name == "bb" }, func(n *Network) bool { return n.Name != "cc" })
	if err != nil || !slices.Equal(gone, []string{"dd"}) {
		t.Errorf("gone %v, %v", gone, err)
	}
}

// Many at once: no name, subnet or address is given twice.
func TestAtOnce(t *testing.T) {
	s := open(t)
	shared := create(t, s, CreateOptions{Name: "shared"})
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			n, err := s.Create(t.Context(), CreateOptions{Name: fmt.Sprint("n", i%6)})
			if err != nil && !strings.Contains(err.Error(), "already exists") {
				t.Error(err)
			}
			if err == nil {
				_, err = s.Claim(t.Context(), n, Request{Container: id(i)})
			}
			if _, err2 := s.Claim(t.Context(), shared, Request{Container: id(i)}); err2 != nil {
				t.Error(err, err2)
			}
		})
	}
	all.Wait()
	networks, err := s.all()
	if err != nil || len(networks) != 8 {
		t.Fatalf("%d networks, %v", len(networks), err)
	}
	var seen []netip.Prefix
	for _, n := range networks {
		for _, other := range seen {
			if other.Overlaps(n.IPAM.Config[0].Subnet) {
				t.Errorf("%s is given twice", other)
			}
		}
		seen = append(seen, n.IPAM.Config[0].Subnet)
	}
	leases, err := s.Leases(t.Context(), shared)
	if err != nil || len(leases) != 12 {
		t.Fatalf("%d leases, %v", len(leases), err)
	}
	for i, l := range leases {
		if want := fmt.Sprintf("172.18.0.%d/16", i+2); l.Addresses[0].String() != want {
			t.Errorf("lease %d has %s", i, l.Addresses[0])
		}
	}
}

// Whatever is claimed and released: no address is two containers', and a lease that was given back can be given again.
func TestClaimsAreApart(t *testing.T) {
	s := open(t)
	n := create(t, s, CreateOptions{Name: "aa", Subnets: config("10.9.0.0/28", "", "")})
	rapid.Check(t, func(t *rapid.T) {
		held := map[string]netip.Prefix{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			c := id(rapid.IntRange(0, 19).Draw(t, "container"))
			if rapid.Bool().Draw(t, "release") {
				if err := s.Release(context.Background(), n.ID, c); err != nil {
					t.Fatal(err)
				}
				delete(held, c)
				continue
			}
			l, err := s.Claim(context.Background(), n, Request{Container: c})
			if err != nil {
				if _, has := held[c]; has || len(held) < 13 {
					t.Fatalf("with %d held: %v", len(held), err)
				}
				continue
			}
			if old, has := held[c]; has && old != l.Addresses[0] {
				t.Fatalf("%s moved from %s to %s", c, old, l.Addresses[0])
			}
			held[c] = l.Addresses[0]
		}
		seen := map[netip.Prefix]bool{}
		for c, a := range held {
			if seen[a] {
				t.Fatalf("%s is given twice", a)
			}
			seen[a] = true
			_ = s.Release(context.Background(), n.ID, c)
		}
	})
}
