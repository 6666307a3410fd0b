package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
)

// Config is how ports are published.
type Config struct {
	// Dial connects to an address of the container. A TCP connection can end its sending half (CloseWrite); if it is a *net.TCPConn, data
	// passes without being copied to this process where the system can do that.
	Dial func(ctx context.Context, protocol api.IPProtocol, to netip.AddrPort) (net.Conn, error)
	// Unreached is told that the container didn't take what a client sent, by several goroutines at once; nil for nobody. The error is
	// syscall.ECONNREFUSED if nothing listens there.
	Unreached func(port network.Published, client netip.AddrPort, err error)
	// Idle is how long a UDP client is remembered; 0: 90 seconds, as docker has it.
	Idle time.Duration
	// Sessions bounds the clients of each UDP port, which take a descriptor and 64 KB each; 0: 1024.
	Sessions int
}

// dialTimeout is how long the container has to accept a connection.
const dialTimeout = 30 * time.Second

// Proxy is a set of published ports.
type Proxy struct {
	config  Config
	ports   []network.Published
	ctx     context.Context // of connections: ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{}
}

// Open publishes ports, in the namespace of the calling thread, until Close. A port that is taken gives a *ConflictError.
func Open(ctx context.Context, ports []network.Published, c Config) (*Proxy, error) {
	if c.Idle == 0 {
		c.Idle = 90 * time.Second
	}
	if c.Sessions == 0 {
		c.Sessions = 1024
	}
	listeners, err := listenAll(ctx, ports)
	if err != nil {
		return nil, err
	}
	p := &Proxy{config: c, open: map[io.Closer]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, l := range listeners {
		p.ports = append(p.ports, l.port)
		p.start(l)
	}
	return p, nil
}

func (p *Proxy) start(l listener) {
	if l.tcp != nil {
		p.track(l.tcp)
		p.running.Go(func() { p.accept(l.port, l.tcp) })
		return
	}
	p.track(l.udp)
	s := &sessions{proxy: p, port: l.port, packets: l.udp, by: map[route]*session{}}
	p.running.Go(s.serve)
}

// Ports are those given to Open, in the same order, with the ports of the host that they got.
func (p *Proxy) Ports() []network.Published { return slices.Clone(p.ports) }

// Close takes the ports back and cuts what is connected: both sides of a TCP connection see a reset.
func (p *Proxy) Close() error {
	p.cancel()
	p.mu.Lock()
	p.closed = true
	open := p.open
	p.open = nil
	p.mu.Unlock()
	var errs []error
	for c := range open {
		errs = append(errs, cut(c))
	}
	p.running.Wait()
	return errors.Join(errs...)
}

// track has c closed by Close. It reports whether that is still to come; if not, c is closed.
func (p *Proxy) track(c io.Closer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = cut(c)
		return false
	}
	p.open[c] = struct{}{}
	return true
}

// release reports whether c is still to be closed by the caller.
func (p *Proxy) release(c io.Closer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.open[c]
	delete(p.open, c)
	return ok
}

// cut closes c; the other side sees a reset, lest it takes what has come for all.
func cut(c io.Closer) error {
	if l, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (p *Proxy) unreached(port network.Published, client netip.AddrPort, err error) {
	if p.config.Unreached != nil && p.ctx.Err() == nil {
		p.config.Unreached(port, client, err)
	}
}
