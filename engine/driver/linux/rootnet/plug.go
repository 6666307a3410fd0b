//go:build linux

package rootnet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/learn-containers/learn/engine/network"
)

// plug is an endpoint that is connected: an interface in the container, and a cable in the network's folder.
type plug struct {
	inside   *post
	endpoint network.Endpoint
	mac      mac
	gateway  gateway
	port     *os.File
	isolated bool // the members of this network don't reach one another
	cable    *os.File
	dir      folder
	peers    peers
	running  sync.WaitGroup
	alone    bool // nobody else was there when it came
	last     bool // nor when it went
}

// connectPlug connects an endpoint to the network of bridge. dir is the network's folder.
func connectPlug(inside *post, e network.Endpoint, bridge network.Bridge, dir string) (p *plug, err error) {
	p = &plug{inside: inside, endpoint: e, gateway: gatewayOf(bridge), isolated: bridge.Isolated}
	if p.mac, err = parseMAC(e.MAC); err != nil {
		return nil, fmt.Errorf("connect %s: %w", e.Interface, err)
	}
	if p.mac.group() || p.mac == p.gateway.mac {
		return nil, fmt.Errorf("connect %s: MAC address %s is not for one interface alone", e.Interface, e.MAC)
	}
	if err := p.join(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("connect %s to network %.12s: %w", e.Interface, e.Network, err), p.close())
	}
	err = inside.do(func() (err error) { p.port, err = openPort(e, p.mac[:]); return err })
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.running.Go(p.pass)
	if !p.isolated {
		p.running.Go(p.take)
	}
	return p, nil
}

// join makes the cable.
func (p *plug) join(dir string) (err error) {
	if p.dir, err = openFolder(dir); err != nil {
		return err
	}
	p.peers = peers{dir: p.dir, own: p.mac.name(), by: map[string]*peer{}}
	p.cable, p.alone, err = p.dir.listen(p.mac.name())
	return err
}

// close takes all of it back. Both goroutines end with the files that they read.
func (p *plug) close() error {
	var errs []error
	if p.cable != nil {
		errs = append(errs, p.leave(), p.cable.Close())
	}
	if p.port != nil {
		name := p.endpoint.Interface
		errs = append(errs, p.port.Close(), p.inside.do(func() error { return removeInterface(name) }))
	}
	p.running.Wait()
	p.peers.close()
	if p.dir.File != nil {
		errs = append(errs, p.dir.Close())
	}
	return errors.Join(errs...)
}

// leave takes the cable out of the folder.
func (p *plug) leave() error {
	return p.dir.locked(func() error {
		if err := p.dir.remove(p.mac.name()); err != nil {
			return err
		}
		nobody, err := p.dir.deserted()
		p.last = nobody
		return err
	})
}

// maxErrors is how many times in a row a file may fail before it is taken for broken. An interface that is down fails, too.
const maxErrors = 64

// each reads datagrams from f until it is closed.
func each(f *os.File, do func(datagram)) {
	buf := make([]byte, maxDatagram)
	for failed := 0; failed < maxErrors; {
		n, err := f.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil && !errors.Is(err, io.EOF) { // which an empty datagram looks like
			failed++
			continue
		}
		failed = 0
		if d := datagram(buf[:n]); d.valid() {
			do(d)
		}
	}
}

// pass passes on what the container sends.
func (p *plug) pass() {
	each(p.port, func(d datagram) {
		if d.from() != p.mac || d.to().reserved() {
			return
		}
		reply, taken := p.gateway.answer(d)
		switch {
		case reply != nil:
			_, _ = p.port.Write(reply)
		case taken || p.isolated:
		case d.to().group():
			p.peers.flood(d)
		default:
			p.peers.send(d.to().name(), d)
		}
	})
}

// take gives the container what others send to it.
func (p *plug) take() {
	each(p.cable, func(d datagram) {
		if d.from() != p.mac && (d.to() == p.mac || d.to().group()) {
			_, _ = p.port.Write(d) // an interface that is down loses it
		}
	})
}
