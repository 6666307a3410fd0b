package depot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// MissingError reports what a manifest needs and its repository does not have, or has in another size.
type MissingError struct {
	Descriptor v1.Descriptor
	Size       int64 // in the repository; -1 if it isn't there
	Manifest   bool  // it is a manifest, not a blob
}

func (e *MissingError) Error() string {
	what := "blob"
	if e.Manifest {
		what = "manifest"
	}
	if e.Size < 0 {
		return fmt.Sprintf("it needs the %s %s, which is not in this repository: push that first", what, e.Descriptor.Digest)
	}
	return fmt.Sprintf("it says that the %s %s has %d bytes, but it has %d", what, e.Descriptor.Digest, e.Descriptor.Size, e.Size)
}

// InvalidError reports a manifest that is not taken.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *InvalidError) Unwrap() error { return e.Err }

// Put stores a manifest in repo, if all that it needs is there, and points tags at it. It gives what the manifest says. Errors are
// *InvalidError, *MissingError, *DigestError (data is not what its name g says) and *DiskError.
func (d *Depot) Put(ctx context.Context, repo string, g digest.Digest, mediaType string, data []byte, tags ...string) (Needs, error) {
	if err := check(repo, g); err != nil {
		return Needs{}, fmt.Errorf("store manifest: %w", err)
	}
	if got := Sum(g, data); got != g {
		return Needs{}, fmt.Errorf("store manifest: %w", &DigestError{Want: g, Got: got})
	}
	needs, err := Parse(mediaType, data)
	if err != nil {
		return Needs{}, fmt.Errorf("store manifest %s: %w", g, &InvalidError{err})
	}
	unlock, err := d.shared(ctx)
	if err != nil {
		return Needs{}, err
	}
	defer func() { _ = unlock() }()
	if err := d.complete(repo, needs); err != nil {
		return Needs{}, fmt.Errorf("store manifest %s: %w", g, err)
	}
	if err := d.putFile(repo, g, data); err != nil {
		return Needs{}, wrap("store manifest", g, &DiskError{err})
	}
	m := Manifest{mediaType, g, int64(len(data)), needs.Subject}
	err = d.change(repo, func(r *shelf) error {
		r.manifests[g] = m
		for _, t := range tags {
			r.tags[t] = g
		}
		return nil
	})
	if err != nil {
		return Needs{}, fmt.Errorf("store manifest %s: %w", g, err)
	}
	failpoint.Hit("depot.manifest.named")
	return needs, nil
}

// complete reports what is missing in repo.
func (d *Depot) complete(repo string, needs Needs) error {
	for _, b := range needs.Blobs {
		size, err := d.Stat(repo, b.Digest)
		if errors.Is(err, ErrNotFound) {
			return &MissingError{Descriptor: b, Size: -1}
		}
		if err != nil {
			return err
		}
		if size != b.Size {
			return &MissingError{Descriptor: b, Size: size}
		}
	}
	s, err := d.current()
	if err != nil {
		return err
	}
	for _, m := range needs.Manifests {
		have, ok := Manifest{Size: -1}, false
		if r := s.repos[repo]; r != nil {
			have, ok = r.manifests[m.Digest]
		}
		if !ok {
			return &MissingError{Descriptor: m, Size: -1, Manifest: true}
		}
		if have.Size != m.Size {
			return &MissingError{Descriptor: m, Size: have.Size, Manifest: true}
		}
	}
	return nil
}

// putFile writes a manifest's bytes, and makes durable what it is about to name: the blobs and the repository's marks.
func (d *Depot) putFile(repo string, g digest.Digest, data []byte) error {
	if _, err := d.read(g, int64(len(data))); err != nil {
		if err := d.makeDurable(filepath.Dir(d.blobPath(g))); err != nil {
			return err
		}
		if err := d.write(d.blobPath(g), data); err != nil {
			return err
		}
	}
	failpoint.Hit("depot.manifest.stored")
	return d.syncMarks(repo)
}

// syncMarks makes durable what blobs there are and which of them a repository has.
func (d *Depot) syncMarks(repo string) error {
	for name := range algorithms {
		for _, dir := range []string{d.path("blobs", name), filepath.Join(d.marks(repo), name)} {
			if _, err := os.Stat(dir); err != nil {
				continue
			}
			if err := d.syncDir(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// Find is the manifest that ref, a tag or a digest, means in repo; ErrNotFound if there is none.
func (d *Depot) Find(repo, ref string) (Manifest, error) {
	s, err := d.current()
	if err != nil {
		return Manifest{}, err
	}
	r := s.repos[repo]
	if r == nil {
		return Manifest{}, fmt.Errorf("find manifest %s: %w", ref, ErrNotFound)
	}
	g := digest.Digest(ref)
	if !strings.Contains(ref, ":") {
		g = r.tags[ref]
	}
	m, ok := r.manifests[g]
	if !ok {
		return Manifest{}, fmt.Errorf("find manifest %s: %w", ref, ErrNotFound)
	}
	return m, nil
}

// Read gives a manifest's bytes, verified.
func (d *Depot) Read(m Manifest) ([]byte, error) { return d.read(m.Digest, oci.MaxJSON) }

// Untag takes a tag from repo. The manifest stays, and so do its other tags.
func (d *Depot) Untag(ctx context.Context, repo, tag string) error {
	return d.remove(ctx, repo, func(r *shelf) error {
		if _, ok := r.tags[tag]; !ok {
			return fmt.Errorf("delete tag %s: %w", tag, ErrNotFound)
		}
		delete(r.tags, tag)
		return nil
	})
}

// Delete takes a manifest from repo, with all its tags.
func (d *Depot) Delete(ctx context.Context, repo string, g digest.Digest) error {
	return d.remove(ctx, repo, func(r *shelf) error {
		if _, ok := r.manifests[g]; !ok {
			return fmt.Errorf("delete manifest %s: %w", g, ErrNotFound)
		}
		delete(r.manifests, g)
		maps.DeleteFunc(r.tags, func(_ string, of digest.Digest) bool { return of == g })
		return nil
	})
}

func (d *Depot) remove(ctx context.Context, repo string, change func(*shelf) error) error {
	unlock, err := d.shared(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	return d.change(repo, change)
}

// Repositories lists the names of all repositories that have manifests, sorted.
func (d *Depot) Repositories() ([]string, error) {
	s, err := d.current()
	if err != nil {
		return nil, err
	}
	return s.names, nil
}

// Tags lists the tags of repo, in the order of the distribution-spec: without regard to case. ErrNotFound if there is no such repository.
func (d *Depot) Tags(repo string) ([]string, error) {
	s, err := d.current()
	if err != nil {
		return nil, err
	}
	r := s.repos[repo]
	if r == nil {
		if _, err := os.Stat(d.marks(repo)); err != nil || !oci.IsRepository(repo) {
			return nil, fmt.Errorf("list tags of %.100q: %w", repo, ErrNotFound)
		}
		return nil, nil
	}
	return slices.SortedFunc(maps.Keys(r.tags), CompareTags), nil
}

// CompareTags is the order of tags in lists.
func CompareTags(a, b string) int {
	if c := strings.Compare(strings.ToLower(a), strings.ToLower(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// Referrers lists the manifests of repo that refer to g, by digest.
func (d *Depot) Referrers(repo string, g digest.Digest) ([]Manifest, error) {
	s, err := d.current()
	if err != nil {
		return nil, err
	}
	r := s.repos[repo]
	if r == nil {
		return nil, nil
	}
	var list []Manifest
	for _, m := range r.manifests {
		if m.Subject == g {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b Manifest) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return list, nil
}
