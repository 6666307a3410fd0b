//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// wire is one connection to a supervisor with the streams that were sent along. Its goroutines end in finish or close, of which both may be
// called, except for one that waits in a Read of the caller's input, which ends with that Read.
type wire struct {
	conn   *shim.Conn
	sent   []*os.File // our copies of what the supervisor got, to be closed once it has them
	input  *os.File   // our end of the pipe to the process's input
	output []*os.File // read ends of outputs that are not files
	copies sync.WaitGroup
	done   chan struct{} // closed when nothing is sent any more
	ending sync.Once
}

// newWire sends the request with the streams.
func newWire(conn *shim.Conn, req shim.Request, s driver.Streams) (*wire, error) {
	l := &wire{conn: conn, done: make(chan struct{})}
	fds, err := l.connect(&req, s)
	if err == nil {
		err = conn.Send(req, fds...)
	}
	closeFiles(l.sent)
	if err != nil {
		l.closeEnds()
		return nil, err
	}
	if s.Sizes != nil {
		l.copies.Go(func() { l.resize(s.Sizes) })
	}
	return l, nil
}

// resize sends the sizes of the caller's terminal.
func (l *wire) resize(sizes <-chan driver.Size) {
	for {
		select {
		case size, ok := <-sizes:
			if !ok || l.conn.Send(shim.Request{Do: shim.DoResize, Cols: size.Cols, Rows: size.Rows}) != nil {
				return
			}
		case <-l.done:
			return
		}
	}
}

// connect makes a descriptor for each stream: files go as they are, everything else through a pipe. Input always goes
// through a pipe: its end then tells the supervisor that the client is gone, and no terminal leaves this process.
func (l *wire) connect(req *shim.Request, s driver.Streams) ([]int, error) {
	var fds []int
	if s.Stdin != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("connect input: %w", err)
		}
		l.sent, l.input = append(l.sent, r), w
		req.Stdin = true
		fds = append(fds, int(r.Fd()))
		go func() {
			_, _ = io.Copy(w, s.Stdin)
			_ = w.Close()
		}()
	}
	return l.connectOutputs(fds, req, s)
}

// connectOutputs gives one descriptor to both streams when one writer takes both: it may not be ready for two callers at once.
func (l *wire) connectOutputs(fds []int, req *shim.Request, s driver.Streams) ([]int, error) {
	out := -1
	if s.Stdout != nil {
		var err error
		if out, err = l.connectOutput(s.Stdout); err != nil {
			return nil, err
		}
		req.Stdout = true
		fds = append(fds, out)
	}
	if s.Stderr == nil {
		return fds, nil
	}
	if !req.Stdout || !sameWriter(s.Stdout, s.Stderr) {
		var err error
		if out, err = l.connectOutput(s.Stderr); err != nil {
			return nil, err
		}
	}
	req.Stderr = true
	return append(fds, out), nil
}

// sameWriter compares writers, of which some kinds can't be compared.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() { _ = recover() }()
	return a == b
}

func (l *wire) connectOutput(to io.Writer) (int, error) {
	if f, ok := to.(*os.File); ok {
		return rawFD(f)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return -1, fmt.Errorf("connect output: %w", err)
	}
	l.sent, l.output = append(l.sent, w), append(l.output, r)
	l.copies.Go(func() {
		_, _ = io.Copy(to, r)
		_ = r.Close()
	})
	return rawFD(w)
}

// rawFD gives the descriptor without making the file blocking, as Fd would.
func rawFD(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	n := -1
	err = raw.Control(func(fd uintptr) { n = int(fd) })
	return n, err
}

// receive waits for the next reply, or for ctx.
func (l *wire) receive(ctx context.Context) (shim.Reply, error) {
	stop := context.AfterFunc(ctx, l.conn.Interrupt)
	defer stop()
	var r shim.Reply
	err := l.conn.Receive(&r)
	if err != nil && ctx.Err() != nil {
		return r, ctx.Err()
	}
	if errors.Is(err, io.EOF) {
		return r, fmt.Errorf("the supervisor closed the connection: %w", err)
	}
	return r, err
}

// finish ends the link after the last reply: what is still in the pipes is copied.
func (l *wire) finish() {
	l.hangUp()
	if l.input != nil {
		_ = l.input.Close()
	}
	l.copies.Wait()
}

// close ends the link at once and takes the streams away.
func (l *wire) close() {
	l.hangUp()
	l.closeEnds()
	l.copies.Wait()
}

func (l *wire) hangUp() {
	l.ending.Do(func() {
		close(l.done)
		_ = l.conn.Close()
	})
}

func (l *wire) closeEnds() {
	if l.input != nil {
		_ = l.input.Close()
	}
	closeFiles(l.output)
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
