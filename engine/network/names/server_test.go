package names

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func addrs(words ...string) (a []netip.Addr) {
	for _, w := range words {
		a = append(a, netip.MustParseAddr(w))
	}
	return a
}

// shop is two networks: web is on both, db has two replicas.
func shop() *Table {
	return NewTable([]Network{
		{Name: "front", Hosts: []Host{
			{Names: []string{"Web", "0123456789ab", "www"}, Addresses: addrs("172.18.0.2")},
			{Names: []string{"six", "ba9876543210"}, Addresses: addrs("172.18.0.3", "fd00::3")},
		}},
		{Name: "back.end", Hosts: []Host{
			{Names: []string{"web", "0123456789ab"}, Addresses: addrs("172.19.0.2", "fd01::2")},
			{Names: []string{"db1", "111111111111", "db"}, Addresses: addrs("172.19.0.3")},
			{Names: []string{"db2", "222222222222", "db"}, Addresses: addrs("172.19.0.4")},
			{Names: []string{"a.b"}, Addresses: addrs("172.19.0.5")},
		}},
	})
}

// running is a name server on loopback, over both protocols.
type running struct {
	t      testing.TB
	addr   netip.AddrPort
	mu     sync.Mutex
	events []Event
}

func start(t testing.TB, c Config) *running {
	t.Helper()
	r := &running{t: t}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second // the machine may be busy
	}
	p, l := listen(t)
	r.addr = addrPort(p.LocalAddr())
	if c.Observe == nil {
		c.Observe = func(e Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- Serve(ctx, c, []net.PacketConn{p}, []net.Listener{l}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

// listen opens the same port of loopback for UDP and TCP.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if p, err := net.ListenPacket("udp4", l.Addr().String()); err == nil {
			return p, l
		}
		_ = l.Close()
	}
	t.Fatal("no port is free for both protocols")
	return nil, nil
}

// connect dials the server with a guard against hanging.
func (r *running) connect(protocol string) net.Conn {
	r.t.Helper()
	c, err := net.Dial(protocol, r.addr.String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

func ask(id uint16, name string, typ dnsmessage.Type, edns int) []byte {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, RecursionDesired: true})
	_ = b.StartQuestions()
	_ = b.Question(dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET})
	if edns > 0 {
		var h dnsmessage.ResourceHeader
		_ = h.SetEDNS0(edns, 0, false)
		_ = b.StartAdditionals()
		_ = b.OPTResource(h, dnsmessage.OPTResource{})
	}
	msg, err := b.Finish()
	if err != nil {
		panic(err)
	}
	return msg
}

// do sends a message by itself and parses what comes back.
func (r *running) do(protocol string, msg []byte) dnsmessage.Message {
	r.t.Helper()
	return parsed(r.t, exchangeRaw(r.t, r.connect(protocol), protocol, msg))
}

func exchangeRaw(t testing.TB, c net.Conn, protocol string, msg []byte) []byte {
	t.Helper()
	if protocol == "tcp" {
		if err := writeMessage(c, msg); err != nil {
			t.Fatal(err)
		}
		reply, err := readMessage(c, 65535)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	if _, err := c.Write(msg); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 65536)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func parsed(t testing.TB, reply []byte) (m dnsmessage.Message) {
	t.Helper()
	if err := m.Unpack(reply); err != nil {
		t.Fatalf("reply %x: %v", reply, err)
	}
	return m
}

// words writes a reply as its code and its answers.
func words(m dnsmessage.Message) string {
	s := []string{codeName(m.RCode)}
	for _, a := range m.Answers {
		s = append(s, resource(a))
	}
	return strings.Join(s, " ")
}

func TestNamesOfNetworks(t *testing.T) {
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}, Dial: noDial(t)})
	for _, c := range []struct {
		name string
		typ  dnsmessage.Type
		want string
	}{
		{"web.", dnsmessage.TypeA, "NOERROR 172.18.0.2"},
		{"WEB.", dnsmessage.TypeA, "NOERROR 172.18.0.2"},
		{"www.", dnsmessage.TypeA, "NOERROR 172.18.0.2"},
		{"0123456789ab.", dnsmessage.TypeA, "NOERROR 172.18.0.2"},
		{"web.front.", dnsmessage.TypeA, "NOERROR 172.18.0.2"},
		{"web.Back.End.", dnsmessage.TypeA, "NOERROR 172.19.0.2"},
		{"www.front.", dnsmessage.TypeA, "NOERROR 172.18.0.2"},
		{"a.b.", dnsmessage.TypeA, "NOERROR 172.19.0.5"},
		{"a.b.back.end.", dnsmessage.TypeA, "NOERROR 172.19.0.5"},
		{"web.", dnsmessage.TypeAAAA, "NOERROR fd01::2"}, // the first network has none
		{"six.", dnsmessage.TypeAAAA, "NOERROR fd00::3"},
		{"db1.", dnsmessage.TypeAAAA, "NOERROR"},
		{"web.front.", dnsmessage.TypeAAAA, "NOERROR"},
		{"web.", dnsmessage.TypeMX, "NOERROR"},
		{"web.", dnsmessage.TypeTXT, "NOERROR"},
		{"web.", dnsmessage.Type(65), "NOERROR"},
		{"2.0.18.172.in-addr.arpa.", dnsmessage.TypePTR, "NOERROR Web.front"},
		{"2.0.19.172.in-addr.arpa.", dnsmessage.TypePTR, "NOERROR web.back.end"},
		{"2.0.19.172.IN-ADDR.arpa.", dnsmessage.TypeA, "NOERROR"},
		{"3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", dnsmessage.TypePTR, "NOERROR six.front"},
	} {
		for _, protocol := range []string{"udp", "tcp"} {
			m := r.do(protocol, ask(77, c.name, c.typ, 0))
			if got := words(m); got != c.want {
				t.Errorf("%s %s %s: %s, want %s", protocol, c.name, c.typ, got, c.want)
			}
			if m.ID != 77 || !m.Response || !m.Authoritative || !m.RecursionAvailable || !m.RecursionDesired || len(m.Questions) != 1 || m.Questions[0].Name.String() != c.name {
				t.Errorf("%s %s: header %+v, questions %v", protocol, c.name, m.Header, m.Questions)
			}
		}
	}
}

