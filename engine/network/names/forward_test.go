package names

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// reply is what a server of the tests says.
type reply struct {
	silent    bool
	code      dnsmessage.RCode
	truncated bool
	answers   []string
	before    func(msg []byte) [][]byte // messages that it sends first, made from the right one
	bare      bool                      // no question in it
}

// upstreamServer is a name server of the tests, which counts its questions.
type upstreamServer struct {
	addr  netip.AddrPort
	mu    sync.Mutex
	asked []string // "udp example.com."
	raw   [][]byte
}

func (u *upstreamServer) questions() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.asked)
}

// received is the messages that came in.
func (u *upstreamServer) received() [][]byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.raw)
}

func (u *upstreamServer) note(protocol string, q dnsmessage.Question, msg []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = append(u.asked, protocol+" "+q.Name.String())
	u.raw = append(u.raw, slices.Clone(msg))
}

func upstream(t testing.TB, says func(q dnsmessage.Question, protocol string) reply) *upstreamServer {
	p, l := listen(t)
	u := &upstreamServer{addr: addrPort(p.LocalAddr())}
	var running sync.WaitGroup
	running.Go(func() { u.packets(p, says, &running) })
	running.Go(func() { u.streams(l, says, &running) })
	t.Cleanup(func() {
		_ = p.Close()
		_ = l.Close()
		running.Wait()
	})
	return u
}

func (u *upstreamServer) packets(p net.PacketConn, says func(dnsmessage.Question, string) reply, running *sync.WaitGroup) {
	buf := make([]byte, 65536)
	for {
		n, from, err := p.ReadFrom(buf)
		if err != nil {
			return
		}
		msg := slices.Clone(buf[:n])
		running.Go(func() {
			for _, m := range u.reply("udp", msg, says) {
				_, _ = p.WriteTo(m, from)
			}
		})
	}
}

func (u *upstreamServer) streams(l net.Listener, says func(dnsmessage.Question, string) reply, running *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		running.Go(func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			for {
				msg, err := readMessage(c, 65535)
				if err != nil {
					return
				}
				for _, m := range u.reply("tcp", msg, says) {
					_ = writeMessage(c, m)
				}
			}
		})
	}
}

func (u *upstreamServer) reply(protocol string, msg []byte, says func(dnsmessage.Question, string) reply) [][]byte {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	u.note(protocol, q, msg)
	r := says(q, protocol)
	if r.silent {
		return nil
	}
	right := r.pack(h.ID, q)
	if r.before != nil {
		return append(r.before(right), right)
	}
	return [][]byte{right}
}

func (r reply) pack(id uint16, q dnsmessage.Question) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, Response: true, RCode: r.code, Truncated: r.truncated, RecursionAvailable: true}}
	if !r.bare {
		m.Questions = []dnsmessage.Question{q}
	}
	for _, a := range r.answers {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}, Body: &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()}})
	}
	msg, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return msg
}

func always(r reply) func(dnsmessage.Question, string) reply {
	return func(dnsmessage.Question, string) reply { return r }
}

func TestForward(t *testing.T) {
	up := upstream(t, always(reply{answers: []string{"192.0.2.1"}}))
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{up.addr}})
	for _, protocol := range []string{"udp", "tcp"} {
		m := r.do(protocol, ask(77, "Example.com.", dnsmessage.TypeA, 1232))
		if words(m) != "NOERROR 192.0.2.1" || m.ID != 77 || m.Authoritative {
			t.Errorf("%s: %s, %+v", protocol, words(m), m.Header)
		}
	}
	if got := fmt.Sprint(up.questions()); got != "[udp Example.com. tcp Example.com.]" {
		t.Errorf("asked: %s", got)
	}
	want := ask(77, "Example.com.", dnsmessage.TypeA, 1232)
	if got := up.received()[0]; !slices.Equal(got[2:], want[2:]) {
		t.Errorf("sent on: %x, want %x", got, want)
	}
}

