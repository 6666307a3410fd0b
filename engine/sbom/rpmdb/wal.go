package rpmdb

import (
	"encoding/binary"
	"fmt"
)

const (
	walHeader = 32
	walFrame  = 24
	walMagic  = 0x377f0682 // the last bit says that checksums are big-endian
)

// readLog takes over the pages of a write-ahead log up to the last transaction that was committed. As SQLite does, it stops at the first
// frame whose salt or checksum is not right: that is an older transaction, or one that was not finished.
func (s *sqlite) readLog(wal File) error {
	if wal.Size < walHeader {
		return nil
	}
	head, err := wal.bytes(0, walHeader)
	if err != nil {
		return err
	}
	magic := binary.BigEndian.Uint32(head)
	if magic&^1 != walMagic || int64(binary.BigEndian.Uint32(head[8:])) != s.page {
		return fmt.Errorf("it begins with %x and has pages of %d bytes", magic, binary.BigEndian.Uint32(head[8:]))
	}
	var order binary.ByteOrder = binary.LittleEndian
	if magic&1 != 0 {
		order = binary.BigEndian
	}
	sum := walSum(order, [2]uint32{}, head[:24])
	if sum != sumAt(head[24:]) {
		return nil
	}
	open := map[int64]int64{} // where pages of the transaction under way are
	whole := map[int64]int64{}
	for off := int64(walHeader); off+walFrame+s.page <= wal.Size; off += walFrame + s.page {
		frame, err := wal.bytes(off, walFrame+s.page)
		if err != nil {
			return err
		}
		sum = walSum(order, walSum(order, sum, frame[:8]), frame[walFrame:])
		if string(frame[8:16]) != string(head[16:24]) || sum != sumAt(frame[16:]) {
			break
		}
		open[int64(binary.BigEndian.Uint32(frame))] = off + walFrame
		if pages := int64(binary.BigEndian.Uint32(frame[4:])); pages > 0 {
			for n, at := range open {
				whole[n] = at
			}
			clear(open)
			s.pages = min(pages, s.Size/s.page+int64(len(whole)))
		}
	}
	s.wal, s.log = wal, whole
	return nil
}

func sumAt(b []byte) [2]uint32 {
	return [2]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// walSum goes on with a checksum; b has a multiple of 8 bytes.
func walSum(order binary.ByteOrder, s [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}
