package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
)

// maxPacket is longer than any datagram.
const maxPacket = 65536

// route is between whom datagrams pass on the host's side.
type route struct {
	client netip.AddrPort
	local  netip.Addr // that the client sent to; not valid: the only one the socket has
}

// packets is a UDP socket on the host.
type packets interface {
	receive(buf []byte) (n int, from route, err error)
	send(b []byte, to route) error
	io.Closer
}

// sessions is the clients of one UDP port.
type sessions struct {
	proxy   *Proxy
	port    network.Published
	packets packets

	mu sync.Mutex
	by map[route]*session
}

// session is one client, which the container sees as one as well.
type session struct {
	conn net.Conn // to the container
	used time.Time
}

// maxErrors is how many times in a row a socket may fail before it is taken for broken: systems report there, too, that nobody wanted what
// was sent before.
const maxErrors = 64

// serve takes datagrams of clients to the container until the socket is closed.
func (s *sessions) serve() {
	buf := make([]byte, maxPacket)
	for failed := 0; ; {
		n, from, err := s.packets.receive(buf)
		if err != nil {
			if failed++; failed > maxErrors || errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		failed = 0
		c, err := s.use(from)
		if err == nil {
			_, err = c.Write(buf[:n])
		}
		if err != nil {
			s.proxy.unreached(s.port, from.client, err)
		}
	}
}

// use gives the connection of a client, a new one if it has none.
func (s *sessions) use(from route) (net.Conn, error) {
	if c := s.touch(from); c != nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(s.proxy.ctx, dialTimeout)
	defer cancel()
	c, err := s.proxy.config.Dial(ctx, api.UDP, s.port.To)
	if err != nil {
		return nil, err
	}
	if !s.proxy.track(c) {
		return nil, net.ErrClosed
	}
	n := &session{conn: c, used: time.Now()}
	s.add(from, n)
	s.proxy.running.Go(func() { s.answers(from, n) })
	return c, nil
}

func (s *sessions) touch(from route) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.by[from]
	if n == nil {
		return nil
	}
	n.used = time.Now()
	return n.conn
}

// add remembers a client. If there are too many, that which was silent for longest is forgotten.
func (s *sessions) add(from route, n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.by) >= s.proxy.config.Sessions {
		var oldest route
		var old *session
		for r, o := range s.by {
			if old == nil || o.used.Before(old.used) {
				oldest, old = r, o
			}
		}
		delete(s.by, oldest)
		s.end(old)
	}
	s.by[from] = n
}

func (s *sessions) end(n *session) {
	if s.proxy.release(n.conn) {
		_ = n.conn.Close()
	}
}

// answers takes datagrams of the container to the client until neither has sent one for long.
func (s *sessions) answers(to route, n *session) {
	buf := make([]byte, maxPacket)
	for failed := 0; ; {
		until, ok := s.expire(to, n)
		if !ok {
			return
		}
		_ = n.conn.SetReadDeadline(until)
		size, err := n.conn.Read(buf)
		switch {
		case err == nil:
			failed = 0
			s.touch(to)
			_ = s.packets.send(buf[:size], to)
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, net.ErrClosed):
			return // by end, or Close
		default:
			s.proxy.unreached(s.port, to.client, err)
			if failed++; failed > maxErrors || errors.Is(err, io.EOF) {
				s.forget(to, n)
				return
			}
		}
	}
}

// expire forgets a session whose time is over. If it isn't, it says when that will be.
func (s *sessions) expire(r route, n *session) (until time.Time, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until = n.used.Add(s.proxy.config.Idle)
	if time.Now().Before(until) {
		return until, true
	}
	s.drop(r, n)
	return until, false
}

func (s *sessions) forget(r route, n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(r, n)
}

func (s *sessions) drop(r route, n *session) {
	if s.by[r] == n {
		delete(s.by, r)
	}
	s.end(n)
}
