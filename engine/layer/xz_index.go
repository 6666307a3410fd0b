package layer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
)

// summing hashes what is read through it byte by byte.
type summing struct {
	r   io.ByteReader
	sum hash.Hash32
}

func (s summing) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.sum.Write([]byte{b})
	}
	return b, unexpected(err)
}

// index reads a stream's index after its first byte, and the footer (sections 4 and 2.1.2), and compares them with the blocks that there were.
func (x *xzReader) index(begun int64) error {
	r := summing{x.head, crc32.NewIEEE()}
	r.sum.Write([]byte{0})
	blocks, err := binary.ReadUvarint(r)
	if err != nil {
		return err
	}
	if blocks != x.seen.blocks {
		return errXzFormat
	}
	said := &xzIndex{sum: sha256.New()}
	for range blocks {
		unpadded, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		size, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		said.add(int64(unpadded), int64(size))
	}
	if !bytes.Equal(said.sum.Sum(nil), x.seen.sum.Sum(nil)) {
		return errXzFormat
	}
	for (x.at()-begun)%4 != 0 {
		if b, err := r.ReadByte(); err != nil || b != 0 {
			return orFormat(err)
		}
	}
	want := r.sum.Sum32()
	var sum [4]byte
	if err := x.full(sum[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(sum[:]) != want {
		return errXzSum
	}
	return x.footer(x.at() - begun)
}

func orFormat(err error) error {
	if err == nil {
		return errXzFormat
	}
	return err
}

// footer reads the end of a stream whose index has so many bytes.
func (x *xzReader) footer(index int64) error {
	var f [12]byte
	if err := x.full(f[:]); err != nil {
		return err
	}
	if crc32.ChecksumIEEE(f[4:10]) != binary.LittleEndian.Uint32(f[:4]) {
		return errXzSum
	}
	if (int64(binary.LittleEndian.Uint32(f[4:8]))+1)*4 != index || !bytes.Equal(f[8:10], x.flags[:]) || !bytes.Equal(f[10:], xzFooter) {
		return errXzFormat
	}
	return nil
}

// following skips zeros after a stream, in fours (section 2.2), and begins the next stream if there is one.
func (x *xzReader) following() error {
	for {
		var word [4]byte
		switch _, err := io.ReadFull(x.head, word[:]); {
		case err == io.EOF:
			return io.EOF
		case err != nil:
			return err
		case word == [4]byte{}:
			continue
		}
		magic := make([]byte, len(xzMagic))
		copy(magic, word[:])
		if err := x.full(magic[len(word):]); err != nil {
			return err
		}
		return x.stream(magic)
	}
}
