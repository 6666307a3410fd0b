package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
)

// maxRest is the longest pause after an accept that failed, most likely for want of descriptors.
const maxRest = time.Second

// accept takes connections until the listener is closed.
func (p *Proxy) accept(port network.Published, l *net.TCPListener) {
	for wait := time.Millisecond; ; {
		c, err := l.AcceptTCP()
		switch {
		case err == nil:
			wait = time.Millisecond
			p.running.Go(func() { p.connection(port, c) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			select {
			case <-p.ctx.Done():
				return
			case <-time.After(wait):
				wait = min(2*wait, maxRest)
			}
		}
	}
}

// connection takes one connection to the container.
func (p *Proxy) connection(port network.Published, client *net.TCPConn) {
	if !p.track(client) {
		return
	}
	server, err := p.dialTCP(port)
	if err != nil {
		p.unreached(port, addrPort(client.RemoteAddr()), err)
		p.finish(client, true)
		return
	}
	if !p.track(server) {
		p.finish(client, true)
		return
	}
	toServer, toClient := relay(client, server)
	p.finish(server, toServer != nil)
	p.finish(client, toClient != nil)
}

// finish closes a connection, as if by a reset if what was to be sent there is not whole.
func (p *Proxy) finish(c stream, broken bool) {
	switch {
	case !p.release(c): // Close cuts it
	case broken:
		_ = cut(c)
	default:
		_ = c.Close()
	}
}

// stream is a connection whose directions end one by one.
type stream interface {
	net.Conn
	CloseWrite() error
}

func (p *Proxy) dialTCP(port network.Published) (stream, error) {
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	defer cancel()
	c, err := p.config.Dial(ctx, api.TCP, port.To)
	if err != nil {
		return nil, err
	}
	s, ok := c.(stream)
	if !ok {
		_ = c.Close()
		return nil, errors.New("the connection to the container can't end its directions one by one")
	}
	if k, ok := c.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}); ok {
		_ = k.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}) // the listener's connections have it by default
	}
	return s, nil
}

// relay passes data both ways until both are at their end, and gives what broke each.
func relay(client, server stream) (toServer, toClient error) {
	var other sync.WaitGroup
	other.Go(func() { toServer = pump(server, client) })
	toClient = pump(client, server)
	other.Wait()
	return toServer, toClient
}

// How long one direction has for what is on its way after the other one broke: by a side that sends no more, or by one that takes no more
// but may have said why, as servers do that refuse a long upload.
const (
	gone   = 50 * time.Millisecond
	turned = 5 * time.Second
)

// pump passes data one way: src's end is dst's end. If it breaks, so does the other way, but not before what dst has said last has arrived.
func pump(dst, src stream) error {
	_, err := io.Copy(dst, src)
	if err == nil {
		err = dst.CloseWrite()
	}
	// a deadline was set by the other way, which broke first
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		_ = dst.SetReadDeadline(time.Now().Add(patience(src)))
	}
	return err
}

// patience finds out which side broke, which the error of a splice doesn't tell: one that can still be read from didn't.
func patience(src stream) time.Duration {
	const probe = 10 * time.Millisecond
	_ = src.SetReadDeadline(time.Now().Add(probe))
	if _, err := src.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return turned
	}
	return gone
}
