//go:build linux

package shim

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/jsonfile"
	"github.com/learn-containers/learn/engine/driver/relay"
)

// stdio is the shim's side of a process's standard streams.
type stdio struct {
	mu      sync.Mutex
	stdin   *os.File // nil: closed, or never there
	outputs []*relay.Output
	master  *os.File // the terminal, if there is one
	once    bool     // the end of the first client's input is the end of all
	log     *jsonfile.Log
	child   [3]int // the process's ends, until they are handed over
}

// newStdio makes the pipes of a process. With a terminal they come later, from inside the container.
func newStdio(p *Process, stdin, once bool, log *jsonfile.Log) (*stdio, error) {
	s := &stdio{once: once, log: log, child: [3]int{-1, -1, -1}}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", "/dev/null", err)
	}
	if p.Terminal {
		s.child[0] = null
		s.child[1], s.child[2] = dup(null), dup(null)
		return s, nil
	}
	s.child[0] = null
	if stdin {
		unix.Close(null)
		s.child[0] = -1
		r, w, err := pipe()
		if err != nil {
			return nil, err
		}
		s.child[0], s.stdin = r, pollable(w, "stdin")
	}
	for i, stream := range []string{"stdout", "stderr"} {
		r, w, err := pipe()
		if err != nil {
			s.discard()
			return nil, err
		}
		s.child[i+1] = w
		s.open(pollable(r, stream), stream)
	}
	return s, nil
}

func (s *stdio) open(src *os.File, stream string) {
	s.outputs = append(s.outputs, relay.NewOutput(src, s.log.Stream(stream)))
}

// useTerminal takes the terminal that came from the container.
func (s *stdio) useTerminal(master int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.master = pollable(master, "stdout")
	s.stdin = s.master
	s.open(s.master, "stdout")
}

// run begins to relay.
func (s *stdio) run() {
	for _, o := range s.outputs {
		go o.Run()
	}
}

// releaseChild closes the process's ends in the shim.
func (s *stdio) releaseChild() {
	for i, fd := range s.child {
		if fd >= 0 {
			unix.Close(fd)
		}
		s.child[i] = -1
	}
}

// discard closes all ends of a process that did not come to run.
func (s *stdio) discard() {
	s.releaseChild()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stdin != nil {
		_ = s.stdin.Close()
	}
	for _, o := range s.outputs {
		o.Close()
	}
}

// drain waits until the streams have ended and their clients have taken everything.
func (s *stdio) drain() {
	for _, o := range s.outputs {
		o.Drain()
	}
}

// streams are a client's ends, -1 where it has none.
type streams struct{ stdin, stdout, stderr int }

// close lets go of streams that are not to be connected.
func (c streams) close() {
	for _, fd := range []int{c.stdin, c.stdout, c.stderr} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// attachment is what connects one client.
type attachment struct {
	input   *os.File // nil: none
	outputs []*relay.Output
	sinks   []*relay.Sink
}

// attach connects a client. Its input is copied by a goroutine of its own.
func (s *stdio) attach(c streams) *attachment {
	a := &attachment{}
	if c.stdin >= 0 {
		a.input = pollable(c.stdin, "client")
		go s.feed(a.input)
	}
	for i, fd := range []int{c.stdout, c.stderr} {
		if fd < 0 {
			continue
		}
		if i >= len(s.outputs) {
			unix.Close(fd)
			continue
		}
		sink := relay.NewSink(carrier(fd))
		s.outputs[i].Add(sink)
		a.outputs, a.sinks = append(a.outputs, s.outputs[i]), append(a.sinks, sink)
	}
	return a
}

// left lets a client go that has left. What it sent before still goes to the process: the client's end of the input is closed, so there is
// an end to it.
func (a *attachment) left() {
	for i, o := range a.outputs {
		o.Remove(a.sinks[i])
	}
}

// end lets a client go when the process is gone.
func (a *attachment) end() {
	if a.input != nil {
		_ = a.input.Close()
	}
	a.left()
}

// feed copies a client's input to the process, until it has an end or is closed.
func (s *stdio) feed(src *os.File) {
	defer src.Close()
	s.mu.Lock()
	dst := s.stdin
	s.mu.Unlock()
	buf := make([]byte, 16<<10)
	for dst != nil {
		n, err := src.Read(buf)
		if n > 0 {
			if _, werr := dst.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			break
		}
	}
	s.inputEnded()
}

// inputEnded closes the process's input when it was the first client's to close. A terminal stays open.
func (s *stdio) inputEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.once && s.stdin != nil && s.master == nil {
		_ = s.stdin.Close()
		s.stdin = nil
	}
}

func (s *stdio) resize(cols, rows uint16) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master == nil {
		return fmt.Errorf("resize terminal: the process has none")
	}
	raw, err := s.master.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = setSize(int(fd), cols, rows) }); err != nil {
		return err
	}
	return serr
}

func pipe() (r, w int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, fmt.Errorf("make pipe: %w", err)
	}
	return p[0], p[1], nil
}

func dup(fd int) int {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1
	}
	return n
}

// pollable makes a file that waits without holding a thread.
func pollable(fd int, name string) *os.File {
	_ = unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), name)
}
