package proxy

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
)

// ways are those to a container's port: without a proxy, the floor; by ours; by docker's, if it is installed.
func ways(b *testing.B, protocol api.IPProtocol, to netip.AddrPort, run func(*testing.B, network.Published)) {
	b.Run("direct", func(b *testing.B) {
		run(b, network.Published{Protocol: protocol, HostIP: to.Addr(), HostPort: to.Port()})
	})
	b.Run("proxy", func(b *testing.B) { run(b, open(b, Config{}, published(protocol, to)).Ports()[0]) })
	b.Run("docker-proxy", func(b *testing.B) { run(b, dockerProxy(b, protocol, to)) })
}

// dockerProxy starts docker's proxy, which says at its descriptor 3 that it listens.
func dockerProxy(b *testing.B, protocol api.IPProtocol, to netip.AddrPort) network.Published {
	program, err := exec.LookPath("docker-proxy")
	if err != nil {
		b.Skip(err)
	}
	p := open(b, Config{}, published(protocol, to))
	port := p.Ports()[0]
	_ = p.Close() // its number is free now
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(program, "-proto", string(protocol), "-host-ip", port.HostIP.String(), "-host-port", strconv.Itoa(int(port.HostPort)),
		"-container-ip", to.Addr().String(), "-container-port", strconv.Itoa(int(to.Port())))
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		b.Skip(err)
	}
	_ = w.Close()
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if said, err := io.ReadAll(r); err != nil || len(said) == 0 || said[0] != '0' {
		b.Fatalf("docker-proxy says %q, %v", said, err)
	}
	return port
}

func BenchmarkThroughput(b *testing.B) {
	to := serveTCP(b, func(c *net.TCPConn) {
		_, _ = io.Copy(io.Discard, c)
	})
	const chunk = 1 << 20
	ways(b, api.TCP, to, func(b *testing.B, p network.Published) {
		c, data := connect(b, p), make([]byte, chunk)
		b.SetBytes(chunk)
		for b.Loop() {
			if _, err := c.Write(data); err != nil {
				b.Fatal(err)
			}
		}
		_ = c.CloseWrite()
		_, _ = c.Read(data) // all of it has arrived
	})
}

// BenchmarkRequest is a small question and its answer, on a connection that is there.
func BenchmarkRequest(b *testing.B) {
	ways(b, api.TCP, serveTCP(b, echo), func(b *testing.B, p network.Published) { roundTrips(b, connect(b, p)) })
}

func BenchmarkDatagram(b *testing.B) {
	to := serveUDP(b, func(m []byte) []byte { return m })
	ways(b, api.UDP, to, func(b *testing.B, p network.Published) { roundTrips(b, connectUDP(b, p)) })
}

func roundTrips(b *testing.B, c net.Conn) {
	msg := make([]byte, 100)
	for b.Loop() {
		if _, err := c.Write(msg); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(msg); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConnection is a connection for one request, as of a browser without keep-alive.
func BenchmarkConnection(b *testing.B) {
	ways(b, api.TCP, serveTCP(b, echo), func(b *testing.B, p network.Published) {
		at, msg := netip.AddrPortFrom(p.HostIP, p.HostPort).String(), make([]byte, 100)
		for b.Loop() {
			c, err := net.Dial("tcp", at)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = c.Write(msg)
			if _, err := io.ReadFull(c, msg); err != nil {
				b.Fatal(err)
			}
			_ = c.(*net.TCPConn).SetLinger(0) // or the run ends when the ports of the machine do
			_ = c.Close()
		}
	})
}

func BenchmarkOpen200(b *testing.B) {
	var dialed atomic.Int32
	ports := make([]network.Published, 200)
	for i := range ports {
		ports[i] = published(api.TCP, netip.MustParseAddrPort("10.0.0.2:80"))
	}
	for b.Loop() {
		p, err := Open(context.Background(), ports, Config{Dial: func(context.Context, api.IPProtocol, netip.AddrPort) (net.Conn, error) {
			dialed.Add(1)
			return nil, io.EOF
		}})
		if err != nil {
			b.Fatal(err)
		}
		_ = p.Close()
	}
}
