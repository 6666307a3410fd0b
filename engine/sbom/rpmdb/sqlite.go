package rpmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The layout of SQLite's files (sqlite.org/fileformat2.html); all big-endian.
const (
	sqliteHeader  = 100
	sqliteTable   = "Packages"
	maxDepth      = 20
	pageLeaf      = 13 // of a table
	pageInterior  = 5
	minSQLitePage = 512
	maxSchema     = 1 << 20
)

// sqlite is a database under way.
type sqlite struct {
	File
	page   int64
	usable int64 // bytes of a page that are used
	wal    File
	log    map[int64]int64 // where the write-ahead log has pages anew
	pages  int64
	left   int64 // pages that may still be read: nothing goes in circles
}

// readSQLite finds the table of packages and reads the second column of its rows.
func readSQLite(db, wal File, visit func([]byte) error) error {
	s := &sqlite{File: db}
	if err := s.open(wal); err != nil {
		return fmt.Errorf("read SQLite database: %w", err)
	}
	root, err := s.find(sqliteTable)
	if err != nil {
		return fmt.Errorf("read SQLite database: %w", err)
	}
	s.left = 4 * (s.pages + 1)
	err = s.table(root, maxDepth, func(payload []byte) error {
		blob, err := column(payload, 1)
		if err != nil {
			return err
		}
		return visit(blob)
	})
	if err != nil {
		return fmt.Errorf("read SQLite table %s: %w", sqliteTable, err)
	}
	return nil
}

func (s *sqlite) open(wal File) error {
	head, err := s.bytes(0, sqliteHeader)
	if err != nil {
		return err
	}
	if s.page = int64(binary.BigEndian.Uint16(head[16:])); s.page == 1 {
		s.page = 64 << 10
	}
	s.usable = s.page - int64(head[20])
	if s.page < minSQLitePage || s.page&(s.page-1) != 0 || s.usable < 480 {
		return fmt.Errorf("pages of %d bytes with %d unused can't be", s.page, head[20])
	}
	s.pages = s.Size / s.page
	if wal.Data != nil {
		if err := s.readLog(wal); err != nil {
			return fmt.Errorf("read write-ahead log: %w", err)
		}
	}
	s.left = 4 * (s.pages + 1)
	return nil
}

func (s *sqlite) read(n int64) ([]byte, error) {
	if s.left--; s.left < 0 {
		return nil, errors.New("pages refer to one another in circles")
	}
	if at, ok := s.log[n]; ok {
		return s.wal.bytes(at, s.page)
	}
	if n < 1 || n > s.pages {
		return nil, fmt.Errorf("page %d: there are %d", n, s.pages)
	}
	return s.bytes((n-1)*s.page, s.page)
}

// find looks into the schema, which is the table on page 1: type, name, table, root page, text.
func (s *sqlite) find(table string) (root int64, err error) {
	err = s.table(1, maxDepth, func(payload []byte) error {
		if len(payload) > maxSchema {
			return errors.New("an entry of the schema is too long")
		}
		kind, err := column(payload, 0)
		if err != nil || string(kind) != "table" {
			return err
		}
		name, err := column(payload, 1)
		if err != nil || string(name) != table {
			return err
		}
		number, err := column(payload, 3)
		if err != nil || len(number) > 8 {
			return errors.Join(err, errors.New("the root page is no number"))
		}
		for _, b := range number {
			root = root<<8 | int64(b)
		}
		return nil
	})
	if err == nil && root == 0 {
		err = fmt.Errorf("it has no table %s", table)
	}
	return root, err
}

