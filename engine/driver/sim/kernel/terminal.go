package kernel

import (
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/userland"
)

// Terminal is a pseudoterminal. It becomes the controlling one of a process that is started with Process.Terminal on its Slave.
type Terminal struct{ tty *tty }

// tty is the state of a terminal, and the object that its slave side is. All of it is guarded by the clock's lock.
type tty struct {
	clock      *Clock
	box        *Box // nil until a process has it
	index      int  // N of /dev/pts/N
	d          *description
	cols, rows int
	raw        bool
	sid, fg    int // session that it controls and the foreground group; 0: none

	line   []byte   // being typed
	ready  [][]byte // lines to be read; an empty one is an end of file
	out    []byte   // for the master
	used   bool     // the slave was opened once
	hung   bool     // the master is closed
	rq, wq queue    // threads of the slave that read and write
	mq, iq queue    // threads of the master
	outlet outlet
}

const (
	ttySize  = 64 << 10 // bytes in either direction before the writer waits
	ptsMajor = 136
)

// NewTerminal makes a terminal of that size in character cells.
func (m *Machine) NewTerminal(cols, rows uint16) *Terminal {
	t := &tty{clock: m.clock, cols: int(cols), rows: int(rows), outlet: outlet{clock: m.clock}}
	t.d = m.clock.describe(t)
	return &Terminal{t}
}

// Slave is a reference to the side of the processes. Given to Start it is the process's; the same one may be all its streams.
func (t *Terminal) Slave() *TerminalSlave {
	t.tty.clock.lock()
	defer t.tty.clock.unlock()
	t.tty.used = true
	return &TerminalSlave{hold(t.tty.d)}
}

// TerminalSlave is an outsider's reference to a terminal as processes see it. Close may be called more than once.
type TerminalSlave struct{ outside }

// Read reads what was typed.
func (s *TerminalSlave) Read(b []byte) (int, error) { return s.use(b, s.d.read) }

// Write writes as a process does.
func (s *TerminalSlave) Write(b []byte) (int, error) { return s.use(b, s.d.write) }

// Master is the side of the person: what is written is typed, what is read is shown. Reading ends with io.EOF when no process
// has the terminal any more. Close hangs up.
func (t *Terminal) Master() io.ReadWriteCloser { return master{t.tty} }

// Resize tells the foreground that the window has another size.
func (t *Terminal) Resize(cols, rows uint16) error {
	c := t.tty.clock
	c.lock()
	defer c.unlock()
	if t.tty.hung {
		return os.ErrClosed
	}
	if t.tty.cols != int(cols) || t.tty.rows != int(rows) {
		t.tty.cols, t.tty.rows = int(cols), int(rows)
		t.tty.signal(sigWINCH)
	}
	return nil
}

func (t *tty) name() string      { return "pts/" + strconv.Itoa(t.index) }
func (t *tty) label() string     { return "/dev/" + t.name() }
func (t *tty) kind() fs.FileMode { return fs.ModeDevice | fs.ModeCharDevice }

func (t *tty) number() uint64 { return fsys.MakeDev(ptsMajor, uint32(t.index)) }

// signal is for the foreground group.
func (t *tty) signal(n int) {
	if t.box == nil || t.fg == 0 {
		return
	}
	for _, p := range t.box.members(t.fg) {
		p.post(n, false)
	}
}

// release is the end of the last reference: the master sees an end.
func (t *tty) release() {
	t.outlet.offer()
	t.mq.wake()
	if t.box != nil && t.box.terminals[t.index] == t {
		delete(t.box.terminals, t.index)
		t.box.unlink(t)
	}
}

func (t *tty) read(im *image, b []byte) (int, error) {
	for {
		if t.hung {
			return 0, io.EOF
		}
		if err := t.background(im); err != nil {
			return 0, err
		}
		if len(t.ready) > 0 {
			return t.take(b)
		}
		t.clock.wait(im, &t.rq)
		if err := pass(im); err != nil {
			return 0, err
		}
	}
}

// readable tells whether a read would not wait.
func (t *tty) readable() (bool, *queue) { return t.hung || len(t.ready) > 0, &t.rq }

// background stops a process that reads although it has not the foreground.
func (t *tty) background(im *image) error {
	if !t.keepsOut(im) {
		return nil
	}
	if im.p.actions[sigTTIN].ignore {
		return syscall.EIO
	}
	return im.stopGroup(sigTTIN)
}

// keepsOut tells whether a process is in the background of its terminal.
func (t *tty) keepsOut(im *image) bool {
	return im != nil && im.p.tty == t && im.p.pgid != t.fg && t.fg != 0
}

