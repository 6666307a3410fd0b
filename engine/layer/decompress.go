package layer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how a stream is compressed.
type Compression string

// The compressions that layers come in.
const (
	None Compression = "none"
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// ErrBomb reports a stream that grows beyond all reason when it is decompressed.
var ErrBomb = errors.New("decompression bomb")

const (
	maxWindow  = 128 << 20 // zstd; the format's own recommendation is to accept 8 MiB, --long=27 needs 128
	bombBytes  = 10 << 30  // a stream may always grow to this ...
	bombFactor = 1000      // ... and beyond only if it is less than a thousand times its compressed form
	readAhead  = 256 << 10
)

// Decompress finds out by the first bytes of r how it is compressed, and returns the plain stream. Closing that stream
// frees the decompressor, not r. A stream that grows more than a thousandfold beyond 10 GiB ends in ErrBomb.
func Decompress(r io.Reader) (io.ReadCloser, Compression, error) {
	return decompress(r, bombBytes)
}

func decompress(r io.Reader, allowance int64) (io.ReadCloser, Compression, error) {
	in := &counter{r: r}
	head := bufio.NewReaderSize(in, readAhead)
	kind, err := sniff(head)
	if err != nil {
		return nil, "", fmt.Errorf("detect compression: %w", err)
	}
	switch kind {
	case Gzip:
		z, err := gzip.NewReader(head)
		if err != nil {
			return nil, "", fmt.Errorf("read gzip: %w", err)
		}
		return &guarded{src: z, in: in, allowance: allowance, kind: kind, close: z.Close}, kind, nil
	case Zstd:
		z, err := zstd.NewReader(head, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, "", fmt.Errorf("read zstd: %w", err)
		}
		return &guarded{src: z, in: in, allowance: allowance, kind: kind, close: func() error { z.Close(); return nil }}, kind, nil
	}
	return io.NopCloser(head), None, nil
}

func sniff(head *bufio.Reader) (Compression, error) {
	magic, err := head.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return Gzip, nil
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18}): // skippable frame
		return Zstd, nil
	}
	return None, nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// seeking is a counter of a source that can pass over bytes; they count as read.
type seeking struct {
	*counter
	s io.Seeker
}

func (k *seeking) Seek(offset int64, whence int) (int64, error) {
	at, err := k.s.Seek(offset, whence)
	if err == nil && whence == io.SeekCurrent {
		k.n += offset
	}
	return at, err
}

// guarded is a decompressed stream that stops at a bomb and says which decompressor an error came from.
type guarded struct {
	src       io.Reader
	in        *counter
	out       int64
	allowance int64
	kind      Compression
	close     func() error
}

func (g *guarded) Read(p []byte) (int, error) {
	n, err := g.src.Read(p)
	g.out += int64(n)
	if g.out > g.allowance && g.out/bombFactor > g.in.n {
		return 0, fmt.Errorf("read %s: %d bytes came out of %d: %w", g.kind, g.out, g.in.n, ErrBomb)
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read %s: %w", g.kind, err)
	}
	return n, err
}

func (g *guarded) Close() error { return g.close() }