// noDial fails the test when a question leaves.
func noDial(t testing.TB) func(context.Context, string, netip.AddrPort) (net.Conn, error) {
	return func(_ context.Context, protocol string, server netip.AddrPort) (net.Conn, error) {
		t.Errorf("a question left for %s over %s", server, protocol)
		return nil, errors.New("nothing leaves")
	}
}

func TestAddressesRotate(t *testing.T) {
	r := start(t, Config{Lookup: shop()})
	first := map[string]int{}
	for range 10 {
		m := r.do("udp", ask(1, "db.", dnsmessage.TypeA, 0))
		if len(m.Answers) != 2 {
			t.Fatalf("answers %v", m.Answers)
		}
		first[resource(m.Answers[0])]++
	}
	if first["172.19.0.3"] != 5 || first["172.19.0.4"] != 5 {
		t.Errorf("first addresses: %v", first)
	}
}

func TestInternalNetworkAsksNobody(t *testing.T) {
	r := start(t, Config{Lookup: shop(), Dial: noDial(t)})
	for _, c := range []struct {
		name string
		typ  dnsmessage.Type
	}{{"example.com.", dnsmessage.TypeA}, {"example.com.", dnsmessage.TypeTXT}, {"secret.evil.example.", dnsmessage.TypeAAAA}, {"8.8.8.8.in-addr.arpa.", dnsmessage.TypePTR}, {".", dnsmessage.TypeNS}} {
		for _, protocol := range []string{"udp", "tcp"} {
			if got := words(r.do(protocol, ask(1, c.name, c.typ, 1232))); got != "NXDOMAIN" {
				t.Errorf("%s %s %s: %s", protocol, c.name, c.typ, got)
			}
		}
	}
}

type broken struct{}

func (broken) Addresses(string) ([]netip.Addr, error) { return nil, errors.New("disk on fire") }
func (broken) Name(netip.Addr) (string, error)        { return "", errors.New("disk on fire") }

func TestBrokenLookupLeaksNothing(t *testing.T) {
	r := start(t, Config{Lookup: broken{}, Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}, Dial: noDial(t)})
	for name, typ := range map[string]dnsmessage.Type{"web.": dnsmessage.TypeA, "2.0.18.172.in-addr.arpa.": dnsmessage.TypePTR} {
		if got := words(r.do("udp", ask(1, name, typ, 0))); got != "SERVFAIL" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestManyAddressesFitTheReply(t *testing.T) {
	h := Host{Names: []string{"many"}}
	for i := range 200 {
		h.Addresses = append(h.Addresses, netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(i)}))
	}
	r := start(t, Config{Lookup: NewTable([]Network{{Name: "n", Hosts: []Host{h}}})})
	for _, typ := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		for _, size := range []int{0, 1, 512, 1232, 4096, 65535} {
			reply := exchangeRaw(t, r.connect("udp"), "udp", ask(1, "many.", typ, size))
			m := parsed(t, reply)
			limit := max(size, 512)
			whole := len(m.Answers) == 200
			if len(reply) > limit || m.Truncated == whole || !whole && len(reply) < limit-40 {
				t.Errorf("%s, size %d: %d bytes, %d answers, truncated %v", typ, size, len(reply), len(m.Answers), m.Truncated)
			}
			if len(m.Additionals) != min(size, 1) {
				t.Errorf("%s, size %d: additional records %v", typ, size, m.Additionals)
			}
		}
		if m := r.do("tcp", ask(1, "many.", typ, 0)); len(m.Answers) != 200 || m.Truncated {
			t.Errorf("%s over TCP: %d answers", typ, len(m.Answers))
		}
	}
}

