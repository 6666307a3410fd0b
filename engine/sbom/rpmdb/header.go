package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Header is what is read of a package's header (rpm, docs/manual/format_header.md).
type Header struct {
	Name, Version, Release, Arch string
	Epoch                        int
	HasEpoch                     bool
	License, Vendor, SourceRPM   string
}

// The tags and types that are read.
const (
	tagName      = 1000
	tagVersion   = 1001
	tagRelease   = 1002
	tagEpoch     = 1003
	tagVendor    = 1011
	tagLicense   = 1014
	tagArch      = 1022
	tagSourceRPM = 1044

	typeInt32      = 4
	typeString     = 6
	typeI18NString = 9

	entrySize  = 16
	maxEntries = 65_536
)

// ParseHeader reads a header as a database has it: number of entries, length of the data, entries, data; all big-endian.
func ParseHeader(blob []byte) (Header, error) {
	if len(blob) < 8 {
		return Header{}, fmt.Errorf("read header: it has %d bytes, at least 8 are needed", len(blob))
	}
	entries, length := int64(binary.BigEndian.Uint32(blob)), int64(binary.BigEndian.Uint32(blob[4:]))
	if entries == 0 || entries > maxEntries || 8+entries*entrySize+length > int64(len(blob)) {
		return Header{}, fmt.Errorf("read header: %d entries and %d bytes of data don't fit into %d bytes", entries, length, len(blob))
	}
	index, data := blob[8:8+entries*entrySize], blob[8+entries*entrySize:][:length]
	var h Header
	for ; len(index) > 0; index = index[entrySize:] {
		tag, kind := binary.BigEndian.Uint32(index), binary.BigEndian.Uint32(index[4:])
		if err := h.take(tag, kind, int64(int32(binary.BigEndian.Uint32(index[8:]))), data); err != nil {
			return Header{}, fmt.Errorf("read header: tag %d: %w", tag, err)
		}
	}
	if h.Name == "" || h.Version == "" {
		return Header{}, errors.New("read header: it has no name or no version")
	}
	return h, nil
}

// take reads one entry, if it is one of those that count.
func (h *Header) take(tag, kind uint32, off int64, data []byte) error {
	into := map[uint32]*string{tagName: &h.Name, tagVersion: &h.Version, tagRelease: &h.Release, tagVendor: &h.Vendor, tagLicense: &h.License,
		tagArch: &h.Arch, tagSourceRPM: &h.SourceRPM}[tag]
	if into == nil && tag != tagEpoch {
		return nil
	}
	if off < 0 || off >= int64(len(data)) {
		return fmt.Errorf("its data is at %d, there are %d bytes", off, len(data))
	}
	data = data[off:]
	switch {
	case tag == tagEpoch && kind == typeInt32 && len(data) >= 4:
		h.Epoch, h.HasEpoch = int(binary.BigEndian.Uint32(data)), true
	case into != nil && (kind == typeString || kind == typeI18NString):
		end := bytes.IndexByte(data, 0)
		if end < 0 {
			return errors.New("its text has no end")
		}
		*into = strings.ToValidUTF8(string(data[:end]), "\uFFFD")
	default:
		return fmt.Errorf("it is of type %d, expected a string or number", kind)
	}
	return nil
}