// The ids that servers see aren't those that clients choose, nor always the same.
func TestIDsAreDrawn(t *testing.T) {
	up := upstream(t, always(reply{answers: []string{"192.0.2.1"}}))
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{up.addr}})
	ids := map[uint16]bool{}
	for range 20 {
		r.do("udp", ask(77, "example.com.", dnsmessage.TypeA, 0))
	}
	for _, msg := range up.received() {
		ids[binary.BigEndian.Uint16(msg)] = true
	}
	if len(ids) < 10 {
		t.Errorf("ids: %v", ids)
	}
}

// impatient dials so that a server that never answers is waited for shortly, and the others as long as the machine needs.
func impatient(silent *upstreamServer, is bool) func(context.Context, string, netip.AddrPort) (net.Conn, error) {
	return func(ctx context.Context, protocol string, server netip.AddrPort) (net.Conn, error) {
		c, err := dial(ctx, protocol, server)
		if err == nil && is && server == silent.addr {
			err = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		}
		return c, err
	}
}

// await returns when the server has got a question that was sent.
func (u *upstreamServer) await(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); len(u.questions()) == 0; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("no question arrived")
		}
	}
}

func TestNextServer(t *testing.T) {
	good := always(reply{answers: []string{"192.0.2.1"}})
	for name, first := range map[string]reply{
		"silence":                    {silent: true},
		"failure":                    {code: dnsmessage.RCodeServerFailure},
		"refusal":                    {code: dnsmessage.RCodeRefused},
		"failure without a question": {code: dnsmessage.RCodeServerFailure, bare: true},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := upstream(t, always(first)), upstream(t, good)
			r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{one.addr, two.addr}, Dial: impatient(one, first.silent)})
			if got := words(r.do("udp", ask(1, "example.com.", dnsmessage.TypeA, 0))); got != "NOERROR 192.0.2.1" {
				t.Errorf("reply: %s", got)
			}
			one.await(t)
			if len(one.questions()) != 1 || len(two.questions()) != 1 {
				t.Errorf("asked: %v, %v", one.questions(), two.questions())
			}
		})
	}
}

// A server that is down is not waited for with each question.
func TestSilentServerIsAskedLast(t *testing.T) {
	one, two := upstream(t, always(reply{silent: true})), upstream(t, always(reply{answers: []string{"192.0.2.1"}}))
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{one.addr, two.addr}, Dial: impatient(one, true)})
	for range 5 {
		r.do("udp", ask(1, "example.com.", dnsmessage.TypeA, 0))
	}
	one.await(t)
	if n := len(one.questions()); n != 1 {
		t.Errorf("the silent server was asked %d times", n)
	}
}

func TestOrder(t *testing.T) {
	f := newServer(Config{Servers: make([]netip.AddrPort, 3)}).upstream
	now := time.Unix(1e9, 0)
	f.failed[0].Store(now.Unix())
	if got := f.order(now); !slices.Equal(got, []int{1, 2, 0}) {
		t.Errorf("after a failure: %v", got)
	}
	if got := f.order(now.Add(penalty * time.Second)); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("later: %v", got)
	}
}

// No answer is an answer of its own: a name that isn't there.
func TestNXDOMAINIsBelieved(t *testing.T) {
	one, two := upstream(t, always(reply{code: dnsmessage.RCodeNameError})), upstream(t, always(reply{}))
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{one.addr, two.addr}})
	if got := words(r.do("udp", ask(1, "example.com.", dnsmessage.TypeA, 0))); got != "NXDOMAIN" || len(two.questions()) != 0 {
		t.Errorf("%s, the second was asked %v", got, two.questions())
	}
}

func TestNobodyAnswers(t *testing.T) {
	closed, l := listen(t)
	gone := addrPort(closed.LocalAddr())
	_ = closed.Close()
	_ = l.Close()
	one := upstream(t, always(reply{silent: true}))
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{gone, one.addr}, Timeout: 100 * time.Millisecond})
	for _, protocol := range []string{"udp", "tcp"} {
		m := r.do(protocol, ask(5, "example.com.", dnsmessage.TypeA, 1232))
		if words(m) != "SERVFAIL" || m.ID != 5 || len(m.Additionals) != 1 {
			t.Errorf("%s: %s, %+v", protocol, words(m), m.Header)
		}
	}
}

