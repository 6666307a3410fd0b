package tree

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
)

const (
	chunkBytes = 256 << 10
	chunkCount = 4
)

// hashedStream reads a source ahead and hashes it in a goroutine of its own, so that decompressing and hashing go on while
// files are written. It must be closed; closing waits for the goroutine.
type hashedStream struct {
	full, free chan []byte
	stop       chan struct{}
	cur, rest  []byte // the chunk being read, and what is left of it
	hash       hash.Hash
	err        error // why the source ended; valid once full is closed
}

func newHashedStream(ctx context.Context, src io.Reader) *hashedStream {
	s := &hashedStream{
		full: make(chan []byte, chunkCount), free: make(chan []byte, chunkCount), stop: make(chan struct{}), hash: sha256.New(),
	}
	for range chunkCount {
		s.free <- make([]byte, chunkBytes)
	}
	go s.produce(ctx, src)
	return s
}

func (s *hashedStream) produce(ctx context.Context, src io.Reader) {
	defer close(s.full)
	for s.err == nil {
		var buf []byte
		select {
		case buf = <-s.free:
		case <-s.stop:
			s.err = io.ErrClosedPipe
			return
		}
		if s.err = ctx.Err(); s.err != nil {
			return
		}
		n, err := io.ReadFull(src, buf[:chunkBytes])
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		s.err = err
		s.hash.Write(buf[:n])
		s.full <- buf[:n] // never blocks: there are no more chunks than places
	}
}

func (s *hashedStream) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.cur != nil {
			s.free <- s.cur
			s.cur = nil
		}
		chunk, ok := <-s.full
		if !ok {
			return 0, s.err
		}
		s.cur, s.rest = chunk, chunk
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// digest is the digest of the whole source. It may be asked once Read has returned io.EOF.
func (s *hashedStream) digest() digest.Digest {
	return digest.NewDigest(digest.SHA256, s.hash)
}

func (s *hashedStream) close() {
	close(s.stop)
	for range s.full {
	}
}
