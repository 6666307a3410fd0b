package layer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
)

const (
	chunkBytes = 256 << 10
	chunkCount = 4
)

// Verified is an archive that is checked while it is read: a goroutine of its own reads the source ahead and hashes it, so that decompressing
// and hashing go on while files are written. It must be closed.
type Verified struct {
	full, free chan []byte
	stop       chan struct{}
	cur, rest  []byte // the chunk being read, and what is left of it
	hash       hash.Hash
	err        error // why the source ended; valid once full is closed
}

// NewVerified reads the uncompressed archive src; ctx ends the reading.
func NewVerified(ctx context.Context, src io.Reader) *Verified {
	v := &Verified{full: make(chan []byte, chunkCount), free: make(chan []byte, chunkCount), stop: make(chan struct{}), hash: sha256.New()}
	for range chunkCount {
		v.free <- make([]byte, chunkBytes)
	}
	go v.produce(ctx, src)
	return v
}

func (v *Verified) produce(ctx context.Context, src io.Reader) {
	defer close(v.full)
	for v.err == nil {
		var buf []byte
		select {
		case buf = <-v.free:
		case <-v.stop:
			v.err = io.ErrClosedPipe
			return
		}
		if v.err = ctx.Err(); v.err != nil {
			return
		}
		n, err := io.ReadFull(src, buf[:chunkBytes])
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		v.err = err
		v.hash.Write(buf[:n])
		v.full <- buf[:n] // never blocks: there are no more chunks than places
	}
}

// Read gives the source's bytes, and its error when it has no more.
func (v *Verified) Read(p []byte) (int, error) {
	for len(v.rest) == 0 {
		if v.cur != nil {
			v.free <- v.cur
			v.cur = nil
		}
		chunk, ok := <-v.full
		if !ok {
			return 0, v.err
		}
		v.cur, v.rest = chunk, chunk
	}
	n := copy(p, v.rest)
	v.rest = v.rest[n:]
	return n, nil
}

// Check compares the digest of the whole source with what it should be. It may be asked once Read has returned io.EOF.
func (v *Verified) Check(want digest.Digest) error {
	if got := digest.NewDigest(digest.SHA256, v.hash); got != want {
		return fmt.Errorf("archive has digest %s, expected %s: it was changed or cut off", got, want)
	}
	return nil
}

// Close ends the reading ahead and waits for its goroutine, which may be waiting for the source.
func (v *Verified) Close() {
	close(v.stop)
	for range v.full {
	}
}
