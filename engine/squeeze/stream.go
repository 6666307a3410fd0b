package squeeze

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// Version names what makes the bytes: others with another version may have compressed the same input to others.
const Version = 1

// Kind is a form of compression.
type Kind string

// The kinds.
const (
	Gzip Kind = "gzip"
	Zstd Kind = "zstd"
)

// Options say how to compress. The zero value is gzip of the usual level.
type Options struct {
	Kind    Kind
	Level   int // gzip 1 to 9, zstd 1 to 22; 0: the usual
	Workers int // at once; 0: as many as there are processors
}

const (
	blockSize  = 1 << 20
	maxWorkers = 8
)

// codec makes the pieces of a stream. Each is used by one goroutine; what block gives depends on src alone.
type codec interface {
	block(dst, src []byte) ([]byte, error)
}

// Stream is the compressed form of what it reads. It is for one goroutine and must be closed.
type Stream struct {
	cancel  context.CancelFunc
	done    sync.WaitGroup
	pieces  chan *piece // in the order of the input
	free    chan *piece
	left    []byte // of the piece that is being handed out
	current *piece
	frame   frame
	err     error
}

// piece is one block on its way: filled, then compressed.
type piece struct {
	in, out []byte
	err     error
	ready   chan struct{}
}

// New begins to compress r, which is read ahead of what is asked for, by one goroutine that ends before Close does. r's errors come out in
// their place.
func New(r io.Reader, o Options) (*Stream, error) {
	if o.Kind == "" {
		o.Kind = Gzip
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = min(workers, maxWorkers)
	codecs := make([]codec, workers)
	for i := range codecs {
		c, err := newCodec(o)
		if err != nil {
			return nil, err
		}
		codecs[i] = c
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Stream{cancel: cancel, pieces: make(chan *piece, workers+4), free: make(chan *piece, workers+2), frame: newFrame(o.Kind)}
	for range cap(s.free) {
		s.free <- &piece{}
	}
	s.left = s.frame.head()
	work := make(chan *piece)
	for _, c := range codecs {
		s.done.Go(func() { compress(c, work) })
	}
	s.done.Go(func() { s.fill(ctx, r, work) })
	return s, nil
}

func newCodec(o Options) (codec, error) {
	switch o.Kind {
	case Gzip:
		return newDeflate(o.Level)
	case Zstd:
		return newZstd(o.Level)
	}
	return nil, fmt.Errorf("compression is %q, expected gzip or zstd", o.Kind)
}

// compress does the work of one processor.
func compress(c codec, work <-chan *piece) {
	for p := range work {
		p.out, p.err = c.block(p.out[:0], p.in)
		close(p.ready)
	}
}

// fill cuts r into blocks, and hands each to whoever is free and, in their order, to the reader.
func (s *Stream) fill(ctx context.Context, r io.Reader, work chan<- *piece) {
	defer close(work)
	defer close(s.pieces)
	for {
		var p *piece
		select {
		case p = <-s.free:
		case <-ctx.Done():
			return
		}
		if p.in == nil {
			p.in = make([]byte, blockSize)
		}
		n, err := io.ReadFull(r, p.in[:blockSize])
		p.in, p.ready = p.in[:n], make(chan struct{})
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if n > 0 {
			s.frame.saw(p.in)
			s.pieces <- p // there is room for all pieces
			select {
			case work <- p:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			if !last {
				s.fail(err)
			}
			return
		}
	}
}

// fail puts an error of the input in its place.
func (s *Stream) fail(err error) {
	p := &piece{err: err, ready: make(chan struct{})}
	close(p.ready)
	s.pieces <- p
}

// Read implements io.Reader.
func (s *Stream) Read(b []byte) (int, error) {
	for len(s.left) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.next()
	}
	n := copy(b, s.left)
	s.left = s.left[n:]
	return n, nil
}

// next takes up the piece after the current one, or the end.
func (s *Stream) next() {
	if s.current != nil {
		s.free <- s.current
		s.current = nil
	}
	p, ok := <-s.pieces
	if !ok {
		s.left, s.err = s.frame.tail(), io.EOF
		return
	}
	<-p.ready
	if p.err != nil {
		s.err = p.err
		return
	}
	s.left, s.current = p.out, p
}

// Close ends the work, also where not all was read, and waits for it. It does not close what the Stream reads.
func (s *Stream) Close() error {
	s.cancel()
	s.done.Wait()
	if s.err == nil || s.err == io.EOF {
		s.err = io.ErrClosedPipe
	}
	s.left = nil
	return nil
}
