package layer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader reads the container of .xz files (tukaani.org/xz/xz-file-format.txt, version 1.2.1); the data in it is decoded by package lzma. The
// container is read here because its blocks say how much memory they want, which is refused beyond a bound.
type xzReader struct {
	in     *counter // all of it, for the sizes that the index repeats
	head   *bufio.Reader
	window int64

	newCheck func() hash.Hash // of the stream under way
	flags    [2]byte
	seen     *xzIndex
	block    *xzBlock // nil between blocks
	err      error
}

// xzBlock is the block under way.
type xzBlock struct {
	data         io.Reader
	begun        int64 // where its header began
	header       int64
	check        hash.Hash
	out          int64
	packed, size int64 // as its header says; -1: it does not
}

// xzIndex is what the index at a stream's end has to repeat: a digest instead of a list, so that many small blocks take no memory.
type xzIndex struct {
	blocks uint64
	sum    hash.Hash
}

func (x *xzIndex) add(unpadded, size int64) {
	x.blocks++
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], uint64(unpadded))
	binary.LittleEndian.PutUint64(b[8:], uint64(size))
	x.sum.Write(b[:])
}

var (
	xzMagic  = []byte("\xfd7zXZ\x00")
	xzFooter = []byte("YZ")

	errXzFormat = errors.New("the file is damaged: its structure is not that of xz")
	errXzSum    = errors.New("the file is damaged: a checksum differs")
)

func newXzReader(r io.Reader, window int64) (*xzReader, error) {
	x := &xzReader{in: &counter{r: r}, window: window}
	x.head = bufio.NewReaderSize(x.in, 64<<10)
	magic := make([]byte, len(xzMagic))
	if err := x.full(magic); err != nil {
		return nil, err
	}
	return x, x.stream(magic)
}

// at is how much has been taken from the input.
func (x *xzReader) at() int64 { return x.in.n - int64(x.head.Buffered()) }

func (x *xzReader) full(p []byte) error {
	_, err := io.ReadFull(x.head, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// stream reads the rest of a stream's header after its magic number.
func (x *xzReader) stream(magic []byte) error {
	var h [6]byte
	if err := x.full(h[:]); err != nil {
		return err
	}
	if !bytes.Equal(magic, xzMagic) || h[0] != 0 {
		return errXzFormat
	}
	if crc32.ChecksumIEEE(h[:2]) != binary.LittleEndian.Uint32(h[2:]) {
		return errXzSum
	}
	x.flags = [2]byte{h[0], h[1]}
	switch h[1] {
	case 0:
		x.newCheck = nil
	case 1:
		x.newCheck = func() hash.Hash { return crc32.NewIEEE() }
	case 4:
		x.newCheck = func() hash.Hash { return crc64.New(crc64.MakeTable(crc64.ECMA)) }
	case 10:
		x.newCheck = sha256.New
	default:
		return fmt.Errorf("checksum type %d is not known: compress again with xz --check=crc64", h[1])
	}
	x.seen = &xzIndex{sum: sha256.New()}
	return nil
}

func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil {
		if x.block == nil {
			x.err = x.next()
			continue
		}
		n, err := x.block.data.Read(p)
		x.block.out += int64(n)
		if x.block.check != nil {
			x.block.check.Write(p[:n])
		}
		if size := x.block.size; size >= 0 && x.block.out > size {
			x.err = errXzFormat
		}
		if err == io.EOF {
			x.err = x.endBlock()
		} else if err != nil {
			x.err = err
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, x.err
}

// next begins a block, or reads the end of the stream and what follows.
func (x *xzReader) next() error {
	begun := x.at()
	first, err := x.head.ReadByte()
	if err != nil {
		return unexpected(err)
	}
	if first != 0 {
		return x.startBlock(begun, first)
	}
	if err := x.index(begun); err != nil {
		return err
	}
	return x.following()
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// startBlock reads a block's header (section 3.1). size is its first byte.
func (x *xzReader) startBlock(begun int64, size byte) error {
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if err := x.full(h[1:]); err != nil {
		return err
	}
	body := h[:len(h)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(h[len(body):]) {
		return errXzSum
	}
	b := &xzBlock{begun: begun, header: int64(len(h)), packed: -1, size: -1}
	window, err := b.parse(body[1:])
	if err != nil {
		return err
	}
	if window > x.window {
		return fmt.Errorf("the decompressor is asked for %d bytes of memory, more than %d: compress again with a smaller dictionary: %w", window, x.window, ErrBomb)
	}
	if b.data, err = (lzma.Reader2Config{DictCap: int(max(window, lzma.MinDictCap))}).NewReader2(x.head); err != nil {
		return err
	}
	if x.newCheck != nil {
		b.check = x.newCheck()
	}
	x.block = b
	return nil
}

// parse takes flags, sizes and filters, and returns the dictionary's size in bytes. LZMA2 must be the only filter.
func (b *xzBlock) parse(h []byte) (window int64, err error) {
	flags, r := h[0], bytes.NewReader(h[1:])
	if flags&0x3c != 0 {
		return 0, errXzFormat
	}
	if flags&3 != 0 {
		return 0, errors.New("filters for programs (BCJ, delta) are not supported: compress again without them")
	}
	for _, size := range []struct {
		bit byte
		to  *int64
	}{{0x40, &b.packed}, {0x80, &b.size}} {
		if flags&size.bit == 0 {
			continue
		}
		v, err := binary.ReadUvarint(r)
		if err != nil || v > 1<<62 {
			return 0, errXzFormat
		}
		*size.to = int64(v)
	}
	var filter [3]byte
	if _, err := io.ReadFull(r, filter[:]); err != nil {
		return 0, errXzFormat
	}
	if filter[0] != 0x21 || filter[1] != 1 {
		return 0, fmt.Errorf("filter %#x is not supported: compress again with LZMA2 only", filter[0])
	}
	for r.Len() > 0 {
		if pad, _ := r.ReadByte(); pad != 0 {
			return 0, errXzFormat
		}
	}
	window, err = lzma.DecodeDictCap(filter[2])
	return window, err
}

// endBlock checks a block that has given all its data.
func (x *xzReader) endBlock() error {
	b := x.block
	x.block = nil
	packed := x.at() - b.begun - b.header
	if b.packed >= 0 && b.packed != packed || b.size >= 0 && b.size != b.out {
		return errXzFormat
	}
	if err := x.padding(packed); err != nil {
		return err
	}
	sum := int64(0)
	if b.check != nil {
		want := b.check.Sum(nil)
		if sum = int64(len(want)); len(want) == 4 || len(want) == 8 {
			reverse(want) // CRCs are stored with their last byte first
		}
		got := make([]byte, len(want))
		if err := x.full(got); err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return errXzSum
		}
	}
	x.seen.add(b.header+packed+sum, b.out)
	return nil
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// padding reads the zeros that fill n bytes up to a multiple of four.
func (x *xzReader) padding(n int64) error {
	var pad [3]byte
	p := pad[:(4-n%4)%4]
	if err := x.full(p); err != nil {
		return err
	}
	if pad != [3]byte{} {
		return errXzFormat
	}
	return nil
}
