package layer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how a stream is compressed.
type Compression string

// The compressions that layers come in, and those that only other archives come in.
const (
	None  Compression = "none"
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
	Bzip2 Compression = "bzip2"
	Xz    Compression = "xz"
)

// ErrBomb reports a stream that grows beyond all reason when it is decompressed.
var ErrBomb = errors.New("decompression bomb")

const (
	maxWindow  = 128 << 20 // zstd and xz; zstd's own recommendation is to accept 8 MiB, --long=27 needs 128; xz -9 needs 64
	bombBytes  = 10 << 30  // a stream may always grow to this ...
	bombFactor = 1000      // ... and beyond only if it is less than a thousand times its compressed form
	// A layer comes from anybody, and gzip can't do more than 1030-fold: 10 MB would be 10 GB within the bounds above. What programs and
	// texts are made of shrinks to a hundredth at best, so that beyond a gigabyte only runs of one byte are refused.
	layerBytes  = 1 << 30
	layerFactor = 500
	readAhead   = 256 << 10
)

// Decompress finds out by the first bytes of r how it is compressed, and returns the plain stream. Closing that stream
// frees the decompressor, not r. A stream that grows more than a thousandfold beyond 10 GiB, or wants more than 128 MiB of
// memory to be decompressed, ends in ErrBomb. All decompressors are part of this program: none is ever looked up on the machine.
func Decompress(r io.Reader) (io.ReadCloser, Compression, error) {
	return decompress(r, bombBytes)
}

// DecompressLayer is Decompress for the layers of images, which are plain, gzip or zstd (image-spec, layer.md) and nothing else. ErrBomb comes
// sooner: beyond 1 GiB a layer may be at most five hundred times its compressed form.
func DecompressLayer(r io.Reader) (io.ReadCloser, Compression, error) {
	plain, kind, err := decompress(r, layerBytes)
	if g, ok := plain.(*guarded); ok {
		g.factor = layerFactor
	}
	if err == nil && (kind == Bzip2 || kind == Xz) {
		_ = plain.Close()
		return nil, "", fmt.Errorf("a layer of an image can't be compressed with %s: only gzip and zstd can: decompress it first", kind)
	}
	return plain, kind, err
}

func decompress(r io.Reader, allowance int64) (io.ReadCloser, Compression, error) {
	in := &counter{r: r}
	head := bufio.NewReaderSize(in, readAhead)
	kind, err := sniff(head)
	if err != nil {
		return nil, "", fmt.Errorf("detect compression: %w", err)
	}
	g := &guarded{in: in, allowance: allowance, factor: bombFactor, kind: kind, close: func() error { return nil }}
	switch kind {
	case None:
		return io.NopCloser(head), None, nil
	case Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(head); err == nil {
			g.src, g.close = z, z.Close
		}
	case Zstd:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(head, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			g.src, g.close = z, func() error { z.Close(); return nil }
		}
	case Bzip2:
		g.src = bzip2.NewReader(head)
	case Xz:
		g.src, err = newXzReader(head, maxWindow)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", kind, err)
	}
	return g, kind, nil
}

func sniff(head *bufio.Reader) (Compression, error) {
	magic, err := head.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return Sniff(magic), nil
}

// Sniff tells by the first bytes of a stream, of which it wants ten, how the stream is compressed.
func Sniff(magic []byte) Compression {
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		len(magic) >= 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18}): // skippable frame
		return Zstd
	case bytes.HasPrefix(magic, xzMagic):
		return Xz
	case len(magic) >= 10 && bytes.HasPrefix(magic, []byte("BZh")) && (bytes.Equal(magic[4:10], bzipBlock) || bytes.Equal(magic[4:10], bzipEnd)):
		return Bzip2
	}
	return None
}

// What follows the four bytes of bzip2's header: a block, or the end of a stream without one. A file that merely begins with "BZh" is no archive.
var (
	bzipBlock = []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59}
	bzipEnd   = []byte{0x17, 0x72, 0x45, 0x38, 0x50, 0x90}
)

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
	factor    int64
	kind      Compression
	close     func() error
}

func (g *guarded) Read(p []byte) (int, error) {
	n, err := g.src.Read(p)
	g.out += int64(n)
	if g.out > g.allowance && g.out/g.factor > g.in.n {
		return 0, fmt.Errorf("read %s: %d bytes came out of %d: %w", g.kind, g.out, g.in.n, ErrBomb)
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read %s: %w", g.kind, err)
	}
	return n, err
}

func (g *guarded) Close() error { return g.close() }
