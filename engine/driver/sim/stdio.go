package sim

import (
	"errors"
	"io"
	"sync"

	"github.com/learn-containers/learn/engine/driver/jsonfile"
	"github.com/learn-containers/learn/engine/driver/relay"
	"github.com/learn-containers/learn/engine/driver/sim/kernel"
)

// stdio is the host's side of a process's standard streams.
type stdio struct {
	once    bool             // the end of the first client's input is the end of all
	outputs []output         // stdout and stderr, or the terminal alone
	term    *kernel.Terminal // nil: there is none

	mu    sync.Mutex
	stdin io.WriteCloser // nil: closed, or never there
}

// noInput is the standard input of a process that nobody can write to.
type noInput struct{}

func (noInput) Read([]byte) (int, error) { return 0, io.EOF }
func (noInput) Close() error             { return nil }

// newStdio makes the pipes or the terminal of a process and gives the process's ends to c.
func newStdio(m *kernel.Machine, c *kernel.ProcessConfig, req *request, input, once bool, log *jsonfile.Log) *stdio {
	s := &stdio{once: once}
	if c.Terminal {
		s.term = m.NewTerminal(req.Cols, req.Rows)
		master, slave := s.term.Master(), s.term.Slave()
		c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
		s.stdin = master
		s.open(frameStdout, "stdout", log, master)
		return s
	}
	c.Stdin = noInput{}
	if input {
		c.Stdin, s.stdin = m.Pipe()
	}
	var out, errs *kernel.PipeReader
	out, c.Stdout = m.Pipe()
	errs, c.Stderr = m.Pipe()
	s.open(frameStdout, "stdout", log, out)
	s.open(frameStderr, "stderr", log, errs)
	return s
}

func (s *stdio) open(kind frameKind, stream string, log *jsonfile.Log, src io.ReadCloser) {
	s.outputs = append(s.outputs, output{relay.NewOutput(src, log.Stream(stream)), kind})
}

// run begins to relay.
func (s *stdio) run() {
	for _, o := range s.outputs {
		go o.Run()
	}
}

// discard closes all ends of a process that did not come to run.
func (s *stdio) discard(c *kernel.ProcessConfig) {
	for _, e := range []io.Closer{c.Stdin, c.Stdout, c.Stderr} {
		_ = e.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stdin != nil {
		_ = s.stdin.Close()
	}
	for _, o := range s.outputs {
		o.Close()
	}
}

// drain waits until the streams have ended and their clients have taken everything. A process that is left in the background may hold a
// stream open; that is waited for only a while.
func (s *stdio) drain() {
	for _, o := range s.outputs {
		o.Drain()
	}
}

// attach sends the outputs that the client asked for over w until the returned function is called.
func (s *stdio) attach(w *wire, req *request) (detach func()) {
	var undo []func()
	for _, o := range s.outputs {
		if o.kind == frameStdout && !req.Stdout || o.kind == frameStderr && !req.Stderr {
			continue
		}
		sink := relay.NewSink(carrier{w, o.kind})
		o.Add(sink)
		undo = append(undo, func() { o.Remove(sink) })
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// feed takes what a client types until it leaves or its input ends: input for the process, and sizes of its terminal.
func (s *stdio) feed(w *wire, input bool) {
	dst := s.input()
	for {
		f, err := w.receive()
		if err != nil {
			break
		}
		switch f.kind {
		case frameStdin:
			if input && dst != nil {
				if _, err := dst.Write(f.data); err != nil {
					dst = nil // nobody reads it any more; the rest goes nowhere
				}
			}
		case frameEnd:
			if input {
				s.inputEnded()
				input = false
			}
		case frameRequest:
			s.resizeTo(f.data)
		}
	}
	if input {
		s.inputEnded()
	}
}

func (s *stdio) input() io.Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stdin == nil {
		return nil
	}
	return s.stdin
}

// inputEnded closes the process's input when it was the first client's to close. A terminal stays open.
func (s *stdio) inputEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.once && s.stdin != nil && s.term == nil {
		_ = s.stdin.Close()
		s.stdin = nil
	}
}

func (s *stdio) resizeTo(message []byte) {
	if req, err := parseRequest(message); err == nil && req.Do == doResize {
		_ = s.resize(req.Cols, req.Rows)
	}
}

func (s *stdio) resize(cols, rows uint16) error {
	if s.term == nil {
		return errors.New("resize terminal: the process has none")
	}
	return s.term.Resize(cols, rows)
}
