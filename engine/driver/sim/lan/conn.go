package lan

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// conn is one end of a connection between two hosts of the same switch.
type conn struct {
	host          *Host
	in, out       *stream
	local, remote netip.AddrPort
	far           bool // the other end is the machine's, for whoever is outside of it
	closed        chan struct{}
	once          sync.Once
	readBy        deadline
	writeBy       deadline
}

// pair makes both ends of a connection to dst: that of the host that dialled, which has no address yet, and that of the host
// that listens.
func pair(from, to *Host, dst netip.AddrPort) (near, far *conn) {
	there, back := newStream(), newStream()
	near = &conn{host: from, in: back, out: there, remote: dst, closed: make(chan struct{})}
	far = &conn{host: to, in: there, out: back, local: dst, closed: make(chan struct{})}
	near.far, far.far = from != to && to.isMachine(), from != to && from.isMachine()
	return near, far
}

// Far tells whether what comes over the connection comes from outside of the machine's containers in this process.
func (c *conn) Far() bool { return c.far }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p, waiter{c.host.block, &c.readBy, c.closed})
	return n, c.wrap("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p, waiter{c.host.block, &c.writeBy, c.closed})
	return n, c.wrap("write", err)
}

func (c *conn) wrap(op string, err error) error { return wrapConn(op, c.local, c.remote, err) }

// CloseWrite ends this direction; the other end reads what was written and then the end.
func (c *conn) CloseWrite() error {
	select {
	case <-c.closed:
		return c.wrap("close", net.ErrClosed)
	default:
	}
	c.out.end()
	return nil
}

// Close ends the connection as close(2) does: what was written still arrives, and if anything was left unread the other end
// is told by a reset.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		err = nil
		close(c.closed)
		if c.in.stop() {
			c.out.breakOff()
		}
		c.out.end()
		c.host.forget(c)
	})
	return c.wrap("close", err)
}

// abort breaks the connection for both ends.
func (c *conn) abort() {
	c.in.breakOff()
	c.out.breakOff()
}

func (c *conn) endpoint() netip.AddrPort { return c.local }
func (c *conn) LocalAddr() net.Addr      { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr     { return net.TCPAddrFromAddrPort(c.remote) }

func (c *conn) SetReadDeadline(t time.Time) error {
	c.readBy.set(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.set(t)
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}
