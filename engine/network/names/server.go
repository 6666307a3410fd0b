package names

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Config is one name server.
type Config struct {
	// Lookup is what the server knows by itself.
	Lookup Lookup
	// Servers are asked about all other names, in this order; none: there are no other names.
	Servers []netip.AddrPort
	// Dial connects to one of Servers, for protocol udp or tcp; nil: from the namespace of the process.
	Dial func(ctx context.Context, protocol string, server netip.AddrPort) (net.Conn, error)
	// Timeout is how long one of Servers has for an answer; 0: 2 seconds, so that the second one still answers within the 5 seconds that
	// clients wait.
	Timeout time.Duration
	// PerClient bounds the questions of one address that wait for Servers, and its connections; 0: 256.
	PerClient int
	// Total bounds the same for all clients; 0: 1024.
	Total int
	// Observe is told of each reply, by several goroutines at once; nil for nobody. The reply waits for it.
	Observe func(Event)
}

// idle is how long a connection may stay without a question (RFC 7766, 6.2.3: seconds).
const idle = 10 * time.Second

type server struct {
	Config
	upstream *forwarder
	waiting  *limit // questions
	open     *limit // connections
	turn     atomic.Uint32
	running  sync.WaitGroup
}

// Serve answers what comes to the listeners until ctx ends or one of them breaks. It closes them and ends its goroutines before it returns.
func Serve(ctx context.Context, c Config, packets []net.PacketConn, streams []net.Listener) error {
	s := newServer(c)
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var closers []io.Closer
	for _, p := range packets {
		closers = append(closers, p)
		s.running.Go(func() { cancel(s.servePackets(ctx, p)) })
	}
	for _, l := range streams {
		closers = append(closers, l)
		s.running.Go(func() { cancel(s.serveStreams(ctx, l)) })
	}
	<-ctx.Done()
	for _, c := range closers {
		_ = c.Close()
	}
	s.running.Wait()
	if outer.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

func newServer(c Config) *server {
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	if c.PerClient == 0 {
		c.PerClient = 256
	}
	if c.Total == 0 {
		c.Total = 1024
	}
	if c.Dial == nil {
		c.Dial = dial
	}
	up := &forwarder{servers: c.Servers, dial: c.Dial, timeout: c.Timeout, failed: make([]atomic.Int64, len(c.Servers))}
	return &server{Config: c, upstream: up, waiting: newLimit(c.PerClient, c.Total), open: newLimit(c.PerClient, c.Total)}
}

func dial(ctx context.Context, protocol string, server netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, protocol, server.String())
}

// maxErrors is how many times in a row a listener may fail before it is taken for broken: some systems report there that an earlier reply
// wasn't wanted.
const maxErrors = 64

func (s *server) servePackets(ctx context.Context, c net.PacketConn) error {
	buf := make([]byte, maxQuery+1)
	for failed := 0; ; {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			if failed++; failed > maxErrors || errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("read questions: %w", err)
			}
			continue
		}
		if failed = 0; n <= maxQuery {
			s.packet(ctx, c, from, buf[:n])
		}
	}
}

// packet answers one datagram: at once what the server knows, and by a goroutine what it has to ask.
func (s *server) packet(ctx context.Context, c net.PacketConn, from net.Addr, msg []byte) {
	client := addrPort(from)
	q, reply := s.own(msg, client, false)
	if q == nil || reply != nil {
		send(c, from, reply)
		return
	}
	if !s.waiting.enter(client.Addr()) {
		send(c, from, s.reply(q, client, answer{code: dnsmessage.RCodeRefused}))
		return
	}
	msg = append([]byte(nil), msg...)
	s.running.Go(func() {
		defer s.waiting.leave(client.Addr())
		send(c, from, s.forward(ctx, q, client, msg, false))
	})
}

// send drops what can't be sent: the client asks again.
func send(c net.PacketConn, to net.Addr, reply []byte) {
	if reply != nil {
		_, _ = c.WriteTo(reply, to)
	}
}

