//go:build linux

package shim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxMessage bounds one message: a config with its environment, or a list of processes.
const maxMessage = 16 << 20

// Conn carries JSON messages with file descriptors over a Unix stream socket. One goroutine may send while another receives.
type Conn struct {
	f   *os.File
	raw syscall.RawConn
	buf []byte
	fds []int
}

// NewConn takes over the socket fd.
func NewConn(fd int) (*Conn, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	f := os.NewFile(uintptr(fd), "connection")
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	return &Conn{f: f, raw: raw}, nil
}

// Dial connects to the shim that listens in dir.
func Dial(dir string) (*Conn, error) {
	addr, release, err := socketAddr(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("connect to supervisor: %w", err)
	}
	if err := unix.Connect(fd, addr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("connect to supervisor in %s: %w", dir, err)
	}
	return NewConn(fd)
}

// Listening reports whether a shim may be listening in dir.
func Listening(dir string) bool {
	var st unix.Stat_t
	return unix.Lstat(filepath.Join(dir, socketName), &st) == nil
}

// socketAddr names the socket through a descriptor of its folder: a path may be longer than the 108 bytes of an address.
func socketAddr(dir string) (*unix.SockaddrUnix, func(), error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", fd, socketName)}, func() { unix.Close(fd) }, nil
}

// Close closes the connection and the descriptors nobody took.
func (c *Conn) Close() error {
	closeAll(c.fds)
	c.fds = nil
	return c.f.Close()
}

// Interrupt makes a Receive that waits return an error soon.
func (c *Conn) Interrupt() { _ = c.f.SetReadDeadline(time.Unix(1, 0)) }

// Send writes v and the descriptors, which stay the caller's.
func (c *Conn) Send(v any, fds ...int) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	line = append(line, '\n')
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for len(line) > 0 {
		n, err := c.sendSome(line, rights)
		if err != nil {
			return fmt.Errorf("send message: %w", err)
		}
		line, rights = line[n:], nil
	}
	return nil
}

func (c *Conn) sendSome(p, rights []byte) (n int, err error) {
	werr := c.raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.SendmsgN(int(fd), p, rights, nil, unix.MSG_NOSIGNAL)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	if werr != nil {
		return 0, werr
	}
	return n, err
}

// Receive reads the next message into v. io.EOF means that the other side is gone.
func (c *Conn) Receive(v any) error {
	for {
		if i := bytes.IndexByte(c.buf, '\n'); i >= 0 {
			line := c.buf[:i]
			c.buf = c.buf[i+1:]
			if err := json.Unmarshal(line, v); err != nil {
				return fmt.Errorf("decode message: %w", err)
			}
			if len(c.buf) == 0 {
				c.buf = nil
			}
			return nil
		}
		if len(c.buf) > maxMessage {
			return fmt.Errorf("receive message: more than %d bytes", maxMessage)
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

func (c *Conn) fill() error {
	p := make([]byte, 8<<10)
	oob := make([]byte, unix.CmsgSpace(16*4))
	var n, oobn int
	var err error
	rerr := c.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, _, _, err = unix.Recvmsg(int(fd), p, oob, unix.MSG_CMSG_CLOEXEC)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	if rerr != nil {
		return rerr
	}
	if errors.Is(err, unix.ECONNRESET) {
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("receive message: %w", err)
	}
	if n == 0 {
		return io.EOF
	}
	c.buf = append(c.buf, p[:n]...)
	return c.keepRights(oob[:oobn])
}

func (c *Conn) keepRights(oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("receive descriptors: %w", err)
	}
	for i := range msgs {
		if fds, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			c.fds = append(c.fds, fds...)
		}
	}
	return nil
}

// TakeFDs hands over the n descriptors that came with the message just received.
func (c *Conn) TakeFDs(n int) ([]int, error) {
	if n < 0 || n > len(c.fds) {
		return nil, fmt.Errorf("receive descriptors: %d came, %d expected", len(c.fds), n)
	}
	fds := c.fds[:n:n]
	c.fds = c.fds[n:]
	return fds, nil
}

// peer tells the user id of the other side.
func (c *Conn) peer() (uint32, error) {
	var cred *unix.Ucred
	var err error
	if cerr := c.raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); cerr != nil {
		return 0, cerr
	}
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
