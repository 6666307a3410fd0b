package build

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
)

const (
	conduitChunk = 256 << 10
	conduitDepth = 8 // chunks under way: what one side may be ahead of the other
)

// conduit is a pipe with room in it: one goroutine writes, another reads, and neither waits for the other all the time.
type conduit struct {
	full, free chan []byte
	begun      chan struct{} // closed when the reader begins
	gone       chan struct{} // closed when it reads no more
	began      bool
	buf        []byte // being filled
	cur        []byte // being read
	rest       []byte
	ended      bool  // by the writer
	err        error // what the reader gets at the end; valid once full is closed
}

func newConduit() *conduit {
	c := &conduit{full: make(chan []byte, conduitDepth), free: make(chan []byte, conduitDepth), begun: make(chan struct{}), gone: make(chan struct{})}
	for range conduitDepth {
		c.free <- make([]byte, conduitChunk)
	}
	return c
}

// Write implements io.Writer. When the reader is gone it takes everything: whoever reads knows why it went.
func (c *conduit) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if c.buf == nil {
			select {
			case b := <-c.free:
				c.buf = b[:0]
			case <-c.gone:
				return total, nil
			}
		}
		n := min(len(p), conduitChunk-len(c.buf))
		c.buf = append(c.buf, p[:n]...)
		p = p[n:]
		if len(c.buf) == conduitChunk {
			c.flush()
		}
	}
	return total, nil
}

func (c *conduit) flush() {
	if len(c.buf) > 0 {
		c.full <- c.buf // there are no more chunks than places
	}
	c.buf = nil
}

// end gives the reader what is left and then err, or io.EOF.
func (c *conduit) end(err error) {
	c.ended = true
	if c.err = err; err == nil {
		c.err = io.EOF
		c.flush()
	}
	close(c.full)
}

// Read implements io.Reader.
func (c *conduit) Read(p []byte) (int, error) {
	if !c.began {
		c.began = true
		close(c.begun)
	}
	for len(c.rest) == 0 {
		if c.cur != nil {
			c.free <- c.cur
			c.cur = nil
		}
		b, ok := <-c.full
		if !ok {
			return 0, c.err
		}
		c.cur, c.rest = b, b
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// unpacking is a layer that is unpacked while its archive is made.
type unpacking struct {
	*conduit
	done     chan struct{}
	unpacked driver.Unpacked
	err      error
}

// unpackEarly begins to unpack what is written to the answer, on top of parent, if the driver can. It must be ended, and waited for or dropped.
func (s *session) unpackEarly(ctx context.Context, parent digest.Digest) *unpacking {
	early, ok := s.layers.(driver.EarlyLayers)
	if !ok {
		return nil
	}
	u := &unpacking{conduit: newConduit(), done: make(chan struct{})}
	go func() {
		defer close(u.done)
		defer close(u.gone)
		u.unpacked, u.err = early.Begin(ctx, parent, u.conduit)
	}()
	select { // what it keeps on disk is there then, and is found if this process dies
	case <-u.begun:
	case <-u.done:
	}
	return u
}

// wait waits until all that was written is unpacked.
func (u *unpacking) wait() error {
	if u == nil {
		return nil
	}
	<-u.done
	return u.err
}

// drop ends an unpacking that is of no use; failed is why.
func (u *unpacking) drop(failed error) error {
	if u == nil {
		return nil
	}
	if !u.ended {
		u.end(failed)
	}
	if u.wait() != nil {
		return nil // failed ended it, or its own error is known
	}
	return u.unpacked.Close()
}

// install gives the layer l its place in the driver, now or, where it was not unpacked yet, from its archive.
func (s *session) install(ctx context.Context, u *unpacking, l image.Layer, parent digest.Digest) (err error) {
	if u == nil {
		return s.apply(ctx, l, parent)
	}
	if !s.layers.Has(l.ChainID) {
		err = u.unpacked.Install(ctx, l.ChainID, l.DiffID)
	}
	if errors.Is(err, driver.ErrExists) {
		err = nil
	}
	return errors.Join(err, u.unpacked.Close())
}

func (s *session) apply(ctx context.Context, l image.Layer, parent digest.Digest) error {
	if s.layers.Has(l.ChainID) {
		return nil
	}
	f, err := s.blobs.Open(l.Descriptor.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	err = s.layers.Apply(ctx, l.ChainID, parent, l.DiffID, f)
	if err != nil && !errors.Is(err, driver.ErrExists) {
		return fmt.Errorf("unpack layer: %w", err)
	}
	return nil
}