func TestWhatIsNoQuestion(t *testing.T) {
	r := start(t, Config{Lookup: shop(), Dial: noDial(t), Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
	question := ask(9, "web.", dnsmessage.TypeA, 0)
	edit := func(f func([]byte)) []byte {
		m := slices.Clone(question)
		f(m)
		return m
	}
	for name, c := range map[string]struct {
		msg  []byte
		want string
	}{
		"another operation":            {edit(func(m []byte) { m[2] |= 2 << 3 }), "NOTIMP"},
		"no question":                  {edit(func(m []byte) { m[5] = 0 })[:12], "FORMERR"},
		"two questions":                {append(edit(func(m []byte) { m[5] = 2 }), question[12:]...), "FORMERR"},
		"half a question":              {question[:15], "FORMERR"},
		"an answer that isn't there":   {edit(func(m []byte) { m[7] = 1 }), "FORMERR"},
		"a record that isn't there":    {edit(func(m []byte) { m[11] = 1 }), "FORMERR"},
		"a name that points at itself": {append(slices.Clone(question[:12]), 0xc0, 12, 0, 1, 0, 1), "FORMERR"},
		"a zone transfer":              {ask(9, "example.com.", dnsmessage.TypeAXFR, 0), "NOTIMP"},
		"an incremental one":           {ask(9, "example.com.", typeIXFR, 0), "NOTIMP"},
	} {
		for _, protocol := range []string{"udp", "tcp"} {
			if m := r.do(protocol, c.msg); words(m) != c.want || m.ID != 9 {
				t.Errorf("%s over %s: %s", name, protocol, words(m))
			}
		}
	}
}

// What deserves no reply gets none, and what follows is answered.
func TestSilence(t *testing.T) {
	r := start(t, Config{Lookup: shop()})
	c := r.connect("udp")
	reply := ask(9, "web.", dnsmessage.TypeA, 0)
	reply[2] |= 0x80
	for _, msg := range [][]byte{{}, {1}, make([]byte, 11), reply, make([]byte, maxQuery+1), make([]byte, 60000)} {
		if _, err := c.Write(msg); err != nil {
			t.Fatal(err)
		}
	}
	if m := parsed(t, exchangeRaw(t, c, "udp", ask(10, "web.", dnsmessage.TypeA, 0))); m.ID != 10 {
		t.Errorf("reply to %d", m.ID)
	}
	for _, msg := range [][]byte{reply, make([]byte, maxQuery+1)} {
		c := r.connect("tcp")
		if err := writeMessage(c, msg); err != nil {
			t.Fatal(err)
		}
		if reply, err := readMessage(c, 65535); err == nil {
			t.Errorf("%d bytes over TCP: answered by %x", len(msg), reply)
		}
	}
}

// Several questions on one connection, before the first answer is read.
func TestConnectionIsKept(t *testing.T) {
	r := start(t, Config{Lookup: shop()})
	c := r.connect("tcp")
	for i := range 20 {
		if err := writeMessage(c, ask(uint16(i), "web.", dnsmessage.TypeA, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		reply, err := readMessage(c, 65535)
		if err != nil || binary.BigEndian.Uint16(reply) != uint16(i) {
			t.Fatalf("reply %d: %x, %v", i, reply, err)
		}
	}
}

// Go's own resolver, as a client that was written by others.
func TestWithGoResolver(t *testing.T) {
	r := start(t, Config{Lookup: shop()})
	res := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, protocol, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, protocol, r.addr.String())
	}}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	hosts, err := res.LookupHost(ctx, "six.front.")
	slices.Sort(hosts)
	if err != nil || !slices.Equal(hosts, []string{"172.18.0.3", "fd00::3"}) {
		t.Errorf("LookupHost: %v, %v", hosts, err)
	}
	names, err := res.LookupAddr(ctx, "172.19.0.4")
	if err != nil || !slices.Equal(names, []string{"db2.back.end."}) {
		t.Errorf("LookupAddr: %v, %v", names, err)
	}
	var notFound *net.DNSError
	if _, err := res.LookupHost(ctx, "nobody.front."); !errors.As(err, &notFound) || !notFound.IsNotFound {
		t.Errorf("unknown name: %v", err)
	}
}

func TestEvents(t *testing.T) {
	events := make(chan Event, 10)
	up := upstream(t, func(q dnsmessage.Question, _ string) reply {
		return reply{answers: []string{"192.0.2.1", "192.0.2.2"}}
	})
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{up.addr}, Observe: func(e Event) { events <- e }})
	r.do("udp", ask(1, "WEB.", dnsmessage.TypeA, 0))
	if e := <-events; e.Name != "web" || e.Type != "A" || e.Code != "NOERROR" || fmt.Sprint(e.Answer) != "[172.18.0.2]" || e.Server.IsValid() || !e.Client.Addr().IsLoopback() {
		t.Errorf("own: %+v", e)
	}
	r.do("udp", ask(1, "a\x1b[31m\u00e9.example.", dnsmessage.TypeA, 0))
	if e := <-events; e.Name != `a\027[31m\195\169.example` || fmt.Sprint(e.Answer) != "[192.0.2.1 192.0.2.2]" || e.Server != up.addr {
		t.Errorf("forwarded: %+v", e)
	}
}

