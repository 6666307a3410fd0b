//go:build !js

package userland

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// standIns are what the interpreter holds as its standard input where that is no file of the operating system. It wants an
// *os.File and copies from anything else through a pipe, reading ahead. So it gets files without a descriptor, which nobody
// reads: every command is given the stream that its input stands for.
type standIns struct {
	mu   sync.Mutex
	made uintptr
	open map[*os.File]io.Reader
}

// noDescriptor is above every descriptor that a kernel gives.
const noDescriptor = 1 << 30

// add gives a stand-in for a stream; closing it closes the stream at the next sweep.
func (s *standIns) add(stream io.Reader) io.ReadWriteCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	f := os.NewFile(noDescriptor+s.made, "input")
	if s.open == nil {
		s.open = map[*os.File]io.Reader{}
	}
	s.open[f] = stream
	return f
}

// behind is the stream that a standard input of the interpreter stands for.
func (s *standIns) behind(stdin any) (io.Reader, bool) {
	f, ok := stdin.(*os.File)
	if !ok {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stream, ok := s.open[f]
	return stream, ok
}

// sweep closes the streams whose stand-ins the interpreter has closed.
func (s *standIns) sweep() {
	s.mu.Lock()
	var over []io.Reader
	for f, stream := range s.open {
		if !errors.Is(f.SetDeadline(time.Time{}), os.ErrNoDeadline) {
			over = append(over, stream)
			delete(s.open, f)
		}
	}
	s.mu.Unlock()
	for _, stream := range over {
		if c, ok := stream.(io.Closer); ok {
			c.Close()
		}
	}
}
