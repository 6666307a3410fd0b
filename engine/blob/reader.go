package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// Open reads d. In place of the end of file a reader of damaged bytes gets a *DigestError. The caller closes it.
func (s *Store) Open(d digest.Digest) (io.ReadCloser, error) {
	f, err := s.open(d)
	if err != nil {
		return nil, err
	}
	return &verified{file: f, hash: sha256.New(), want: d}, nil
}

func (s *Store) open(d digest.Digest) (io.ReadCloser, error) {
	if err := oci.CheckDigest(d); err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	f, err := os.Open(s.Path(d))
	if errors.Is(err, fs.ErrNotExist) && s.Elsewhere != nil {
		return s.Elsewhere.Open(d)
	}
	if err != nil {
		return nil, wrap("open blob", d, err)
	}
	return f, nil
}

type verified struct {
	file io.ReadCloser
	hash hash.Hash
	want digest.Digest
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.file.Read(p)
	v.hash.Write(p[:n])
	if err == io.EOF {
		if got := sumOf(v.hash); got != v.want {
			return n, fmt.Errorf("read blob: %w", &DigestError{Want: v.want, Got: got})
		}
	}
	return n, err
}

func (v *verified) Close() error { return v.file.Close() }

// ReadAll reads all of d into memory; one of more than limit bytes is an error.
func (s *Store) ReadAll(d digest.Digest, limit int64) ([]byte, error) {
	size, err := s.Stat(d)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("read blob %s: %d bytes, at most %d are read", d, size, limit)
	}
	f, err := s.open(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("read blob %s: %w", d, err)
	}
	if got := oci.Sum(data); got != d {
		return nil, fmt.Errorf("read blob: %w", &DigestError{Want: d, Got: got})
	}
	return data, nil
}

// Copy writes all of d to w, which must take exactly size bytes, hashing while it writes. After a *DigestError the bytes
// are in w already: the caller must make what it wrote unusable.
func (s *Store) Copy(ctx context.Context, w io.Writer, d digest.Digest, size int64) error {
	f, err := s.open(d)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := s.newOverlap(sha256.New())
	n, err := copyChunks(ctx, w, f, hash)
	got := hash.finish()
	switch {
	case err != nil:
		return fmt.Errorf("copy blob %s: %w", d, err)
	case got != d:
		return fmt.Errorf("copy blob: %w", &DigestError{Want: d, Got: got})
	case n != size:
		return fmt.Errorf("copy blob %s: %d bytes, expected %d", d, n, size)
	}
	return nil
}

func copyChunks(ctx context.Context, w io.Writer, r io.Reader, hash *overlap) (int64, error) {
	var total int64
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		b := hash.take()
		n, err := io.ReadFull(r, b)
		hash.feed(b[:n])
		total += int64(n)
		if n > 0 {
			if _, err := w.Write(b[:n]); err != nil {
				return total, err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}
