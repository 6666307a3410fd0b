package squeeze

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

// frame is what stands around the pieces.
type frame interface {
	head() []byte
	saw(block []byte) // called for each block in its order
	tail() []byte
}

func newFrame(k Kind) frame {
	if k == Gzip {
		return &member{}
	}
	return bare{}
}

// bare is for pieces that stand by themselves.
type bare struct{}

func (bare) head() []byte { return nil }
func (bare) saw([]byte)   {}
func (bare) tail() []byte { return nil }

// member is the one member of a gzip stream. It names no file, time or system.
type member struct {
	sum  uint32
	size uint32 // modulo 2^32, as RFC 1952 has it
}

func (*member) head() []byte { return []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255} }

func (m *member) saw(block []byte) {
	m.sum = crc32.Update(m.sum, crc32.IEEETable, block)
	m.size += uint32(len(block))
}

// tail is the last, empty block of deflate (fixed codes, end of block), and the sums.
func (m *member) tail() []byte {
	t := []byte{0x03, 0x00}
	t = binary.LittleEndian.AppendUint32(t, m.sum)
	return binary.LittleEndian.AppendUint32(t, m.size)
}

// usualGzip makes the files of a distribution 8 % larger than gzip -6 does, in a fifth of its time and two thirds of what the next levels take.
const usualGzip = 4

type deflate struct {
	w   *flate.Writer
	buf bytes.Buffer
}

func newDeflate(level int) (codec, error) {
	if level == 0 {
		level = usualGzip
	}
	if level < 1 || level > 9 {
		return nil, fmt.Errorf("level of gzip is %d, expected 1 to 9", level)
	}
	w, err := flate.NewWriter(nil, level)
	return &deflate{w: w}, err
}

// block compresses src up to a byte boundary (an empty stored block), without the mark of the last block.
func (d *deflate) block(dst, src []byte) ([]byte, error) {
	if dense(src) {
		return stored(dst, src), nil
	}
	d.buf = *bytes.NewBuffer(dst)
	d.w.Reset(&d.buf)
	if _, err := d.w.Write(src); err != nil {
		return nil, err
	}
	if err := d.w.Flush(); err != nil {
		return nil, err
	}
	out := d.buf.Bytes()
	if len(out) > len(src) {
		return stored(out[:0], src), nil
	}
	return out, nil
}

const maxStored = 0xffff

// stored puts src into stored blocks (RFC 1951 3.2.4).
func stored(dst, src []byte) []byte {
	for len(src) > 0 {
		n := min(len(src), maxStored)
		dst = append(dst, 0, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		dst = append(dst, src[:n]...)
		src = src[n:]
	}
	return dst
}

// dense reports that a block looks like noise: what is compressed or encrypted already. Of samples all over the block it takes how often
// each byte occurs: in noise all occur alike (chi square below twice its degrees of freedom, which no text or program is near to).
func dense(src []byte) bool {
	const sample, step = 1 << 10, 16 << 10
	if len(src) < 4*step {
		return false
	}
	var seen [256]int
	total := 0
	for at := 0; at+sample <= len(src); at += step {
		for _, b := range src[at : at+sample] {
			seen[b]++
		}
		total += sample
	}
	expected, chi := float64(total)/256, 0.0
	for _, n := range seen {
		chi += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	return chi < 2*255
}

// frames compresses each block to a zstd frame.
type frames struct{ w *zstd.Encoder }

func newZstd(level int) (codec, error) {
	if level < 0 || level > 22 {
		return nil, fmt.Errorf("level of zstd is %d, expected 1 to 22", level)
	}
	if level == 0 {
		level = 3
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)))
	return frames{w}, err
}

func (f frames) block(dst, src []byte) ([]byte, error) { return f.w.EncodeAll(src, dst), nil }
