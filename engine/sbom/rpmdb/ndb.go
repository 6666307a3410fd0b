package rpmdb

import (
	"encoding/binary"
	"fmt"
)

// The layout of rpm's own database (rpm, lib/backend/ndb/rpmpkg.c); all little-endian.
const (
	ndbSlot      = 16 // bytes of a slot; the header takes the place of the first two
	ndbHeader    = 32
	ndbPage      = 4096
	ndbBlock     = 16
	ndbBlobHead  = 16
	ndbBlobTail  = 12
	ndbMaxSlots  = 1 << 22
	ndbMagicSlot = "Slot"
	ndbMagicBlob = "BlbS"
)

// readNDB goes through the slots, each of which says where a package's header is.
func readNDB(db File, visit func([]byte) error) error {
	head, err := db.bytes(0, ndbHeader)
	if err != nil {
		return fmt.Errorf("read ndb header: %w", err)
	}
	if version := binary.LittleEndian.Uint32(head[4:]); version != 0 {
		return fmt.Errorf("read ndb header: version %d, expected 0", version)
	}
	pages := int64(binary.LittleEndian.Uint32(head[12:]))
	if pages == 0 || pages*ndbPage > db.Size || pages*ndbPage/ndbSlot > ndbMaxSlots {
		return fmt.Errorf("read ndb header: %d pages of slots in a file of %d bytes", pages, db.Size)
	}
	slots, err := db.bytes(ndbHeader, pages*ndbPage-ndbHeader)
	if err != nil {
		return fmt.Errorf("read ndb slots: %w", err)
	}
	for i := 0; len(slots) > 0; i, slots = i+1, slots[ndbSlot:] {
		number, block := binary.LittleEndian.Uint32(slots[4:]), binary.LittleEndian.Uint32(slots[8:])
		if string(slots[:4]) != ndbMagicSlot {
			return fmt.Errorf("read ndb slot %d: it doesn't begin with %q", i, ndbMagicSlot)
		}
		if block == 0 {
			continue
		}
		blob, err := ndbBlob(db, number, block)
		if err != nil {
			return fmt.Errorf("read ndb package %d: %w", number, err)
		}
		if err := visit(blob); err != nil {
			return err
		}
	}
	return nil
}

func ndbBlob(db File, number, block uint32) ([]byte, error) {
	off := int64(block) * ndbBlock
	head, err := db.bytes(off, ndbBlobHead)
	if err != nil {
		return nil, err
	}
	if string(head[:4]) != ndbMagicBlob || binary.LittleEndian.Uint32(head[4:]) != number {
		return nil, fmt.Errorf("at %d is not its header", off)
	}
	size := int64(binary.LittleEndian.Uint32(head[12:]))
	if size > MaxBlob {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", size, MaxBlob)
	}
	return db.bytes(off+ndbBlobHead, size)
}