// stopGroup is what a terminal does to those who have not the foreground.
func (im *image) stopGroup(n int) error {
	for _, p := range im.p.box.members(im.p.pgid) {
		p.post(n, false)
	}
	return im.gate(0)
}

// control stops a process that changes the terminal from the background, unless it ignores that or catches it.
func (t *tty) control(im *image) error {
	for t.keepsOut(im) && !im.p.actions[sigTTOU].ignore {
		caught := im.p.actions[sigTTOU].handler != nil
		if err := im.stopGroup(sigTTOU); err != nil {
			return err
		}
		if caught || im.p == im.p.box.init {
			return syscall.EINTR
		}
	}
	return nil
}

// take gives one line, or in raw mode all there is.
func (t *tty) take(b []byte) (int, error) {
	if len(t.ready[0]) == 0 {
		t.ready = t.ready[1:]
		return 0, io.EOF
	}
	n := 0
	for len(t.ready) > 0 && n < len(b) {
		part := copy(b[n:], t.ready[0])
		n += part
		if t.ready[0] = t.ready[0][part:]; len(t.ready[0]) > 0 {
			break
		}
		t.ready = t.ready[1:]
		if !t.raw {
			break
		}
	}
	t.iq.wake()
	return n, nil
}

func (t *tty) write(im *image, b []byte) (int, error) {
	for i, c := range b {
		for len(t.out) >= ttySize && !t.hung {
			t.clock.wait(im, &t.wq)
			if err := pass(im); err != nil {
				return i, err
			}
		}
		if t.hung {
			return i, syscall.EIO
		}
		t.show(c)
	}
	return len(b), nil
}

// show puts a character on the screen.
func (t *tty) show(c byte) {
	if c == '\n' && !t.raw {
		t.out = append(t.out, '\r')
	}
	t.out = append(t.out, c)
	t.outlet.offer()
	t.mq.wake()
}

// master is the object outside.
type master struct{ t *tty }

func (m master) Read(b []byte) (int, error) {
	t := m.t
	t.clock.lock()
	defer t.clock.unlock()
	for len(t.out) == 0 {
		t.outlet.taken()
		if t.hung {
			return 0, os.ErrClosed
		}
		if t.used && t.d.refs == 0 {
			return 0, io.EOF
		}
		t.clock.wait(nil, &t.mq)
	}
	n := copy(b, t.out)
	t.out = t.out[n:]
	t.wq.wake()
	return n, nil
}

func (m master) Write(b []byte) (int, error) {
	t := m.t
	t.clock.lock()
	defer t.clock.unlock()
	for i, c := range b {
		for t.full() && !t.hung {
			t.clock.wait(nil, &t.iq)
		}
		if t.hung {
			return i, os.ErrClosed
		}
		t.input(c)
	}
	return len(b), nil
}

func (t *tty) full() bool {
	n := 0
	for _, line := range t.ready {
		n += len(line)
	}
	return n >= ttySize
}

// Close hangs up: who reads gets an end, who writes an error, and the session is told by SIGHUP.
func (m master) Close() error {
	t := m.t
	t.clock.lock()
	defer t.clock.unlock()
	if t.hung {
		return nil
	}
	t.hung = true
	t.outlet.taken()
	t.outlet.clock = nil
	for _, q := range []*queue{&t.rq, &t.wq, &t.mq, &t.iq} {
		q.wake()
	}
	if t.box == nil {
		return nil
	}
	if leader := t.box.procs[t.sid]; leader != nil && leader.pgid != t.fg {
		leader.post(sigHUP, false)
	}
	t.signal(sigHUP)
	t.signal(sigCONT)
	return nil
}

// Size is userland.Terminal's.
func (s *terminalStream) Size() (cols, rows int) {
	s.tty.clock.lock()
	defer s.tty.clock.unlock()
	return s.tty.cols, s.tty.rows
}

// Raw is userland.Terminal's.
func (s *terminalStream) Raw() (restore func() error, err error) {
	old, err := s.setRaw(true)
	if err != nil {
		return nil, err
	}
	return func() error {
		_, err := s.setRaw(old)
		return err
	}, nil
}

func (s *terminalStream) setRaw(raw bool) (old bool, err error) {
	t := s.tty
	t.clock.lock()
	defer t.clock.unlock()
	if err := s.im.gate(callCost); err != nil {
		return false, err
	}
	if t.hung {
		return false, syscall.EIO
	}
	if err := t.control(s.im); err != nil {
		return false, err
	}
	old, t.raw = t.raw, raw
	if raw && len(t.line) > 0 {
		t.push()
	}
	return old, nil
}

var _ userland.Terminal = (*terminalStream)(nil)
