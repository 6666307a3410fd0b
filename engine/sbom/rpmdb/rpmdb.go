// Package rpmdb reads the packages out of an rpm database, whichever of the three kinds it is: SQLite (rpm 4.16 and later), ndb (SUSE) or a
// Berkeley DB hash (before). It reads that one table and nothing else: it is no database engine, takes no locks and writes nothing.
//
// The files are hostile: every page, offset and length is checked against the file, chains of pages are bounded by the file's size, and
// what is read of one package by MaxBlob. No input makes it allocate more than a few times the file's size, or go on for ever.
package rpmdb

import (
	"errors"
	"fmt"
	"io"
)

// File is a database, or its write-ahead log. The zero File: there is none.
type File struct {
	Data io.ReaderAt
	Size int64
}

// The bounds.
const (
	MaxBlob     = 64 << 20 // bytes of one package's header
	MaxPackages = 200_000
)

var errTooMany = fmt.Errorf("more than %d packages", MaxPackages)

// Read calls visit with the header of every package. wal is the write-ahead log of an SQLite database, if there is one. What was read
// before an error was handed to visit.
func Read(db, wal File, visit func(blob []byte)) error {
	if db.Data == nil {
		return errors.New("no database")
	}
	magic, err := db.bytes(0, min(db.Size, 32))
	if err != nil {
		return err
	}
	n := 0
	count := func(blob []byte) error {
		if n++; n > MaxPackages {
			return errTooMany
		}
		visit(blob)
		return nil
	}
	switch {
	case len(magic) >= 16 && string(magic[:16]) == "SQLite format 3\x00":
		return readSQLite(db, wal, count)
	case len(magic) >= 4 && string(magic[:4]) == "RpmP":
		return readNDB(db, count)
	case isHash(magic):
		return readHash(db, count)
	case db.Size == 0:
		return errors.New("the file is empty: expected an rpm database")
	}
	return errors.New("expected an rpm database of SQLite, ndb or Berkeley DB (hash); it begins like none of them")
}

// bytes reads n bytes at off, which must be in the file.
func (f File) bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > f.Size || n > f.Size-off {
		return nil, fmt.Errorf("%d bytes at %d are outside of the file, which has %d", n, off, f.Size)
	}
	b := make([]byte, n)
	if _, err := f.Data.ReadAt(b, off); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}
