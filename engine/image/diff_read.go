package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"github.com/learn-containers/learn/engine/layer"
)

// openHeaders opens the uncompressed archive of l for somebody who wants names and not contents: what isn't read is passed
// over where the layer is stored plain. It is not verified then.
func (s *Store) openHeaders(l Layer) (io.ReadCloser, error) {
	if _, err := s.blobs.Stat(l.Descriptor.Digest); err != nil {
		return nil, err
	}
	f, err := os.Open(s.blobs.Path(l.Descriptor.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return &lazyLayer{store: s, digest: l.Descriptor.Digest}, nil // its archive was dropped
	}
	if err != nil {
		return nil, err
	}
	w := &window{f: f, buf: make([]byte, windowBytes)}
	head := make([]byte, 4)
	n, err := io.ReadFull(w, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, errors.Join(err, f.Close())
	}
	if looksCompressed(head[:n]) {
		return &lazyLayer{store: s, digest: l.Descriptor.Digest}, f.Close()
	}
	_, err = w.Seek(0, io.SeekStart)
	return w, err
}

const windowBytes = 32 << 10 // small files are read through, large ones passed over

// window reads a file through a buffer, in which seeking costs nothing. It must be closed.
type window struct {
	f    *os.File
	pos  int64 // of the next byte that is read
	buf  []byte
	from int64 // where in the file buf begins
	n    int   // bytes in buf
}

func (w *window) Read(p []byte) (int, error) {
	off := w.pos - w.from
	if off < 0 || off >= int64(w.n) {
		n, err := w.f.ReadAt(w.buf, w.pos)
		w.from, w.n, off = w.pos, n, 0
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, w.buf[off:w.n])
	w.pos += int64(n)
	return n, nil
}

// Seek goes to a place that counts from the begin or from here; behind the end Read says io.EOF.
func (w *window) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += w.pos
	case io.SeekStart:
	default:
		return 0, errors.ErrUnsupported
	}
	if offset < 0 {
		return 0, os.ErrInvalid
	}
	w.pos = offset
	return offset, nil
}

func (w *window) Close() error { return w.f.Close() }

// digestContents reads the layers whose contents are wanted, some side by side, to their ends, so that what is said about
// contents is said about bytes that are verified.
func (s *Store) digestContents(ctx context.Context, sources []*source) error {
	errs := make([]error, len(sources))
	slots := make(chan struct{}, min(runtime.GOMAXPROCS(0), 4))
	var all sync.WaitGroup
	for i, src := range sources {
		if len(src.wanted) == 0 {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = s.digestLayer(ctx, src)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (s *Store) digestLayer(ctx context.Context, src *source) (err error) {
	in := &lazyLayer{store: s, digest: src.layer.Descriptor.Digest}
	defer func() { err = errors.Join(err, in.Close()) }()
	src.sums = make(map[int][32]byte, len(src.wanted))
	seq, last, buf, hash := 0, "", make([]byte, 64<<10), sha256.New()
	err = eachEntry(ctx, in, func(e *layer.Entry, content io.Reader) error {
		seq++
		last = e.Path
		if !src.wanted[seq] {
			return nil
		}
		hash.Reset()
		if _, err := io.CopyBuffer(hash, struct{ io.Reader }{content}, buf); err != nil {
			return faultOf(e, err)
		}
		src.sums[seq] = [32]byte(hash.Sum(nil))
		return nil
	})
	if err != nil {
		return layerError(src.layer, last, err)
	}
	return nil
}

// sameBytes reports whether two digests of contents are the same; both must have been wanted.
func sameBytes(a, b *inode) bool {
	x, y := a.src.sums[a.seq], b.src.sums[b.seq]
	return bytes.Equal(x[:], y[:])
}

// want asks for the digest of i's content.
func want(i *inode) {
	if i.src.wanted == nil {
		i.src.wanted = map[int]bool{}
	}
	i.src.wanted[i.seq] = true
}
