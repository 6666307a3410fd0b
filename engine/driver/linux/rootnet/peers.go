//go:build linux

package rootnet

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a member that doesn't keep up holds up who sends to it. Once it was late, it has to catch up before anybody waits again.
const patience = 5 * time.Millisecond

// peers are the other members of a network, as one of them sends to them. One goroutine uses them.
type peers struct {
	dir folder
	own string
	by  map[string]*peer
}

// peer is a connection: a member that doesn't read fills its own buffer, and not that for the others.
type peer struct {
	fd   int
	late bool
}

// send gives a datagram to one member, if there is one of that name.
func (p *peers) send(name string, d datagram) {
	c := p.find(name)
	if c == nil {
		return
	}
	if c.send(d, !c.late) {
		return
	}
	p.drop(name) // it may have come back under the same name
	if c = p.find(name); c != nil {
		c.send(d, false)
	}
}

// flood gives it to all; who has no room for it has lost it.
func (p *peers) flood(d datagram) {
	names, err := p.dir.members()
	if err != nil {
		return
	}
	for name := range p.by {
		if !slices.Contains(names, name) {
			p.drop(name)
		}
	}
	for _, name := range names {
		if c := p.find(name); c != nil && !c.send(d, false) {
			p.drop(name)
		}
	}
}

// find gives the connection to a member; nil if there is no such member, or it is the one that sends.
func (p *peers) find(name string) *peer {
	if c := p.by[name]; c != nil || name == p.own {
		return c
	}
	fd, err := p.dir.dial(name)
	if errors.Is(err, unix.ECONNREFUSED) {
		_ = p.dir.locked(func() error { return p.dir.removeStale(name) })
	}
	if err != nil {
		return nil
	}
	tv := unix.NsecToTimeval(patience.Nanoseconds())
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
	c := &peer{fd: fd}
	p.by[name] = c
	return c
}

func (p *peers) drop(name string) {
	if c := p.by[name]; c != nil {
		_ = unix.Close(c.fd)
		delete(p.by, name)
	}
}

func (p *peers) close() {
	for name := range p.by {
		p.drop(name)
	}
}

// send reports whether the member is still there, not whether it took the datagram.
func (c *peer) send(d datagram, wait bool) (there bool) {
	flags := unix.MSG_NOSIGNAL
	if !wait {
		flags |= unix.MSG_DONTWAIT
	}
	for {
		err := unix.Sendto(c.fd, d, flags, nil)
		switch {
		case err == nil:
			c.late = false
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			c.late = true
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.EMSGSIZE):
		default:
			return false
		}
		return true
	}
}
