package names

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// FuzzQuestion gives the server any bytes. Whatever they are it says nothing, or something that can be read, has the client's id, and fits
// what the client takes.
func FuzzQuestion(f *testing.F) {
	for _, name := range []string{"web.", "example.com.", "2.0.18.172.in-addr.arpa.", "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", "."} {
		for _, typ := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR, dnsmessage.TypeALL} {
			f.Add(ask(0x1234, name, typ, 0), false)
			f.Add(ask(0x1234, name, typ, 4096), true)
		}
	}
	s := newServer(Config{Lookup: shop(), Observe: func(Event) {}})
	f.Fuzz(func(t *testing.T, msg []byte, stream bool) {
		q, reply := s.own(msg, netip.AddrPort{}, stream)
		if reply == nil {
			if q != nil {
				t.Fatal("no reply to a question")
			}
			return
		}
		if reply[0] != msg[0] || reply[1] != msg[1] || len(reply) > q.size {
			t.Fatalf("reply %x", reply)
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil || !m.Response {
			t.Fatalf("reply %x: %v", reply, err)
		}
	})
}

// FuzzReply gives any bytes for the reply of another server: what is taken for one has the id and the question.
func FuzzReply(f *testing.F) {
	want := dnsmessage.Question{Name: dnsmessage.MustNewName("example.com."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	f.Add(reply{answers: []string{"192.0.2.1"}}.pack(7, want))
	f.Add(reply{code: dnsmessage.RCodeRefused, bare: true}.pack(7, want))
	s := newServer(Config{Lookup: shop(), Observe: func(Event) {}})
	q, _, _ := parse(ask(7, "example.com.", dnsmessage.TypeA, 0), false)
	f.Fuzz(func(t *testing.T, msg []byte) {
		if !answers(msg, 7, want) {
			return
		}
		if len(msg) < 12 || msg[0] != 0 || msg[1] != 7 || msg[2]&0x80 == 0 {
			t.Fatalf("taken for a reply: %x", msg)
		}
		truncated(msg)
		s.tell(q, netip.AddrPort{}, netip.AddrPort{}, msg)
	})
}

// The process that serves names is started with each container.
func TestPackageCostsNothingAtStart(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		switch dep = strings.TrimSpace(dep); {
		case strings.HasPrefix(dep, "golang.org/x/net/") && dep != "golang.org/x/net/dns/dnsmessage", strings.HasPrefix(dep, "github.com/miekg/"), dep == "net/http", dep == "crypto/tls":
			t.Errorf("imports %s", dep)
		}
	}
}

func BenchmarkOwnName(b *testing.B) {
	s := newServer(Config{Lookup: shop()})
	msg := ask(1, "web.", dnsmessage.TypeA, 1232)
	b.ReportAllocs()
	for b.Loop() {
		if _, reply := s.own(msg, netip.AddrPort{}, false); reply == nil {
			b.Fatal("no reply")
		}
	}
}

// BenchmarkLookup is the whole way of a question over loopback.
func BenchmarkLookup(b *testing.B) {
	up := upstream(b, always(reply{answers: []string{"192.0.2.1"}}))
	r := start(b, Config{Lookup: shop(), Servers: []netip.AddrPort{up.addr}, Observe: func(Event) {}})
	for _, c := range []struct{ name, ask, protocol string }{{"own", "web.", "udp"}, {"ownTCP", "web.", "tcp"}, {"forwarded", "example.com.", "udp"}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			conn, msg := r.connect(c.protocol), ask(1, c.ask, dnsmessage.TypeA, 1232)
			buf := make([]byte, 512)
			if c.protocol == "tcp" {
				msg = append([]byte{0, byte(len(msg))}, msg...)
			}
			for b.Loop() {
				if _, err := conn.Write(msg); err != nil {
					b.Fatal(err)
				}
				if _, err := conn.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("floor", func(b *testing.B) { benchmarkEcho(b) })
}

// benchmarkEcho is the floor: a datagram there and back.
func benchmarkEcho(b *testing.B) {
	p, l := listen(b)
	_ = l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = p.Close() })()
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := p.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = p.WriteTo(buf[:n], from)
		}
	}()
	defer p.Close()
	c, err := net.Dial("udp", p.LocalAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	msg, buf := ask(1, "web.", dnsmessage.TypeA, 1232), make([]byte, 65536)
	for b.Loop() {
		if _, err := c.Write(msg); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