// Replies to other questions, forged ones and noise don't reach the client.
func TestForgedReplies(t *testing.T) {
	forged := func(change func(m *dnsmessage.Message)) func([]byte) []byte {
		return func(right []byte) []byte {
			var m dnsmessage.Message
			if err := m.Unpack(right); err != nil {
				panic(err)
			}
			m.Answers[0].Body = &dnsmessage.AResource{A: [4]byte{6, 6, 6, 6}}
			change(&m)
			msg, err := m.Pack()
			if err != nil {
				panic(err)
			}
			return msg
		}
	}
	evil := dnsmessage.MustNewName("evil.example.")
	for name, forge := range map[string]func([]byte) []byte{
		"id":           forged(func(m *dnsmessage.Message) { m.ID++ }),
		"name":         forged(func(m *dnsmessage.Message) { m.Questions[0].Name = evil }),
		"type":         forged(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeTXT }),
		"class":        forged(func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }),
		"no question":  forged(func(m *dnsmessage.Message) { m.Questions = nil }),
		"two":          forged(func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }),
		"no reply":     forged(func(m *dnsmessage.Message) { m.Response = false }),
		"other op":     forged(func(m *dnsmessage.Message) { m.OpCode = 4 }),
		"cut off":      func(m []byte) []byte { return m[:14] },
		"nothing":      func([]byte) []byte { return nil },
		"bad compress": func(m []byte) []byte { return append(slices.Clone(m[:12]), 0xc0, 0xc) },
	} {
		t.Run(name, func(t *testing.T) {
			up := upstream(t, always(reply{answers: []string{"192.0.2.1"}, before: func(m []byte) [][]byte { return [][]byte{forge(m)} }}))
			r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{up.addr}})
			if got := words(r.do("udp", ask(1, "example.com.", dnsmessage.TypeA, 0))); got != "NOERROR 192.0.2.1" {
				t.Errorf("over UDP: %s", got)
			}
			if got := words(r.do("tcp", ask(1, "example.com.", dnsmessage.TypeA, 0))); got != "SERVFAIL" {
				t.Errorf("over TCP, where there is no other reply to wait for: %s", got)
			}
		})
	}
}

func manyAnswers(n int) (a []string) {
	for i := range n {
		a = append(a, netip.AddrFrom4([4]byte{192, 0, byte(i), 1}).String())
	}
	return a
}

func TestTruncatedIsAskedOverTCP(t *testing.T) {
	up := upstream(t, func(_ dnsmessage.Question, protocol string) reply {
		if protocol == "udp" {
			return reply{truncated: true, answers: manyAnswers(3)}
		}
		return reply{answers: manyAnswers(60)}
	})
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{up.addr}})
	if m := r.do("udp", ask(1, "example.com.", dnsmessage.TypeA, 4096)); len(m.Answers) != 60 || m.Truncated {
		t.Errorf("with room: %d answers, truncated %v", len(m.Answers), m.Truncated)
	}
	if m := r.do("udp", ask(1, "example.com.", dnsmessage.TypeA, 0)); len(m.Answers) != 3 || !m.Truncated {
		t.Errorf("without: %d answers, truncated %v", len(m.Answers), m.Truncated)
	}
	if m := r.do("tcp", ask(1, "example.com.", dnsmessage.TypeA, 0)); len(m.Answers) != 60 || m.Truncated {
		t.Errorf("over TCP: %d answers, truncated %v", len(m.Answers), m.Truncated)
	}
}

// A server that sends more than the client takes.
func TestOverlongReply(t *testing.T) {
	up := upstream(t, always(reply{answers: manyAnswers(100)}))
	r := start(t, Config{Lookup: shop(), Servers: []netip.AddrPort{up.addr}})
	reply := exchangeRaw(t, r.connect("udp"), "udp", ask(1, "example.com.", dnsmessage.TypeA, 0))
	if m := parsed(t, reply); len(reply) > 512 || !m.Truncated || m.ID != 1 || len(m.Questions) != 1 {
		t.Errorf("%d bytes, %+v", len(reply), m.Header)
	}
}
