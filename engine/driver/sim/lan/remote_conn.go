package lan

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// remote is one end of a connection to a host of another process. The socket's own buffers hold what is on its way.
type remote struct {
	host        *Host
	local, peer netip.AddrPort
	network     string             // id
	cancel      context.CancelFunc // of the dialling; nil at the end that was called

	mu     sync.Mutex
	sock   *net.UnixConn // nil until it is connected
	closed bool
	broken atomic.Bool
}

// dial calls the switch behind socket and waits for its answer.
func (r *remote) dial(ctx context.Context, socket string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), closeAny(c))
	}
	if err != nil { // its process has just died
		return syscall.EHOSTUNREACH
	}
	sock := c.(*net.UnixConn)
	if err := r.connected(sock); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { sock.SetDeadline(time.Unix(1, 0)) })
	answer, err := r.ask(sock)
	if !stop() {
		return ctx.Err()
	}
	switch {
	case err != nil || answer == answerUnreachable:
		return syscall.EHOSTUNREACH
	case answer != answerOpen:
		return syscall.ECONNREFUSED
	}
	return nil
}

func closeAny(c net.Conn) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

// connected gives the end its socket, unless it was closed meanwhile.
func (r *remote) connected(sock *net.UnixConn) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		sock.Close()
		return net.ErrClosed
	}
	r.sock = sock
	return nil
}

func (r *remote) ask(sock *net.UnixConn) (answer byte, err error) {
	if err := writeCall(sock, call{Network: r.network, From: r.local, To: r.peer}); err != nil {
		return 0, err
	}
	var b [1]byte
	_, err = io.ReadFull(sock, b[:])
	return b[0], err
}

func (r *remote) Read(p []byte) (n int, err error) {
	r.host.block(func() { n, err = r.sock.Read(p) })
	return n, r.explain("read", err, syscall.ECONNRESET)
}

func (r *remote) Write(p []byte) (n int, err error) {
	r.host.block(func() { n, err = r.sock.Write(p) })
	return n, r.explain("write", err, syscall.EPIPE)
}

// explain makes of a socket's error the one that a connection between hosts has, the same on every system.
func (r *remote) explain(op string, err error, lost syscall.Errno) error {
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return err
	case r.broken.Load():
		err = os.NewSyscallError(op, syscall.ECONNRESET)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = os.ErrDeadlineExceeded
	case errors.Is(err, net.ErrClosed):
		err = net.ErrClosed
	default:
		err = os.NewSyscallError(op, lost)
	}
	return wrapConn(op, r.local, r.peer, err)
}

func (r *remote) CloseWrite() error {
	if err := r.sock.CloseWrite(); err != nil {
		return r.explain("close", err, syscall.ENOTCONN)
	}
	return nil
}

// Close ends the connection. What was written still arrives; bytes left unread reset it, where the system's sockets do.
func (r *remote) Close() error {
	r.mu.Lock()
	was := r.closed
	r.closed = true
	sock := r.sock
	r.mu.Unlock()
	if was {
		return wrapConn("close", r.local, r.peer, net.ErrClosed)
	}
	r.broken.Store(false)
	r.cancel()
	r.host.forget(r)
	if sock != nil {
		sock.Close()
	}
	return nil
}

// abort breaks this end; the other sees the end of the stream.
func (r *remote) abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.broken.Store(true)
	r.cancel()
	if r.sock != nil {
		r.sock.Close()
	}
}

// Far tells that the other end is in another process.
func (r *remote) Far() bool { return true }

func (r *remote) endpoint() netip.AddrPort           { return r.local }
func (r *remote) LocalAddr() net.Addr                { return net.TCPAddrFromAddrPort(r.local) }
func (r *remote) RemoteAddr() net.Addr               { return net.TCPAddrFromAddrPort(r.peer) }
func (r *remote) SetDeadline(t time.Time) error      { return r.sock.SetDeadline(t) }
func (r *remote) SetReadDeadline(t time.Time) error  { return r.sock.SetReadDeadline(t) }
func (r *remote) SetWriteDeadline(t time.Time) error { return r.sock.SetWriteDeadline(t) }
