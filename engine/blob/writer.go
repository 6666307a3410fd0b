package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Writer takes the bytes of one blob. They are hashed while they are written, in one pass, and have no name in the store
// before Commit. A Writer is for one goroutine.
type Writer struct {
	store *Store
	op    *home.Operation
	path  string
	file  *os.File // nil once sealed
	hash  *overlap
	ahead *ahead
	buf   []byte // taken and partly filled; its free part is buf[n:]
	n     int
	size  int64
	sum   digest.Digest
	err   error // the first error of writing: nothing can be committed any more
}

// NewWriter begins a blob whose bytes are kept in op's scratch folder until Commit. The caller must call Close.
func (s *Store) NewWriter(op *home.Operation) (*Writer, error) {
	f, err := os.CreateTemp(op.Dir(), "blob-")
	if err != nil {
		return nil, fmt.Errorf("begin blob: %w", err)
	}
	return &Writer{store: s, op: op, path: f.Name(), file: f}, nil
}

// Size is how many bytes were written so far.
func (w *Writer) Size() int64 { return w.size + int64(w.n) }

// Write adds p to the blob.
func (w *Writer) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 && w.err == nil {
		n := copy(w.room(), p)
		p = p[n:]
		w.advance(n)
	}
	return total - len(p), w.err
}

// ReadFrom adds all of r to the blob, without a copy on the way.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	var total int64
	for w.err == nil {
		n, err := r.Read(w.room())
		total += int64(n)
		w.advance(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return total, err
		}
	}
	return total, w.err
}

func (w *Writer) room() []byte {
	if w.file == nil && w.err == nil {
		w.err = errors.New("write blob: it is sealed already")
	}
	if w.hash == nil {
		w.hash = w.store.newOverlap(sha256.New())
	}
	if w.buf == nil {
		w.buf = w.hash.take()
	}
	return w.buf[w.n:]
}

func (w *Writer) advance(n int) {
	if w.n += n; w.n == len(w.buf) {
		w.flush()
	}
}

// flush gives what is in the buffer to the hash and, at the same time, to the file.
func (w *Writer) flush() {
	if w.n == 0 {
		return
	}
	b := w.buf[:w.n]
	w.buf, w.n = nil, 0
	w.hash.feed(b)
	if w.err != nil {
		return
	}
	n, err := w.file.Write(b)
	w.size += int64(n)
	if err != nil {
		w.err = fmt.Errorf("write blob: %w", err)
	}
	if w.ahead == nil && w.size >= aheadBytes {
		w.ahead = newAhead(w.file)
	}
	w.ahead.wrote(w.size)
}

// Seal ends the writing and gives the digest. A sealed Writer holds no open file, so that many can wait for their Commit.
func (w *Writer) Seal() (digest.Digest, error) {
	if w.file == nil {
		return w.sum, w.err
	}
	if w.hash == nil {
		w.sum = oci.Sum(nil)
	} else {
		w.flush()
		w.sum = w.hash.finish()
	}
	err := errors.Join(w.ahead.finish(), w.file.Close())
	w.file = nil
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("write blob: %w", err)
	}
	return w.sum, w.err
}

// Bytes reads back what a sealed Writer was given, if that is at most limit bytes. It can't after Commit.
func (w *Writer) Bytes(limit int64) ([]byte, error) {
	if _, err := w.Seal(); err != nil {
		return nil, err
	}
	if w.size > limit {
		return nil, fmt.Errorf("%d bytes, at most %d are read", w.size, limit)
	}
	return os.ReadFile(w.path)
}

// Commit makes the blob part of the store, durably, and gives its descriptor. If want is not empty and the bytes have
// another digest, nothing is stored and the error is a *DigestError. A blob that is there already is not written again.
func (w *Writer) Commit(ctx context.Context, want digest.Digest, mediaType string) (v1.Descriptor, error) {
	got, err := w.Seal()
	if err != nil {
		return v1.Descriptor{}, err
	}
	if want != "" && want != got {
		return v1.Descriptor{}, fmt.Errorf("commit blob: %w", &DigestError{Want: want, Got: got})
	}
	desc := v1.Descriptor{MediaType: mediaType, Digest: got, Size: w.size}
	existed := w.store.has(desc)
	if !existed {
		if err := w.store.publish(w.op, w.path, got); err != nil {
			return v1.Descriptor{}, err
		}
	}
	recordWrite(ctx, desc, existed)
	return desc, nil
}

// Close throws away what was not committed and waits for the hash. It may be called more than once.
func (w *Writer) Close() error {
	_, _ = w.Seal()
	w.err = errors.New("write blob: writer is closed")
	if w.path != "" {
		_ = os.Remove(w.path) // gone if committed; otherwise the operation's end removes it too
		w.path = ""
	}
	return nil
}

// Put stores data as one blob.
func (s *Store) Put(ctx context.Context, op *home.Operation, data []byte, mediaType string) (v1.Descriptor, error) {
	desc := v1.Descriptor{MediaType: mediaType, Digest: oci.Sum(data), Size: int64(len(data))}
	existed := s.has(desc)
	if !existed {
		path, err := scratch(op, data)
		if err != nil {
			return v1.Descriptor{}, fmt.Errorf("write blob %s: %w", desc.Digest, err)
		}
		if err := s.publish(op, path, desc.Digest); err != nil {
			return v1.Descriptor{}, err
		}
	}
	recordWrite(ctx, desc, existed)
	return desc, nil
}

func scratch(op *home.Operation, data []byte) (string, error) {
	f, err := os.CreateTemp(op.Dir(), "blob-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	return f.Name(), errors.Join(err, f.Close())
}

// has reports that the blob has a file here of the right length; one of another length was damaged and is to be replaced.
func (s *Store) has(d v1.Descriptor) bool {
	size, err := s.Stored(d.Digest)
	return err == nil && size == d.Size
}

// publish gives the finished file at path its name in the store: bytes first, then the claim, then the name.
func (s *Store) publish(op *home.Operation, path string, d digest.Digest) error {
	failpoint.Hit("blob.commit.before-sync")
	if err := syncFile(path); err != nil {
		return fmt.Errorf("commit blob %s: %w", d, err)
	}
	if err := op.Claim("blob", string(d)); err != nil {
		return err
	}
	failpoint.Hit("blob.commit.before-rename")
	if err := os.Rename(path, s.Path(d)); err != nil {
		return fmt.Errorf("commit blob %s: %w", d, err)
	}
	failpoint.Hit("blob.commit.after-rename")
	return home.SyncDir(s.blobs)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o644), f.Sync(), f.Close())
}

func recordWrite(ctx context.Context, d v1.Descriptor, existed bool) {
	trace.Fact(ctx, vocab.BlobWrite, trace.String("digest", string(d.Digest)), trace.Int("size_bytes", d.Size),
		trace.String("media_type", d.MediaType), trace.Bool("existed", existed))
}
