package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
)

// A conflict names the process that has the port: here this one.
func TestConflictNamesTheHolder(t *testing.T) {
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []api.IPProtocol{api.TCP, api.UDP} {
		taken := open(t, Config{}, published(protocol, netip.MustParseAddrPort("10.0.0.2:80"))).Ports()[0]
		for _, ip := range []string{"127.0.0.1", "0.0.0.0"} {
			taken.HostIP = netip.MustParseAddr(ip)
			_, err := Open(context.Background(), []network.Published{taken}, Config{})
			var conflict *ConflictError
			if !errors.As(err, &conflict) || conflict.Pid != os.Getpid() || conflict.Process != strings.TrimSpace(string(comm)) {
				t.Errorf("%s on %s: %v", protocol, ip, err)
			}
		}
	}
}

func TestTableAddress(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err) // no IPv6
			continue
		}
		at := addrPort(l.Addr())
		if got := socketsOn("/proc/thread-self/net/tcp", network.Published{HostIP: at.Addr(), HostPort: at.Port()}); (len(got) == 1) != at.Addr().Is4() && !at.Addr().IsUnspecified() {
			t.Errorf("%s: %v", at, got)
		}
		_ = l.Close()
	}
	for _, s := range []string{"", "x", "0100007F", "0100007F:1F90F", "01007F:1F90", ":"} {
		if a, ok := tableAddress(s); ok {
			t.Errorf("%q is read as %s", s, a)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		has, wants string
		want       bool
	}{
		{"0.0.0.0", "127.0.0.1", true}, {"127.0.0.1", "0.0.0.0", true}, {"127.0.0.1", "127.0.0.2", false}, {"::", "127.0.0.1", true},
		{"::1", "::", true}, {"::1", "0.0.0.0", false}, {"0.0.0.0", "::1", false}, {"0.0.0.0", "::", false}, {"::", "0.0.0.0", true},
	} {
		if got := overlap(netip.MustParseAddr(c.has), netip.MustParseAddr(c.wants)); got != c.want {
			t.Errorf("%s in the way of %s: %v", c.has, c.wants, got)
		}
	}
}

// A socket for all addresses answers from the one that was asked, which the client connected to.
func TestAnswersComeFromTheAddressAsked(t *testing.T) {
	udp := serveUDP(t, func(b []byte) []byte { return b })
	any4 := published(api.UDP, udp)
	any4.HostIP = netip.IPv4Unspecified()
	any6 := any4
	any6.HostIP = netip.IPv6Unspecified()
	for _, c := range []struct {
		port network.Published
		ask  string
	}{{any4, "127.0.0.1"}, {any4, "127.1.2.3"}, {any6, "::1"}} {
		if l, err := net.ListenPacket("udp", net.JoinHostPort(c.ask, "0")); err != nil {
			t.Logf("%s: %v", c.ask, err) // no IPv6
			continue
		} else {
			_ = l.Close()
		}
		p := open(t, Config{}, c.port).Ports()[0]
		p.HostIP = netip.MustParseAddr(c.ask)
		u := connectUDP(t, p)
		_, _ = u.Write([]byte("x"))
		if _, err := u.Read(make([]byte, 1)); err != nil {
			t.Errorf("%s: %v", c.ask, err)
		}
	}
}
