//go:build linux

package rootnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	api "github.com/moby/moby/api/types/network"
	"golang.org/x/sys/unix"
)

// Dialer connects from within a network namespace to addresses in it. Any number of goroutines may use it at once.
type Dialer struct{ post *post }

// OpenDialer enters the network namespace that is open as netns, which need not stay open. Close ends it.
func OpenDialer(netns int) (*Dialer, error) {
	p, err := openPost(into(netns))
	if err != nil {
		return nil, err
	}
	return &Dialer{post: p}, nil
}

// Close ends it, but no connection that was made. No Dial may run or follow.
func (d *Dialer) Close() { d.post.close() }

// Dial connects, by TCP or UDP. It gives a *net.TCPConn or a *net.UDPConn.
func (d *Dialer) Dial(ctx context.Context, protocol api.IPProtocol, to netip.AddrPort) (net.Conn, error) {
	c, err := d.dial(ctx, protocol, to)
	if err != nil {
		return nil, fmt.Errorf("connect to %s/%s: %w", to, protocol, err)
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, protocol api.IPProtocol, to netip.AddrPort) (net.Conn, error) {
	fd, err := d.socket(protocol, to.Addr())
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), to.String())
	defer f.Close() // FileConn has a copy
	if err := connect(ctx, f, fd, sockaddr(to)); err != nil {
		return nil, err
	}
	return net.FileConn(f)
}

// socket makes one there. Where it was made is where it stays; all else can be done by any thread.
func (d *Dialer) socket(protocol api.IPProtocol, to netip.Addr) (fd int, err error) {
	kind, family := 0, unix.AF_INET
	switch protocol {
	case api.TCP:
		kind = unix.SOCK_STREAM
	case api.UDP:
		kind = unix.SOCK_DGRAM
	default:
		return -1, errors.New("only tcp and udp can be dialed")
	}
	if to.Is6() {
		family = unix.AF_INET6
	}
	err = d.post.do(func() error {
		fd, err = unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return os.NewSyscallError("socket", err)
	})
	return fd, err
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// connect waits for the other side's word, or for the end of ctx.
func connect(ctx context.Context, f *os.File, fd int, to unix.Sockaddr) error {
	err := unix.Connect(fd, to)
	if err == nil || !errors.Is(err, unix.EINPROGRESS) {
		return os.NewSyscallError("connect", err)
	}
	defer context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var outcome error
	err = raw.Write(func(fd uintptr) (done bool) {
		done, outcome = connected(int(fd))
		return done
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(outcome, err)
}

func connected(fd int) (done bool, err error) {
	refusal, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return true, os.NewSyscallError("getsockopt", err)
	}
	if refusal != 0 {
		return true, os.NewSyscallError("connect", unix.Errno(refusal))
	}
	_, err = unix.Getpeername(fd)
	return !errors.Is(err, unix.ENOTCONN), nil
}
