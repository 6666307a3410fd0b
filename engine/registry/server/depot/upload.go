package depot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/opencontainers/go-digest"
)

const piece = 256 << 10 // bytes read, written and hashed at a time

var pieces = sync.Pool{New: func() any { b := make([]byte, piece); return &b }}

// Upload is a blob on its way into the depot, perhaps in several chunks. One goroutine at a time may use it. It must be ended, by Commit or
// by Cancel.
type Upload struct {
	depot *Depot
	path  string
	size  int64
	hash  hash.Hash     // of all bytes so far; nil when it has to be computed anew
	like  digest.Digest // whose algorithm hash is of; empty for sha256
}

// NewUpload begins an upload. Nothing is on the disk before the first byte. The name must be one that no other upload has, of letters and digits.
func (d *Depot) NewUpload(name string) *Upload {
	return &Upload{depot: d, path: d.path("uploads", name), hash: sha256.New()}
}

// Expect tells the digest that the upload is going to have, so that its bytes need not be read again. It is of use before the first byte.
func (u *Upload) Expect(g digest.Digest) {
	if u.size == 0 && CheckDigest(g) == nil {
		u.like, u.hash = g, newHash(g)
	}
}

// Size is how many bytes are here.
func (u *Upload) Size() int64 { return u.size }

// Append takes a chunk: what r has until its end. What came before an error of r is kept, and Size counts it; an error of the disk leaves the upload
// as it was, or unusable if even that fails.
func (u *Upload) Append(r io.Reader) error {
	f, err := os.OpenFile(u.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("take chunk: %w", err)
	}
	before := u.size
	read, write := u.copy(f, r)
	if err := f.Close(); write == nil {
		write = err
	}
	if write != nil {
		return fmt.Errorf("take chunk: %w", &DiskError{errors.Join(write, u.Truncate(before))})
	}
	return read
}

// DiskError is one of the depot's own disk, as opposed to one of the sender.
type DiskError struct{ Err error }

func (e *DiskError) Error() string { return e.Err.Error() }

// Unwrap gives the system's error.
func (e *DiskError) Unwrap() error { return e.Err }

func (u *Upload) copy(f *os.File, r io.Reader) (read, write error) {
	b := pieces.Get().(*[]byte)
	defer pieces.Put(b)
	for {
		n, err := r.Read(*b)
		if n > 0 {
			if _, err := f.Write((*b)[:n]); err != nil {
				return nil, err
			}
			u.size += int64(n)
			if u.hash != nil {
				u.hash.Write((*b)[:n])
			}
		}
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}

// Truncate takes back what came after the first size bytes.
func (u *Upload) Truncate(size int64) error {
	u.size, u.hash = size, nil
	return os.Truncate(u.path, size)
}

// Cancel throws the upload away.
func (u *Upload) Cancel() error {
	err := os.Remove(u.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Commit makes the upload the blob g of repo, if its bytes have that digest; otherwise a *DigestError. The upload is over then, and nothing is left of it.
func (u *Upload) Commit(ctx context.Context, repo string, g digest.Digest) (size int64, err error) {
	defer func() { err = errors.Join(err, u.Cancel()) }()
	if err := check(repo, g); err != nil {
		return 0, fmt.Errorf("store blob: %w", err)
	}
	got, err := u.settle(g)
	if err != nil {
		return 0, wrap("store blob", g, &DiskError{err})
	}
	if got != g {
		return 0, fmt.Errorf("store blob: %w", &DigestError{Want: g, Got: got})
	}
	return u.size, u.depot.store(ctx, u.path, repo, g)
}

// settle makes the bytes durable and gives their digest, by the algorithm of g.
func (u *Upload) settle(g digest.Digest) (got digest.Digest, err error) {
	f, err := os.OpenFile(u.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if got, err = u.sum(f, g); err != nil || got != g {
		return got, err
	}
	if err := f.Chmod(0o644); err != nil {
		return "", err
	}
	if u.depot.options.Volatile {
		return got, nil
	}
	return got, f.Sync()
}

// sum is the digest of what came, by the algorithm of g.
func (u *Upload) sum(f *os.File, g digest.Digest) (digest.Digest, error) {
	like := u.like
	if like == "" {
		like = "sha256:"
	}
	if u.hash != nil && g.Algorithm() == like.Algorithm() {
		return sumOf(g, u.hash), nil
	}
	h := newHash(g)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return sumOf(g, h), nil
}

// store gives a verified and durable file its name, and the blob to repo.
func (d *Depot) store(ctx context.Context, file, repo string, g digest.Digest) error {
	unlock, err := d.shared(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	err = d.publish(file, g)
	if err == nil {
		err = d.mark(repo, g)
	}
	if err != nil {
		return wrap("store blob", g, &DiskError{err})
	}
	return nil
}
