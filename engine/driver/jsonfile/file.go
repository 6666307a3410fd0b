package jsonfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
)

// file is one file of a log that is read. It implements io.Reader for its text.
type file struct {
	f    *os.File
	info os.FileInfo
	zip  *gzip.Reader // nil: it is not compressed
	text io.Reader
}

// openFile opens one, or if it may be, the compressed one in its place.
func openFile(name string, mayBeZipped bool) (*file, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) && mayBeZipped {
		if f, err = os.Open(name + zipped); err == nil {
			return newFile(f, true)
		}
	}
	if err != nil {
		return nil, err
	}
	return newFile(f, false)
}

func newFile(f *os.File, isZipped bool) (*file, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	n := &file{f: f, info: info, text: f}
	if isZipped {
		if n.zip, err = gzip.NewReader(bufio.NewReaderSize(f, 64<<10)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		n.text = n.zip
	}
	return n, nil
}

// Read implements io.Reader.
func (n *file) Read(p []byte) (int, error) { return n.text.Read(p) }

// Close closes the file.
func (n *file) Close() error { return n.f.Close() }

// same reports whether both are the same part of the log: one file, or a file and what it was compressed to.
func (n *file) same(o *file) bool {
	switch {
	case o == nil:
		return false
	case os.SameFile(n.info, o.info):
		return true
	case n.zip != nil && o.zip == nil:
		return n.holds(o)
	case n.zip == nil && o.zip != nil:
		return o.holds(n)
	}
	return false
}

// holds reports whether the compressed file n has the text of o. Its end tells the text's length and sum (RFC 1952, section 2.3.1).
func (n *file) holds(o *file) bool {
	var end [8]byte
	if _, err := n.f.ReadAt(end[:], n.info.Size()-int64(len(end))); err != nil {
		return false
	}
	st, err := o.f.Stat()
	if err != nil || uint32(st.Size()) != binary.LittleEndian.Uint32(end[4:]) {
		return false
	}
	sum := crc32.NewIEEE()
	_, err = io.Copy(sum, io.NewSectionReader(o.f, 0, st.Size()))
	return err == nil && sum.Sum32() == binary.LittleEndian.Uint32(end[:])
}

// tail goes to where the last lines begin, limit of them at most, and counts them. A line that is not ended is not counted.
func (n *file) tail(limit int) (int, error) {
	if n.zip != nil {
		return n.zippedTail(limit)
	}
	end, err := n.f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	found := -1 // the first newline from behind ends a line and begins none
	for pos := end; pos > 0; {
		size := min(pos, int64(len(buf)))
		pos -= size
		if _, err := n.f.ReadAt(buf[:size], pos); err != nil {
			return 0, err
		}
		for part := buf[:size]; ; found++ {
			i := bytes.LastIndexByte(part, '\n')
			if i < 0 {
				break
			}
			if found+1 == limit {
				_, err := n.f.Seek(pos+int64(i)+1, io.SeekStart)
				return limit, err
			}
			part = part[:i]
		}
	}
	_, err = n.f.Seek(0, io.SeekStart)
	return found + 1, err
}

// zippedTail reads the text twice: it can't be read backwards.
func (n *file) zippedTail(limit int) (int, error) {
	lines, err := countLines(n.zip)
	if err != nil {
		return 0, err
	}
	if _, err := n.f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if err := n.zip.Reset(bufio.NewReaderSize(n.f, 64<<10)); err != nil || lines <= limit {
		return lines, err
	}
	r := bufio.NewReaderSize(n.zip, 64<<10)
	n.text = r
	return limit, skipLines(r, lines-limit)
}

func countLines(r io.Reader) (int, error) {
	buf := make([]byte, 64<<10)
	lines := 0
	for {
		n, err := r.Read(buf)
		lines += bytes.Count(buf[:n], []byte("\n"))
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
	}
}

// skipLines passes over n lines, however long.
func skipLines(r *bufio.Reader, n int) error {
	for n > 0 {
		switch _, err := r.ReadSlice('\n'); err {
		case nil:
			n--
		case bufio.ErrBufferFull:
		default:
			return err
		}
	}
	return nil
}
