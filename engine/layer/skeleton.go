package layer

import (
	"archive/tar"
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A skeleton is what an archive is besides the contents of its files: headers, padding, order, end. With the files, somewhere else, it gives the archive back byte for
// byte. It is a zstd stream of pairs: the length of some bytes of the archive (uvarint) and these bytes; then the length of a path, the path and the size of the file whose
// content comes next, or a length of zero: the end.

// ErrNoSkeleton reports an archive that can't be taken apart.
var ErrNoSkeleton = errors.New("the archive can't be taken apart")

const maxSkeletonPath = 4096

// WriteSkeleton writes the skeleton of the uncompressed layer archive r, all of which it reads, to w. Paths of files are clean and relative.
func WriteSkeleton(w io.Writer, r io.Reader) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("write skeleton: %w", err)
	}
	s := &skeletonWriter{src: bufio.NewReaderSize(r, readAhead), out: z}
	if err := s.run(); err != nil {
		return errors.Join(fmt.Errorf("write skeleton: %w", err), z.Close())
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write skeleton: %w", err)
	}
	return nil
}

// skeletonWriter is the source of a tar reader: what is read of it is kept, unless it is content of a file.
type skeletonWriter struct {
	src     io.Reader
	out     io.Writer
	raw     []byte
	content bool
}

func (s *skeletonWriter) Read(p []byte) (int, error) {
	n, err := s.src.Read(p)
	if !s.content {
		s.raw = append(s.raw, p[:n]...)
	}
	return n, err
}

func (s *skeletonWriter) run() error {
	in := tar.NewReader(s)
	for entries := 0; ; entries++ {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if entries > (Limits{}).withDefaults().Entries || len(s.raw) > maxRaw {
			return fmt.Errorf("%w: too many entries, or too much besides the contents of files", ErrNoSkeleton)
		}
		if err := s.entry(in, h); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, s); err != nil {
		return err
	}
	return s.flush("", 0)
}

// maxRaw is how much may lie between the contents of two files.
const maxRaw = 64 << 20

func (s *skeletonWriter) entry(in *tar.Reader, h *tar.Header) error {
	if h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" {
		return fmt.Errorf("%w: %q is sparse", ErrNoSkeleton, h.Name)
	}
	p, err := cleanPath(h.Name, Limits{}.withDefaults())
	if h.Typeflag != tar.TypeReg || h.Size == 0 || err != nil || checkNames(p) != nil || strings.HasSuffix(h.Name, "/") {
		return nil // has no content that is a file of the tree: all of it is kept
	}
	if err := s.flush(p, h.Size); err != nil {
		return err
	}
	s.content = true
	n, err := io.Copy(io.Discard, struct{ io.Reader }{in})
	s.content = false
	if err == nil && n != h.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (s *skeletonWriter) flush(path string, size int64) error {
	head := binary.AppendUvarint(nil, uint64(len(s.raw)))
	tail := binary.AppendUvarint(nil, uint64(len(path)))
	if path != "" {
		tail = binary.AppendUvarint(append(tail, path...), uint64(size))
	}
	for _, b := range [][]byte{head, s.raw, tail} {
		if _, err := s.out.Write(b); err != nil {
			return err
		}
	}
	s.raw = s.raw[:0]
	return nil
}

// Assembled is an archive that is put together from its skeleton and its files while it is read. What it gives is to be verified. It must be closed.
type Assembled struct {
	z     *zstd.Decoder
	in    *bufio.Reader
	open  func(path string) (io.ReadCloser, error)
	raw   uint64 // bytes of the skeleton that come next
	path  string
	file  io.ReadCloser
	left  int64 // of file
	ended bool
	begun bool
}

// Assemble reads a skeleton. open opens a file of the layer; each is closed before the next is opened.
func Assemble(skeleton io.Reader, open func(path string) (io.ReadCloser, error)) (*Assembled, error) {
	z, err := zstd.NewReader(skeleton, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("read skeleton: %w", err)
	}
	return &Assembled{z: z, in: bufio.NewReaderSize(z, 64<<10), open: open}, nil
}

// Read gives the archive's next bytes.
func (a *Assembled) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		switch {
		case a.raw > 0:
			n, err := a.in.Read(p[:min(uint64(len(p)), a.raw)])
			a.raw -= uint64(n)
			return n, torn(err)
		case a.left > 0:
			n, err := a.file.Read(p[:min(int64(len(p)), a.left)])
			if a.left -= int64(n); a.left > 0 && err == io.EOF {
				return n, fmt.Errorf("file %q of the layer is %d bytes too short", a.path, a.left)
			}
			if err == io.EOF {
				err = nil
			}
			return n, err
		case a.ended:
			return 0, io.EOF
		}
		if err := a.next(); err != nil {
			return 0, err
		}
	}
}

func torn(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("read skeleton: %w", err)
	}
	return nil
}

// next goes from the end of a file, or the begin, to bytes of the skeleton, and from their end to a file.
func (a *Assembled) next() (err error) {
	if a.file != nil || !a.begun {
		a.closeFile()
		a.begun = true
		if a.raw, err = binary.ReadUvarint(a.in); err != nil {
			return torn(err)
		}
		if a.raw > 0 {
			return nil
		}
	}
	length, err := binary.ReadUvarint(a.in)
	if err == nil && length > maxSkeletonPath {
		err = fmt.Errorf("a path has %d bytes", length)
	}
	if err != nil {
		return torn(err)
	}
	if length == 0 {
		a.ended = true
		return nil
	}
	name := make([]byte, length)
	if _, err := io.ReadFull(a.in, name); err != nil {
		return torn(err)
	}
	size, err := binary.ReadUvarint(a.in)
	if err == nil && (size == 0 || size > 1<<62) {
		err = fmt.Errorf("a file has %d bytes", size)
	}
	if err != nil {
		return torn(err)
	}
	a.path, a.left = string(name), int64(size)
	a.file, err = a.open(a.path)
	return err
}

func (a *Assembled) closeFile() {
	if a.file != nil {
		_ = a.file.Close()
		a.file = nil
	}
}

// Close frees what the reading needs.
func (a *Assembled) Close() error {
	a.closeFile()
	a.z.Close()
	a.ended, a.raw, a.left = true, 0, 0
	return nil
}
