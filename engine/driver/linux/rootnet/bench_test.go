//go:build linux

package rootnet

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"

	api "github.com/moby/moby/api/types/network"
)

// accepted connects two members.
func accepted(t testing.TB, from, to *container, address string) (client, server net.Conn) {
	t.Helper()
	var l net.Listener
	to.do(func() (err error) { l, err = net.Listen("tcp", address); return err })
	defer func() { _ = l.Close() }()
	client, err := from.wires.Dial(context.Background(), api.TCP, netip.MustParseAddrPort(address))
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	server, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return client, server
}

func BenchmarkThroughput(b *testing.B) {
	l := newLAN(b)
	client, server := accepted(b, l.add(plan(1, 2)), l.add(plan(1, 3)), "10.77.1.3:80")
	buf, got := make([]byte, 1<<20), make([]byte, 1<<20)
	b.SetBytes(int64(len(buf)))
	go func() {
		for range b.N {
			_, _ = client.Write(buf)
		}
	}()
	b.ResetTimer()
	for range b.N {
		if _, err := io.ReadFull(server, got); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	l := newLAN(b)
	client, server := accepted(b, l.add(plan(1, 2)), l.add(plan(1, 3)), "10.77.1.3:80")
	go func() { _, _ = io.Copy(server, server) }()
	one := make([]byte, 1)
	for b.Loop() {
		_, _ = client.Write(one)
		if _, err := io.ReadFull(client, one); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConnect(b *testing.B) {
	l := newLAN(b)
	c := newContainer(b)
	for b.Loop() {
		must(b, l.connect(c, plan(1, 2)))
		b.StopTimer()
		c.close()
		b.StartTimer()
	}
}
