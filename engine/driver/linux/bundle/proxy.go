//go:build linux

package bundle

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// proxy connects this process's terminal, or whatever its streams are, with that of a container. A nil proxy does nothing.
type proxy struct {
	master *os.File
	before *unix.Termios // of standard input; nil: it is no terminal
	output chan struct{} // closed when all output is copied
}

func newProxy(master int) *proxy {
	if master < 0 {
		return nil
	}
	_ = unix.SetNonblock(master, true)
	p := &proxy{master: os.NewFile(uintptr(master), "terminal"), output: make(chan struct{})}
	if t, err := unix.IoctlGetTermios(0, unix.TCGETS); err == nil {
		p.before = t
		raw := *t
		raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
		raw.Oflag &^= unix.OPOST
		raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
		raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
		raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
		_ = unix.IoctlSetTermios(0, unix.TCSETS, &raw)
		p.resize()
	}
	go func() { // ends with the process: a read of standard input can't be taken back
		_, _ = io.Copy(p.master, os.Stdin)
	}()
	go func() {
		defer close(p.output)
		_, _ = io.Copy(os.Stdout, p.master)
	}()
	return p
}

func (p *proxy) resize() {
	if p == nil || p.before == nil {
		return
	}
	ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err != nil {
		return
	}
	if raw, err := p.master.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, ws) })
	}
}

// drain waits for the output that is still in the terminal, which ends when nobody has the other side open.
func (p *proxy) drain() {
	if p == nil {
		return
	}
	select {
	case <-p.output:
	case <-time.After(2 * time.Second): // a process that was left behind holds it open
	}
}

func (p *proxy) restore() {
	if p != nil && p.before != nil {
		_ = unix.IoctlSetTermios(0, unix.TCSETS, p.before)
	}
}