// table calls visit with the payload of every row below page n.
func (s *sqlite) table(n int64, depth int, visit func([]byte) error) error {
	if depth == 0 {
		return fmt.Errorf("page %d: pages are nested more than %d deep", n, maxDepth)
	}
	p, err := s.read(n)
	if err != nil {
		return err
	}
	at := 0
	if n == 1 {
		at = sqliteHeader
	}
	kind, cells, index := p[at], int(binary.BigEndian.Uint16(p[at+3:])), at+8
	if kind == pageInterior {
		index += 4
	}
	if kind != pageInterior && kind != pageLeaf || index+2*cells > len(p) {
		return fmt.Errorf("page %d: it is of type %d with %d cells, which can't be in a table", n, kind, cells)
	}
	for i := range cells {
		cell := int(binary.BigEndian.Uint16(p[index+2*i:]))
		if cell+4 > len(p) {
			return fmt.Errorf("page %d: cell %d is outside of it", n, i)
		}
		if kind == pageInterior {
			err = s.table(int64(binary.BigEndian.Uint32(p[cell:])), depth-1, visit)
		} else if err = s.row(p[cell:], visit); err != nil {
			err = fmt.Errorf("page %d: cell %d: %w", n, i, err)
		}
		if err != nil {
			return err
		}
	}
	if kind == pageInterior {
		return s.table(int64(binary.BigEndian.Uint32(p[at+8:])), depth-1, visit)
	}
	return nil
}

// row reads a cell of a leaf: length, row id, and as much of the payload as the page holds; the rest is in a chain of pages.
func (s *sqlite) row(cell []byte, visit func([]byte) error) error {
	length, cell, err := varint(cell)
	if err == nil {
		_, cell, err = varint(cell)
	}
	if err != nil {
		return err
	}
	if length < 0 || length > MaxBlob {
		return fmt.Errorf("a row of %d bytes, at most %d are read", length, MaxBlob)
	}
	here := length
	if most := s.usable - 35; length > most {
		least := (s.usable-12)*32/255 - 23
		if here = least + (length-least)%(s.usable-4); here > most {
			here = least
		}
	}
	if here > int64(len(cell)) {
		return errors.New("a row is cut off")
	}
	if here == length {
		return visit(cell[:here])
	}
	if here+4 > int64(len(cell)) {
		return errors.New("a row is cut off")
	}
	payload, err := s.overflow(cell[:here], int64(binary.BigEndian.Uint32(cell[here:])), length)
	if err != nil {
		return err
	}
	return visit(payload)
}

func (s *sqlite) overflow(begin []byte, n, length int64) ([]byte, error) {
	if length > s.usable*(s.pages+int64(len(s.log))) {
		return nil, fmt.Errorf("a row of %d bytes is longer than the file", length)
	}
	payload := append(make([]byte, 0, length), begin...)
	for int64(len(payload)) < length {
		if n == 0 {
			return nil, fmt.Errorf("a row ends after %d of %d bytes", len(payload), length)
		}
		p, err := s.read(n)
		if err != nil {
			return nil, err
		}
		n = int64(binary.BigEndian.Uint32(p))
		payload = append(payload, p[4:min(s.usable, 4+length-int64(len(payload)))]...)
	}
	return payload, nil
}

// column is the content of a row's column i; of a number its bytes.
func column(payload []byte, i int) ([]byte, error) {
	size, rest, err := varint(payload)
	used := int64(len(payload) - len(rest))
	if err != nil || size < used || size > int64(len(payload)) {
		return nil, errors.Join(err, errors.New("the header of a row makes no sense"))
	}
	types, data := rest[:size-used], payload[size:]
	for ; ; i-- {
		var kind int64
		if kind, types, err = varint(types); err != nil {
			return nil, fmt.Errorf("a row has too few columns: %w", err)
		}
		n := columnSize(kind)
		if n < 0 || n > int64(len(data)) {
			return nil, errors.New("a column is cut off")
		}
		if i == 0 {
			if kind == 9 {
				return []byte{1}, nil
			}
			return data[:n], nil
		}
		data = data[n:]
	}
}

func columnSize(kind int64) int64 {
	switch {
	case kind < 0 || kind == 10 || kind == 11:
		return -1
	case kind <= 9:
		return []int64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}[kind]
	}
	return (kind - 12) / 2
}

// varint reads a number of one to nine bytes.
func varint(b []byte) (int64, []byte, error) {
	var v uint64
	for i := range min(len(b), 9) {
		if i == 8 {
			return int64(v<<8 | uint64(b[8])), b[9:], nil
		}
		if v = v<<7 | uint64(b[i]&0x7f); b[i] < 0x80 {
			return int64(v), b[i+1:], nil
		}
	}
	return 0, nil, errors.New("a number is cut off")
}
