package kernel

import (
	"context"
	"net/netip"
	"slices"

	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

// userDialer is the network of a box with the waits told to the clock.
type userDialer struct {
	im   *image
	host userland.Dialer
}

// far is a connection whose other end is outside of this machine's clock: what comes from there takes real time, so no time may be skipped
// for those who wait for it.
type far interface{ Far() bool }

// reaches runs f, which looks for somebody who may be far. A frozen clock's machine is all there is.
func (im *image) reaches(f func()) error {
	if im.clock().frozen {
		return im.waits(f)
	}
	return im.really(f)
}

// really runs f, which takes real time.
func (im *image) really(f func()) error {
	if err := im.enter(); err != nil {
		return err
	}
	f()
	return im.enter()
}

// waits runs f, which waits for the network.
func (im *image) waits(f func()) error {
	if err := im.enter(); err != nil {
		return err
	}
	threads{im}.Block(f)
	return im.enter()
}

// aimer is a host that looks a name up apart from the wait for a connection.
type aimer interface {
	Aim(ctx context.Context, address string) (dial func(context.Context) (userland.Conn, error), err error)
}

func (d userDialer) Dial(ctx context.Context, address string) (userland.Conn, error) {
	dial, err := d.aim(ctx, address)
	if err != nil {
		return nil, err
	}
	var conn userland.Conn
	if gone := d.im.reaches(func() { conn, err = dial(ctx) }); gone != nil {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	return d.adopt(conn), nil
}

// aim looks a name up where the host can do that apart: it is work and no wait, so no time may be skipped meanwhile.
func (d userDialer) aim(ctx context.Context, address string) (dial func(context.Context) (userland.Conn, error), err error) {
	a, ok := d.host.(aimer)
	if !ok {
		return func(ctx context.Context) (userland.Conn, error) { return d.host.Dial(ctx, address) }, nil
	}
	if gone := d.im.really(func() { dial, err = a.Aim(ctx, address) }); gone != nil {
		return nil, gone
	}
	return dial, err
}

func (d userDialer) Listen(ctx context.Context, address string) (userland.Listener, error) {
	if err := d.im.enter(); err != nil {
		return nil, err
	}
	l, err := d.host.Listen(ctx, address)
	if err != nil {
		return nil, err
	}
	u := &userListener{d: d, Listener: l}
	c := d.im.clock()
	c.lock()
	defer c.unlock()
	if d.im.gone {
		c.later(func() { l.Close() })
		return nil, errGone
	}
	d.im.listeners = append(d.im.listeners, u)
	return u, nil
}

func (d userDialer) Lookup(ctx context.Context, name string) (addresses []string, server string, err error) {
	if gone := d.im.really(func() { addresses, server, err = d.host.Lookup(ctx, name) }); gone != nil {
		return nil, "", gone
	}
	return addresses, server, err
}

func (d userDialer) adopt(conn userland.Conn) userland.Conn {
	u := &userConn{im: d.im, Conn: conn, waits: d.im.waits}
	if f, ok := conn.(far); ok && f.Far() {
		u.waits = d.im.really
	}
	u.stop = context.AfterFunc(d.im.ctx, func() { conn.Close() })
	return u
}

// userListener ends with its program.
type userListener struct {
	userland.Listener
	d userDialer
}

func (l *userListener) Accept() (userland.Conn, error) {
	var conn userland.Conn
	var err error
	if gone := l.d.im.waits(func() { conn, err = l.Listener.Accept() }); gone != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	return l.d.adopt(conn), nil
}

func (l *userListener) Close() error {
	c := l.d.im.clock()
	c.lock()
	l.d.im.listeners = slices.DeleteFunc(l.d.im.listeners, func(o *userListener) bool { return o == l })
	c.unlock()
	return l.Listener.Close()
}

// userConn ends with its program.
type userConn struct {
	userland.Conn
	im    *image
	waits func(f func()) error
	stop  func() bool
}

func (c *userConn) Read(b []byte) (n int, err error) {
	if gone := c.waits(func() { n, err = c.Conn.Read(b) }); gone != nil {
		return 0, gone
	}
	return n, err
}

func (c *userConn) Write(b []byte) (n int, err error) {
	if gone := c.waits(func() { n, err = c.Conn.Write(b) }); gone != nil {
		return 0, gone
	}
	return n, err
}

func (c *userConn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// Interfaces tells what the box has of a network (userland.Interfaces).
func (d userDialer) Interfaces() ([]userland.Interface, error) {
	if err := d.im.enter(); err != nil {
		return nil, err
	}
	links := d.im.p.box.links()
	all := make([]userland.Interface, len(links))
	for i, l := range links {
		all[i] = userland.Interface{Index: i + 1, Name: l.Name, MAC: l.MAC, MTU: l.MTU, Addresses: l.Addresses}
	}
	return all, nil
}

// links are the interfaces of the box.
func (b *Box) links() []vfs.Interface {
	loopback := vfs.Interface{Name: "lo", MTU: 65536, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")}}
	all := []vfs.Interface{loopback}
	if b.cfg.Links != nil {
		all = append(all, b.cfg.Links()...)
	}
	return all
}
