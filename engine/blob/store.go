package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
)

// ErrNotFound reports that the store has no such blob.
var ErrNotFound = errors.New("blob not found")

// DigestError reports bytes that are not what their digest says.
type DigestError struct{ Want, Got digest.Digest }

func (e *DigestError) Error() string {
	return fmt.Sprintf("content has digest %s, expected %s", e.Got, e.Want)
}

// Elsewhere is where blobs can be had whose files are not in the store.
type Elsewhere interface {
	// Stat is the size of d in bytes; ErrNotFound if it can't be had.
	Stat(d digest.Digest) (int64, error)
	// Open reads d, unverified; ErrNotFound if it can't be had. The caller closes it.
	Open(d digest.Digest) (io.ReadCloser, error)
}

// Store is a content-addressed store. It holds no open files and is safe for concurrent use.
type Store struct {
	// Elsewhere, if set, is asked for what is not in the store. What it gives is verified as everything else. It is set before first use.
	Elsewhere Elsewhere

	root    string
	blobs   string
	buffers sync.Pool // of *[]byte, chunk long
}

// Open makes dir an image layout if it isn't one yet, and returns the store in it.
func Open(dir string) (*Store, error) {
	s := &Store{root: dir, blobs: filepath.Join(dir, "blobs", "sha256")}
	s.buffers.New = func() any { b := make([]byte, chunk); return &b }
	if _, err := os.Stat(s.IndexPath()); err == nil {
		return s, nil
	}
	if err := os.MkdirAll(s.blobs, 0o700); err != nil {
		return nil, fmt.Errorf("open blob store: %w", err)
	}
	if err := s.refuseLost(); err != nil {
		return nil, err
	}
	// index.json comes last: where it is, the rest is.
	if err := s.create("oci-layout", `{"imageLayoutVersion":"1.0.0"}`); err != nil {
		return nil, err
	}
	return s, s.create("index.json", `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
}

// refuseLost keeps a store that lost its index from being taken for an empty one, whose blobs are all garbage.
func (s *Store) refuseLost() error {
	left, err := os.ReadDir(s.blobs)
	if err != nil {
		return fmt.Errorf("open blob store: %w", err)
	}
	if len(left) == 0 {
		return nil
	}
	if _, err := os.Stat(s.IndexPath()); err == nil {
		return nil // another process made it just now
	}
	return fmt.Errorf("open blob store: %s is missing though there are blobs: restore it, or remove %s to begin anew", s.IndexPath(), s.root)
}

// create writes a file of the layout unless another process was first.
func (s *Store) create(name, content string) error {
	tmp, err := os.CreateTemp(s.root, ".new-")
	if err != nil {
		return fmt.Errorf("make image layout: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Link(tmp.Name(), filepath.Join(s.root, name))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make image layout: write %s: %w", name, err)
	}
	return home.SyncDir(s.root)
}

// IndexPath is the file that lists the layout's images.
func (s *Store) IndexPath() string { return filepath.Join(s.root, "index.json") }

// Path is the file that holds d, or would; empty if d is not well formed.
func (s *Store) Path(d digest.Digest) string {
	if oci.CheckDigest(d) != nil {
		return ""
	}
	return filepath.Join(s.blobs, d.Encoded())
}

// Stat is the size of d in bytes; ErrNotFound if it can't be read here.
func (s *Store) Stat(d digest.Digest) (int64, error) {
	size, err := s.Stored(d)
	if errors.Is(err, ErrNotFound) && s.Elsewhere != nil {
		return s.Elsewhere.Stat(d)
	}
	return size, err
}

// Stored is the size in bytes of the file that holds d; ErrNotFound if there is none.
func (s *Store) Stored(d digest.Digest) (int64, error) {
	if err := oci.CheckDigest(d); err != nil {
		return 0, fmt.Errorf("look for blob: %w", err)
	}
	fi, err := os.Stat(s.Path(d))
	if err != nil {
		return 0, wrap("look for blob", d, err)
	}
	return fi.Size(), nil
}

// Remove deletes d. The caller knows that nothing refers to it and that nobody is about to. Removing what isn't there is no
// error.
func (s *Store) Remove(ctx context.Context, d digest.Digest) error {
	size, err := s.Stored(d)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = os.Remove(s.Path(d))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove blob %s: %w", d, err)
	}
	trace.Fact(ctx, vocab.BlobRemove, trace.String("digest", string(d)), trace.Int("size_bytes", size))
	return nil
}

// Discard removes the file of d because d can be had elsewhere from now on: the blob stays.
func (s *Store) Discard(d digest.Digest) error {
	if err := oci.CheckDigest(d); err != nil {
		return fmt.Errorf("discard blob: %w", err)
	}
	if err := os.Remove(s.Path(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("discard blob %s: %w", d, err)
	}
	return nil
}

// Walk calls visit for every blob that has a file, in the order of digests. Files that can't be blobs by their names are passed over.
func (s *Store) Walk(visit func(d digest.Digest, size int64) error) error {
	entries, err := os.ReadDir(s.blobs)
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	for _, e := range entries {
		d := digest.NewDigestFromEncoded(digest.SHA256, e.Name())
		fi, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || oci.CheckDigest(d) != nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		if err := visit(d, fi.Size()); err != nil {
			return err
		}
	}
	return nil
}

func wrap(doing string, d digest.Digest, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	return fmt.Errorf("%s %s: %w", doing, d, err)
}
