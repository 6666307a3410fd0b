package names

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// forwarder asks other servers. Each question has a connection of its own, hence a port that nobody can guess, and an id drawn for it: who
// doesn't see the question can't answer it (RFC 5452).
type forwarder struct {
	servers []netip.AddrPort
	dial    func(ctx context.Context, protocol string, server netip.AddrPort) (net.Conn, error)
	timeout time.Duration
	failed  []atomic.Int64 // when each server last gave no answer, in Unix seconds
}

// penalty is for how many seconds a server that gave no answer is asked after the others.
const penalty = 30

var errNoAnswer = errors.New("no server has an answer")

// ask gives the first answer that is neither a failure nor a refusal, with the id of q, and the server it is from.
func (f *forwarder) ask(ctx context.Context, q *query, msg []byte, stream bool) ([]byte, netip.AddrPort, error) {
	err := errNoAnswer
	for _, i := range f.order(time.Now()) {
		reply, failure := f.try(ctx, f.servers[i], q, msg, stream)
		if ctx.Err() != nil {
			return nil, netip.AddrPort{}, ctx.Err()
		}
		if failure != nil {
			f.failed[i].Store(time.Now().Unix())
			err = errors.Join(err, fmt.Errorf("ask %s: %w", f.servers[i], failure))
			continue
		}
		f.failed[i].Store(0)
		switch code := dnsmessage.RCode(reply[3] & 0xf); code {
		case dnsmessage.RCodeServerFailure, dnsmessage.RCodeRefused:
			err = errors.Join(err, fmt.Errorf("ask %s: %s", f.servers[i], codeName(code)))
		default:
			binary.BigEndian.PutUint16(reply, q.header.ID)
			return reply, f.servers[i], nil
		}
	}
	return nil, netip.AddrPort{}, err
}

// order gives the servers' indices, those last that gave no answer lately: each question would wait for them again.
func (f *forwarder) order(now time.Time) []int {
	good, late := make([]int, 0, len(f.servers)), []int(nil)
	for i := range f.servers {
		if now.Unix()-f.failed[i].Load() < penalty {
			late = append(late, i)
		} else {
			good = append(good, i)
		}
	}
	return append(good, late...)
}

// try asks one server. What it truncates is asked for again over TCP, and kept truncated if the client can't take all of it: old clients
// make do with that.
func (f *forwarder) try(ctx context.Context, server netip.AddrPort, q *query, msg []byte, stream bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if stream {
		return f.exchange(ctx, "tcp", server, q, msg)
	}
	reply, err := f.exchange(ctx, "udp", server, q, msg)
	if err != nil || !truncated(reply) {
		return reply, err
	}
	if all, err := f.exchange(ctx, "tcp", server, q, msg); err == nil && len(all) <= q.size {
		return all, nil
	}
	return reply, nil
}

func truncated(reply []byte) bool { return reply[2]&2 != 0 }

// exchange sends a question under an id of its own and gives the reply to it.
func (f *forwarder) exchange(ctx context.Context, protocol string, server netip.AddrPort, q *query, msg []byte) ([]byte, error) {
	c, err := f.dial(ctx, protocol, server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer whenOver(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	id := uint16(rand.Uint32()) // of a generator whose past doesn't tell its future
	msg = append([]byte(nil), msg...)
	binary.BigEndian.PutUint16(msg, id)
	if protocol == "udp" {
		return exchangePacket(c, q, id, msg)
	}
	if err := writeMessage(c, msg); err != nil {
		return nil, err
	}
	reply, err := readMessage(c, math.MaxUint16)
	if err == nil && !answers(reply, id, q.question) {
		err = errors.New("the reply is to another question")
	}
	return reply, err
}

// exchangePacket waits for the reply that is to the question, whatever else arrives. One that is longer than the client takes comes without
// its end, for the caller to see.
func exchangePacket(c net.Conn, q *query, id uint16, msg []byte) ([]byte, error) {
	if _, err := c.Write(msg); err != nil {
		return nil, err
	}
	buf := make([]byte, q.size+1)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		if answers(buf[:n], id, q.question) {
			return buf[:n], nil
		}
	}
}

// answers reports whether msg is the reply to the question with this id. Servers that understand nothing may leave the question out of what
// they say then.
func answers(msg []byte, id uint16, want dnsmessage.Question) bool {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 {
		return false
	}
	got, err := p.Question()
	if err == dnsmessage.ErrSectionDone {
		return h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError
	}
	if err != nil {
		return false
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone {
		return false
	}
	return got.Type == want.Type && got.Class == want.Class && strings.EqualFold(got.Name.String(), want.Name.String())
}