func (s *server) serveStreams(ctx context.Context, l net.Listener) error {
	for failed := 0; ; {
		c, err := l.Accept()
		if err != nil {
			if failed++; failed > maxErrors || errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accept connections: %w", err)
			}
			rest(ctx, time.Duration(failed)*time.Millisecond) // out of descriptors, most likely
			continue
		}
		failed = 0
		client := addrPort(c.RemoteAddr())
		if !s.open.enter(client.Addr()) {
			_ = c.Close()
			continue
		}
		s.running.Go(func() {
			defer s.open.leave(client.Addr())
			s.connection(ctx, c, client)
		})
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// connection answers the questions of one connection, one after the other (RFC 1035, 4.2.2).
func (s *server) connection(ctx context.Context, c net.Conn, client netip.AddrPort) {
	defer c.Close()
	defer whenOver(ctx, func() { _ = c.Close() })()
	for {
		_ = c.SetDeadline(time.Now().Add(idle))
		msg, err := readMessage(c, maxQuery)
		if err != nil {
			return
		}
		q, reply := s.own(msg, client, true)
		if q == nil {
			return
		}
		if reply == nil {
			reply = s.forward(ctx, q, client, msg, true)
		}
		_ = c.SetDeadline(time.Now().Add(idle))
		if reply == nil || writeMessage(c, reply) != nil {
			return
		}
	}
}

// whenOver calls f when ctx ends, unless it is stopped before. After stop, f isn't running.
func whenOver(ctx context.Context, f func()) (stop func()) {
	ended := make(chan struct{})
	still := context.AfterFunc(ctx, func() {
		defer close(ended)
		f()
	})
	return func() {
		if !still() {
			<-ended
		}
	}
}

// own gives the reply that needs no other server; neither a question nor a reply if msg deserves none.
func (s *server) own(msg []byte, client netip.AddrPort, stream bool) (*query, []byte) {
	q, code, ok := parse(msg, stream)
	if !ok {
		return nil, nil
	}
	if code != dnsmessage.RCodeSuccess {
		return q, s.reply(q, client, answer{code: code})
	}
	a, ok := s.known(q)
	if !ok && len(s.Servers) > 0 {
		return q, nil
	}
	if !ok {
		a = answer{code: dnsmessage.RCodeNameError}
	}
	return q, s.reply(q, client, a)
}

// known answers for names and addresses of the networks. A name without what is asked for exists all the same: no error, and no records.
func (s *server) known(q *query) (answer, bool) {
	if q.question.Class != dnsmessage.ClassINET {
		return answer{}, false
	}
	name := q.name()
	if address, ok := reversed(name); ok {
		return s.knownAddress(q, address)
	}
	addresses, err := s.Lookup.Addresses(name)
	if err != nil {
		return unknown(err)
	}
	a := answer{ours: true}
	switch q.question.Type {
	case dnsmessage.TypeA:
		a.addresses = s.rotate(family(addresses, netip.Addr.Is4))
	case dnsmessage.TypeAAAA:
		a.addresses = s.rotate(family(addresses, netip.Addr.Is6))
	}
	return a, true
}

func (s *server) knownAddress(q *query, address netip.Addr) (answer, bool) {
	name, err := s.Lookup.Name(address)
	if err != nil {
		return unknown(err)
	}
	a := answer{ours: true}
	if q.question.Type == dnsmessage.TypePTR {
		if a.name, err = dnsmessage.NewName(name + "."); err != nil {
			return unknown(err)
		}
	}
	return a, true
}

// unknown tells names of others from failures.
func unknown(err error) (answer, bool) {
	return answer{code: dnsmessage.RCodeServerFailure}, !errors.Is(err, ErrUnknown)
}

// rotate begins with another address each time, so that clients, which take the first one, spread.
func (s *server) rotate(a []netip.Addr) []netip.Addr {
	if len(a) < 2 {
		return a
	}
	n := int(s.turn.Add(1) % uint32(len(a)))
	return append(a[n:len(a):len(a)], a[:n]...)
}

// reply packs an answer of our own and tells of it; nil if it can't be packed.
func (s *server) reply(q *query, client netip.AddrPort, a answer) []byte {
	reply, err := q.pack(a)
	if err != nil {
		reply, err = q.pack(answer{code: dnsmessage.RCodeServerFailure})
	}
	if err != nil {
		return nil
	}
	s.tell(q, client, netip.AddrPort{}, reply)
	return reply
}

// forward has the question answered by the other servers; nil if the server ends meanwhile.
func (s *server) forward(ctx context.Context, q *query, client netip.AddrPort, msg []byte, stream bool) []byte {
	reply, from, err := s.upstream.ask(ctx, q, msg, stream)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return s.reply(q, client, answer{code: dnsmessage.RCodeServerFailure})
	}
	if len(reply) > q.size {
		if reply, err = q.pack(answer{truncated: true}); err != nil {
			return nil
		}
	}
	s.tell(q, client, from, reply)
	return reply
}

func addrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// readMessage reads one message with its length before it.
func readMessage(r io.Reader, most int) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if n > most {
		return nil, fmt.Errorf("message of %d bytes: at most %d are read", n, most)
	}
	msg := make([]byte, n)
	_, err := io.ReadFull(r, msg)
	return msg, err
}

func writeMessage(w io.Writer, msg []byte) error {
	// in one segment, which some clients insist on (RFC 7766, 8)
	_, err := w.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(msg)), uint16(len(msg))), msg...))
	return err
}
