//go:build linux

package shim

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/jsonfile"
)

// drainGrace bounds the wait for the end of a stream after the process behind it ended.
const drainGrace = 3 * time.Second

// output is one output stream of a process: the log and the clients that listen.
type output struct {
	mu    sync.Mutex
	lines *jsonfile.Stream
	sinks []*sink
	src   *os.File
	ended bool
	done  chan struct{}
}

// pump is the stream's goroutine: it reads until every writer is gone.
func (o *output) pump() {
	defer close(o.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := o.src.Read(buf)
		if n > 0 {
			o.deliver(buf[:n])
		}
		if err != nil {
			break // io.EOF, or EIO from a terminal whose other end is closed
		}
	}
	o.lines.Flush()
	o.mu.Lock()
	sinks := o.sinks
	o.ended = true
	o.mu.Unlock()
	for _, s := range sinks {
		s.Finish()
	}
	for _, s := range sinks {
		<-s.done
	}
}

// deliver logs before it sends, so that a client can't lose the log a line.
func (o *output) deliver(p []byte) {
	o.lines.Write(p)
	o.mu.Lock()
	sinks := o.sinks
	o.mu.Unlock()
	for _, s := range sinks {
		s.Write(p)
	}
}

func (o *output) add(s *sink) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		s.Finish()
	}
	// A new slice: deliver may be walking the old one.
	o.sinks = append(append([]*sink(nil), o.sinks...), s)
}

func (o *output) removeSink(gone *sink) {
	gone.Abandon()
	o.mu.Lock()
	defer o.mu.Unlock()
	var rest []*sink
	for _, s := range o.sinks {
		if s != gone {
			rest = append(rest, s)
		}
	}
	o.sinks = rest
}

// stdio is the shim's side of a process's standard streams.
type stdio struct {
	mu      sync.Mutex
	stdin   *os.File // nil: closed, or never there
	outputs []*output
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
		s.open(r, stream)
	}
	return s, nil
}

func (s *stdio) open(fd int, stream string) {
	o := &output{lines: s.log.Stream(stream), src: pollable(fd, stream), done: make(chan struct{})}
	s.outputs = append(s.outputs, o)
}

// useTerminal takes the terminal that came from the container.
func (s *stdio) useTerminal(master int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open(master, "stdout")
	s.master = s.outputs[0].src
	s.stdin = s.master
}

// run begins to relay.
func (s *stdio) run() {
	for _, o := range s.outputs {
		go o.pump()
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
		_ = o.src.Close()
	}
}

// drain waits until the streams have ended and their clients have taken everything. Something outside may hold a stream open
// although the process is gone; that is waited for only a while.
func (s *stdio) drain() {
	for _, o := range s.outputs {
		for !o.endedWithin(drainGrace) {
			if !o.pending() {
				_ = o.src.Close()
			}
		}
	}
}

func (o *output) endedWithin(d time.Duration) bool {
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-o.done:
		return true
	case <-late.C:
		return false
	}
}

// pending reports whether a client is still being written to.
func (o *output) pending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.sinks {
		if s.pending() {
			return true
		}
	}
	return false
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

// attach connects a client until the returned function is called. The input of a client is copied by a goroutine of its own.
func (s *stdio) attach(c streams) (detach func()) {
	var undo []func()
	if c.stdin >= 0 {
		undo = append(undo, s.feed(pollable(c.stdin, "client")))
	}
	for i, fd := range []int{c.stdout, c.stderr} {
		if fd < 0 {
			continue
		}
		if i >= len(s.outputs) {
			unix.Close(fd)
			continue
		}
		o, sk := s.outputs[i], newSink(fd)
		o.add(sk)
		undo = append(undo, func() { o.removeSink(sk) })
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// feed copies a client's input to the process. Closing the source ends it.
func (s *stdio) feed(src *os.File) (stop func()) {
	s.mu.Lock()
	dst := s.stdin
	s.mu.Unlock()
	go func() {
		defer src.Close()
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
	}()
	return func() { _ = src.Close() }
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
