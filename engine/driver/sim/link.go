package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
)

// link is a client's end of a connection with its streams. Its goroutines end in close; the one that waits in a Read of
// the caller's input ends with that Read.
type link struct {
	w       *wire
	streams driver.Streams
	replies chan reply
	reading sync.WaitGroup
	leave   func() bool   // forgets whose end is the link's end; may be nil
	err     error         // why there are no more replies; to be read when replies is closed
	done    chan struct{} // closed with the connection
	ending  sync.Once
}

// newLink makes the request and connects the streams. After an error the connection is closed.
func newLink(w *wire, req request, s driver.Streams) (*link, error) {
	l := &link{w: w, streams: s, replies: make(chan reply, 2), done: make(chan struct{})}
	req.Stdin, req.Stdout, req.Stderr = s.Stdin != nil, s.Stdout != nil, s.Stderr != nil
	req.Cols, req.Rows = max(req.Cols, s.Cols), max(req.Rows, s.Rows)
	if err := w.sendJSON(frameRequest, req); err != nil {
		w.close()
		return nil, err
	}
	l.reading.Go(l.read)
	if s.Stdin != nil {
		go l.write()
	}
	if s.Sizes != nil {
		l.reading.Go(l.resize)
	}
	return l, nil
}

// resize sends the sizes of the caller's terminal.
func (l *link) resize() {
	for {
		select {
		case size, ok := <-l.streams.Sizes:
			if !ok || l.w.sendJSON(frameRequest, request{Do: doResize, Cols: size.Cols, Rows: size.Rows}) != nil {
				return
			}
		case <-l.done:
			return
		}
	}
}

// read takes what comes to where it belongs.
func (l *link) read() {
	defer close(l.replies)
	for {
		f, err := l.w.receive()
		if err != nil {
			l.err = err
			return
		}
		switch f.kind {
		case frameReply:
			var r reply
			if l.err = decodeReply(f.data, &r); l.err != nil {
				return
			}
			l.replies <- r
		case frameStdout:
			write(l.streams.Stdout, f.data)
		case frameStderr:
			write(l.streams.Stderr, f.data)
		}
	}
}

// write is what the caller reads; who can't take it loses it, as a closed terminal does.
func write(to io.Writer, p []byte) {
	if to != nil {
		_, _ = to.Write(p)
	}
}

// write sends the caller's input.
func (l *link) write() {
	buf := make([]byte, streamChunk)
	for {
		n, err := l.streams.Stdin.Read(buf)
		if n > 0 && l.w.send(frameStdin, buf[:n]) != nil {
			return
		}
		if err != nil {
			_ = l.w.send(frameEnd, nil)
			return
		}
	}
}

// receive waits for the next reply, or for ctx.
func (l *link) receive(ctx context.Context) (reply, error) {
	select {
	case r, ok := <-l.replies:
		if ok {
			return r, nil
		}
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
	if errors.Is(l.err, io.ErrUnexpectedEOF) || errors.Is(l.err, syscall.ECONNRESET) || errors.Is(l.err, net.ErrClosed) || errors.Is(l.err, io.ErrClosedPipe) {
		l.err = io.EOF // it died in the middle of something
	}
	if errors.Is(l.err, io.EOF) {
		return reply{}, fmt.Errorf("the supervisor closed the connection: %w", l.err)
	}
	return reply{}, l.err
}

// close ends the link and waits until nothing is written to the streams any more. What came before the last reply has been written.
func (l *link) close() {
	if l.leave != nil {
		l.leave()
	}
	l.ending.Do(func() { close(l.done) })
	l.w.close()
	l.reading.Wait()
}