// Everything is let go, also what waits for servers that say nothing.
func TestServeEndsWhatItBegan(t *testing.T) {
	before := runtime.NumGoroutine()
	silent, _ := listen(t)
	defer silent.Close()
	ctx, cancel := context.WithCancel(context.Background())
	p, l := listen(t)
	done := make(chan error)
	go func() {
		done <- Serve(ctx, Config{Lookup: shop(), Servers: []netip.AddrPort{addrPort(silent.LocalAddr())}, Timeout: time.Hour}, []net.PacketConn{p}, []net.Listener{l})
	}()
	r := &running{t: t, addr: addrPort(p.LocalAddr())}
	idle, busy := r.connect("tcp"), r.connect("udp")
	exchangeRaw(t, idle, "tcp", ask(1, "web.", dnsmessage.TypeA, 0))
	if _, err := busy.Write(ask(1, "example.com.", dnsmessage.TypeA, 0)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := silent.ReadFrom(make([]byte, 512)); err != nil { // it was forwarded
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// the runtime counts goroutines a moment longer than their last act
	for end := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	if _, err := idle.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
}

func TestClosedListenerIsAnError(t *testing.T) {
	p, l := listen(t)
	_ = p.Close()
	if err := Serve(context.Background(), Config{Lookup: shop()}, []net.PacketConn{p}, []net.Listener{l}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}

// One client can't have more than its share of what waits, and gets all of it again.
func TestWaitingIsBounded(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int32
	up := upstream(t, func(dnsmessage.Question, string) reply {
		asked.Add(1)
		<-release
		return reply{answers: []string{"192.0.2.1"}}
	})
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{up.addr}, PerClient: 3, Timeout: time.Minute})
	c := r.connect("udp")
	for i := range 5 {
		if _, err := c.Write(ask(uint16(i), "example.com.", dnsmessage.TypeA, 0)); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 512)
	got := map[string]int{}
	read := func(n int) {
		for range n {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got[words(parsed(t, buf[:n]))]++
		}
	}
	read(2)
	if got["REFUSED"] != 2 {
		t.Errorf("beyond the bound: %v", got)
	}
	if m := parsed(t, exchangeRaw(t, c, "udp", ask(9, "web.", dnsmessage.TypeA, 0))); words(m) != "NOERROR 172.18.0.2" {
		t.Errorf("own name meanwhile: %s", words(m))
	}
	close(release)
	read(3)
	if got["NOERROR 192.0.2.1"] != 3 || asked.Load() != 3 {
		t.Errorf("within the bound: %v, %d asked", got, asked.Load())
	}
	if got := words(r.do("udp", ask(9, "example.org.", dnsmessage.TypeA, 0))); got != "NOERROR 192.0.2.1" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	r := start(t, Config{Lookup: shop(), PerClient: 2})
	for range 2 {
		exchangeRaw(t, r.connect("tcp"), "tcp", ask(1, "web.", dnsmessage.TypeA, 0))
	}
	if _, err := r.connect("tcp").Read(make([]byte, 1)); err == nil {
		t.Error("a third connection is served")
	}
}

func TestLimit(t *testing.T) {
	l := newLimit(2, 3)
	a, b := addrs("10.0.0.1")[0], addrs("10.0.0.2")[0]
	got := []bool{l.enter(a), l.enter(a), l.enter(a), l.enter(b), l.enter(b)}
	if want := []bool{true, true, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("enter: %v, want %v", got, want)
	}
	l.leave(a)
	l.leave(a)
	l.leave(b)
	if l.total != 0 || len(l.by) != 0 {
		t.Errorf("left behind: %+v", l)
	}
}
