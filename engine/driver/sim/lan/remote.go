package lan

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/learn-containers/learn/engine/userland"
)

// A caller on the socket of a trunk says, in a call of a two-byte length and that much JSON, which connection it wants. One byte
// answers. From then on the socket is the connection: bytes, half-close and end are its own.
const (
	maxCall     = 1024
	maxCallers  = 64
	callTimeout = 5 * time.Second
)

// The answers to a call.
const (
	answerOpen byte = iota + 1
	answerRefused
	answerUnreachable
)

// call is the wish for a connection.
type call struct {
	Network string         `json:"network"` // id of the one that both are in
	From    netip.AddrPort `json:"from"`
	To      netip.AddrPort `json:"to"`
}

func writeCall(w io.Writer, c call) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(data))), data...))
	return err
}

// readCall reads a call and refuses what no host would send.
func readCall(r io.Reader) (call, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return call{}, fmt.Errorf("read call: %w", err)
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n > maxCall {
		return call{}, fmt.Errorf("read call: %d bytes, at most %d are allowed", n, maxCall)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return call{}, fmt.Errorf("read call: %w", err)
	}
	var c call
	if err := json.Unmarshal(data, &c); err != nil {
		return call{}, fmt.Errorf("read call: %w", err)
	}
	for _, a := range []netip.AddrPort{c.From, c.To} {
		if !pluggable(a.Addr()) || a.Addr() != a.Addr().Unmap() {
			return call{}, fmt.Errorf("read call: address %q", a)
		}
	}
	if c.From.Addr().Is4() != c.To.Addr().Is4() {
		return call{}, fmt.Errorf("read call: %s does not reach %s", c.From, c.To)
	}
	return c, nil
}

// serve takes calls until the socket is closed.
func (t *trunk) serve() {
	for {
		c, err := t.server.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, say: the next may do better
			select {
			case <-time.After(10 * time.Millisecond):
				continue
			case <-t.ctx.Done():
				return
			}
		}
		select {
		case t.slots <- struct{}{}:
			t.wg.Go(func() {
				defer func() { <-t.slots }()
				t.take(c.(*net.UnixConn))
			})
		case <-t.ctx.Done():
			c.Close()
			return
		}
	}
}

// take hands one caller to the listener it asks for.
func (t *trunk) take(sock *net.UnixConn) {
	ctx, cancel := context.WithTimeout(t.ctx, callTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { sock.SetDeadline(time.Unix(1, 0)) })
	c, err := readCall(sock)
	if err != nil {
		stop()
		sock.Close()
		return
	}
	host, ok := t.sw.at(c.To.Addr(), c.Network)
	if !ok {
		t.refuse(sock, stop, answerUnreachable)
		return
	}
	l := host.listening(c.To)
	if l == nil {
		t.refuse(sock, stop, answerRefused)
		return
	}
	if err := l.room(ctx, func(f func()) { f() }); err != nil {
		t.refuse(sock, stop, answerRefused)
		return
	}
	_, err = sock.Write([]byte{answerOpen})
	if !stop() || err != nil {
		<-l.places
		sock.Close()
		return
	}
	far := &remote{sock: sock, host: host, local: c.To, peer: c.From, cancel: func() {}}
	if err := l.put(far); err != nil {
		far.Close()
	}
}

func (t *trunk) refuse(sock *net.UnixConn, stop func() bool, answer byte) {
	_, _ = sock.Write([]byte{answer})
	stop()
	sock.Close()
}

// dialTrunk connects to a host of another process.
func (h *Host) dialTrunk(ctx context.Context, w way, to netip.AddrPort) (userland.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	near := &remote{host: h, peer: to, network: w.network, cancel: cancel}
	if err := h.begin(near, w.from, func(local netip.AddrPort) { near.local = local }); err != nil {
		cancel()
		return nil, err
	}
	var err error
	h.block(func() { err = near.dial(ctx, w.socket) })
	if err != nil {
		near.Close()
		return nil, err
	}
	return near, nil
}
