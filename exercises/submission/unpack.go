package submission

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/exercises/class"
	"github.com/learn-containers/learn/exercises/journal"
)

// ReadManifest reads only the beginning of an archive, whatever follows.
func ReadManifest(in io.Reader) (Manifest, error) {
	r, err := newReader(in)
	if err != nil {
		return Manifest{}, err
	}
	return r.manifest()
}

// Submission is an archive that was taken apart.
type Submission struct {
	Manifest
	Logs map[string]journal.Log // by exercise
	dir  string
}

// Unpack reads a whole archive and keeps the contents in dir, an empty folder.
func Unpack(in io.Reader, dir string) (Submission, error) {
	s := Submission{Logs: map[string]journal.Log{}, dir: dir}
	r, err := newReader(in)
	if err != nil {
		return s, err
	}
	if s.Manifest, err = r.manifest(); err != nil {
		return s, err
	}
	for {
		h, err := r.next()
		if errors.Is(err, io.EOF) {
			return s, s.complete()
		}
		if err == nil {
			err = s.take(h, r.tar)
		}
		if err != nil {
			return s, fmt.Errorf("read submission: %w", err)
		}
	}
}

// Content opens a content. The caller closes it.
func (s Submission) Content(hash string) (io.ReadCloser, error) {
	if !journal.ValidHash(hash) {
		return nil, fmt.Errorf("open content %.80q: expected a SHA-256", hash)
	}
	return os.Open(filepath.Join(s.dir, hash))
}

func (s Submission) take(h *tar.Header, in io.Reader) error {
	if hash, ok := strings.CutPrefix(h.Name, "objects/"); ok && journal.ValidHash(hash) {
		return s.keep(hash, in)
	}
	id, ok := strings.CutSuffix(h.Name, "/journal.jsonl")
	if _, twice := s.Logs[id]; !ok || twice || !class.ValidID(id) {
		return fmt.Errorf("entry %.80q; expected journals and contents, each once", h.Name)
	}
	log, err := journal.Read(in)
	s.Logs[id] = log
	return err
}

func (s Submission) keep(hash string, in io.Reader) error {
	f, err := os.OpenFile(filepath.Join(s.dir, hash), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep content %s: %w", hash, err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(in, journal.MaxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep content %s: %w", hash, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n > journal.MaxFile || got != hash {
		return fmt.Errorf("content %s has the hash %s and %d bytes; expected its own hash and at most %d bytes", hash, got, n, journal.MaxFile)
	}
	return nil
}

// complete asks for the journal of each exercise of the manifest, and for nothing else.
func (s Submission) complete() error {
	for _, p := range s.Exercises {
		if _, ok := s.Logs[p.ID]; !ok {
			return fmt.Errorf("read submission: it has no journal of %s", p.ID)
		}
	}
	if len(s.Logs) != len(s.Exercises) {
		return fmt.Errorf("read submission: it has %d journals; expected those of %d exercises", len(s.Logs), len(s.Exercises))
	}
	return nil
}

// reader bounds what comes out of an archive.
type reader struct {
	tar   *tar.Reader
	files int
}

func newReader(in io.Reader) (*reader, error) {
	z, err := gzip.NewReader(io.LimitReader(in, MaxArchive))
	if err != nil {
		return nil, fmt.Errorf("read submission: %w; expected an archive that learn submit made", err)
	}
	return &reader{tar: tar.NewReader(&bounded{z, MaxUnpacked})}, nil
}

func (r *reader) next() (*tar.Header, error) {
	h, err := r.tar.Next()
	if err != nil {
		return nil, err
	}
	if r.files++; r.files > MaxFiles {
		return nil, fmt.Errorf("it has more than %d entries", MaxFiles)
	}
	if h.Typeflag != tar.TypeReg || h.Size > MaxUnpacked {
		return nil, fmt.Errorf("entry %.80q of type %q and %d bytes; expected a file", h.Name, h.Typeflag, h.Size)
	}
	return h, nil
}

func (r *reader) manifest() (Manifest, error) {
	var m Manifest
	h, err := r.next()
	if err == nil && (h.Name != "manifest.json" || h.Size > MaxManifest) {
		err = fmt.Errorf("it begins with %.80q of %d bytes; expected manifest.json of at most %d", h.Name, h.Size, MaxManifest)
	}
	if err == nil {
		err = json.NewDecoder(io.LimitReader(r.tar, MaxManifest)).Decode(&m)
	}
	if err == nil {
		err = m.valid()
	}
	if err != nil {
		return m, fmt.Errorf("read submission: %w", err)
	}
	return m, nil
}

// bounded ends in an error, not in silence, when more comes than is allowed.
type bounded struct {
	in   io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("it unpacks to more than %d bytes", MaxUnpacked)
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
