package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The layout of Berkeley DB's hash (db, dbinc/db_page.h).
const (
	hashMagic = 0x061561

	pageHead       = 26 // bytes before the index of a page
	pageHashOld    = 2
	pageHash       = 13
	pageOverflow   = 7
	entryKeyData   = 1
	entryOffPage   = 3
	offPageEntry   = 12
	minHashPage    = 512
	maxHashPage    = 64 << 10
	smallestHeader = 16 // bytes; the entry with key 0 is a counter and shorter
)

// isHash looks for the magic number, in either order of bytes.
func isHash(head []byte) bool {
	return len(head) >= 16 && (binary.LittleEndian.Uint32(head[12:]) == hashMagic || binary.BigEndian.Uint32(head[12:]) == hashMagic)
}

// hashDB is a hash under way.
type hashDB struct {
	File
	order binary.ByteOrder
	page  int64 // bytes of one
	last  int64 // number of the last
	left  int64 // overflow pages that may still be read: a chain may not go in circles, nor may many share one
}

// readHash goes through all pages of the hash. Keys and values alternate; a value that is too long for its page is a chain of pages.
func readHash(db File, visit func([]byte) error) error {
	meta, err := db.bytes(0, 72)
	if err != nil {
		return fmt.Errorf("read hash: %w", err)
	}
	h := &hashDB{File: db, order: binary.LittleEndian}
	if binary.BigEndian.Uint32(meta[12:]) == hashMagic {
		h.order = binary.BigEndian
	}
	h.page = int64(h.order.Uint32(meta[20:]))
	if h.page < minHashPage || h.page > maxHashPage || h.page&(h.page-1) != 0 {
		return fmt.Errorf("read hash: pages of %d bytes can't be", h.page)
	}
	if meta[24] != 0 {
		return errors.New("read hash: it is encrypted")
	}
	h.last = min(int64(h.order.Uint32(meta[32:])), db.Size/h.page-1)
	h.left = db.Size / h.page
	for n := int64(1); n <= h.last; n++ {
		if err := h.readPage(n, visit); err != nil {
			return fmt.Errorf("read hash: page %d: %w", n, err)
		}
	}
	return nil
}

func (h *hashDB) readPage(n int64, visit func([]byte) error) error {
	p, err := h.bytes(n*h.page, h.page)
	if err != nil || p[25] != pageHash && p[25] != pageHashOld {
		return err
	}
	entries := int(h.order.Uint16(p[20:]))
	if pageHead+2*entries > len(p) {
		return fmt.Errorf("%d entries don't fit", entries)
	}
	for i := 1; i < entries; i += 2 {
		blob, err := h.value(p, i)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if len(blob) < smallestHeader {
			continue
		}
		if err := visit(blob); err != nil {
			return err
		}
	}
	return nil
}

// value is the entry i of page p: on the page, up to where the one before begins, or elsewhere.
func (h *hashDB) value(p []byte, i int) ([]byte, error) {
	begin, end := int(h.order.Uint16(p[pageHead+2*i:])), int(h.order.Uint16(p[pageHead+2*i-2:]))
	if begin < pageHead || begin >= end || end > len(p) {
		return nil, fmt.Errorf("it goes from %d to %d of a page of %d bytes", begin, end, len(p))
	}
	switch p[begin] {
	case entryKeyData:
		return p[begin+1 : end], nil
	case entryOffPage:
		if end-begin < offPageEntry {
			return nil, errors.New("it is cut off")
		}
		return h.chain(int64(h.order.Uint32(p[begin+4:])), int64(h.order.Uint32(p[begin+8:])))
	}
	return nil, fmt.Errorf("it is of type %d, expected a value", p[begin])
}

// chain reads a value of size bytes that begins on page n.
func (h *hashDB) chain(n, size int64) ([]byte, error) {
	if size > MaxBlob || size > h.Size {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", size, min(MaxBlob, h.Size))
	}
	var value []byte
	for int64(len(value)) < size {
		if h.left--; n < 1 || n > h.last || h.left < 0 {
			return nil, fmt.Errorf("its chain of pages ends after %d of %d bytes", len(value), size)
		}
		p, err := h.bytes(n*h.page, h.page)
		if err != nil {
			return nil, err
		}
		length := int64(h.order.Uint16(p[22:]))
		if p[25] != pageOverflow || length == 0 || pageHead+length > h.page {
			return nil, fmt.Errorf("page %d is no part of a chain", n)
		}
		value = append(value, p[pageHead:pageHead+length]...)
		n = int64(h.order.Uint32(p[16:]))
	}
	return value[:size], nil
}
