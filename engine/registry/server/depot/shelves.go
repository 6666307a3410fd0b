package depot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Annotations of our own on the descriptors of index.json.
const (
	annotationRepository = "learn.repository" // whose manifest it is
	annotationSubject    = "learn.subject"    // digest of the manifest that it refers to
)

// maxIndex bounds index.json, which other tools may write, too.
const maxIndex = 256 << 20

// shelves is the content of index.json, as it was at one moment. It is never changed; a change makes a new one.
type shelves struct {
	info    fs.FileInfo // of the file that it was read from
	names   []string    // of all repositories, sorted
	repos   map[string]*shelf
	foreign []v1.Descriptor // entries that another tool wrote; they stay as they are
}

// shelf is one repository's.
type shelf struct {
	tags      map[string]digest.Digest
	manifests map[digest.Digest]Manifest
	adopted   map[digest.Digest]bool // blobs and manifests that entries of other tools need
}

// Manifest says of a manifest what can be known without reading it.
type Manifest struct {
	MediaType string
	Digest    digest.Digest
	Size      int64
	Subject   digest.Digest // what it refers to, or empty
}

func newShelf() *shelf {
	return &shelf{tags: map[string]digest.Digest{}, manifests: map[digest.Digest]Manifest{}}
}

func (s *shelves) adopted(repo string, g digest.Digest) bool {
	r := s.repos[repo]
	return r != nil && r.adopted[g]
}

// with is a copy in which the shelf of repo can be changed.
func (s *shelves) with(repo string) (*shelves, *shelf) {
	changed := &shelves{repos: maps.Clone(s.repos), foreign: s.foreign}
	r := newShelf()
	if old := s.repos[repo]; old != nil {
		r = &shelf{maps.Clone(old.tags), maps.Clone(old.manifests), old.adopted}
	}
	changed.repos[repo] = r
	return changed, r
}

// current is what index.json holds now; it is read again if another process wrote it.
func (d *Depot) current() (*shelves, error) {
	s := d.shelves.Load()
	info, err := os.Stat(d.path(indexFile))
	if err != nil {
		return nil, fmt.Errorf("read registry index: %w", err)
	}
	if s != nil && same(s.info, info) {
		return s, nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.reload()
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// reload reads index.json, unless that was done meanwhile. The caller holds d.writing.
func (d *Depot) reload() (*shelves, error) {
	path := d.path(indexFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read registry index: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read registry index: %w", err)
	}
	if s := d.shelves.Load(); s != nil && same(s.info, info) {
		return s, nil
	}
	if info.Size() > maxIndex {
		return nil, fmt.Errorf("read registry index %s: %d bytes, at most %d are read", path, info.Size(), maxIndex)
	}
	var x v1.Index
	if err := json.NewDecoder(f).Decode(&x); err != nil {
		return nil, fmt.Errorf("read registry index %s: %w", path, err)
	}
	s := d.arrange(x.Manifests)
	s.info = info
	d.shelves.Store(s)
	return s, nil
}

// arrange sorts the entries of index.json into repositories.
func (d *Depot) arrange(entries []v1.Descriptor) *shelves {
	s := &shelves{repos: map[string]*shelf{}}
	for _, e := range entries {
		repo, tag, ok := nameOf(e)
		if !ok {
			s.foreign = append(s.foreign, e)
			continue
		}
		r := s.repos[repo]
		if r == nil {
			r = newShelf()
			s.repos[repo] = r
		}
		if e.Annotations[annotationRepository] == "" {
			s.foreign = append(s.foreign, e)
			d.adopt(r, e, 0)
		}
		r.manifests[e.Digest] = Manifest{e.MediaType, e.Digest, e.Size, digest.Digest(e.Annotations[annotationSubject])}
		if tag != "" {
			r.tags[tag] = e.Digest
		}
	}
	s.sort()
	return s
}

func (s *shelves) sort() { s.names = slices.Sorted(maps.Keys(s.repos)) }

// nameOf is the repository of an entry, and its tag. One that other tools wrote counts if its name is REPOSITORY:TAG.
func nameOf(e v1.Descriptor) (repo, tag string, ok bool) {
	if CheckDigest(e.Digest) != nil || !oci.IsManifest(e.MediaType) && !oci.IsIndex(e.MediaType) {
		return "", "", false
	}
	repo = e.Annotations[annotationRepository]
	name, tagged := e.Annotations[oci.AnnotationRefName]
	if repo != "" && !tagged {
		return repo, "", oci.IsRepository(repo)
	}
	i := strings.LastIndexByte(name, ':')
	if i < 0 || repo != "" && name[:i] != repo {
		return "", "", false
	}
	return name[:i], name[i+1:], oci.IsRepository(name[:i]) && oci.IsTag(name[i+1:])
}

// adopt gives a repository what an entry of another tool needs. What can't be read is left out: who asks for it gets an answer then.
func (d *Depot) adopt(r *shelf, e v1.Descriptor, depth int) {
	if r.adopted == nil {
		r.adopted = map[digest.Digest]bool{}
	}
	r.adopted[e.Digest] = true
	data, err := d.read(e.Digest, oci.MaxJSON)
	if err != nil || depth > maxDepth {
		return
	}
	needs, err := Parse(e.MediaType, data)
	if err != nil {
		return
	}
	for _, b := range needs.Blobs {
		r.adopted[b.Digest] = true
	}
	for _, m := range needs.Manifests {
		if r.adopted[m.Digest] {
			continue
		}
		if _, ok := r.manifests[m.Digest]; !ok {
			r.manifests[m.Digest] = Manifest{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size}
		}
		d.adopt(r, m, depth+1)
	}
}

// change makes a new index.json of what it was.
func (d *Depot) change(repo string, change func(*shelf) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	old, err := d.reload()
	if err != nil {
		return err
	}
	s, r := old.with(repo)
	if err := d.takeOver(s, r, repo); err != nil {
		return err
	}
	if err := change(r); err != nil {
		return err
	}
	if len(r.manifests) == 0 {
		delete(s.repos, repo)
	}
	s.sort()
	if err := d.write(d.path(indexFile), encode(s)); err != nil {
		return &DiskError{err}
	}
	if s.info, err = os.Stat(d.path(indexFile)); err != nil {
		return &DiskError{err}
	}
	d.shelves.Store(s)
	return nil
}

// takeOver makes what other tools wrote for a repository our own, before we change it.
func (d *Depot) takeOver(s *shelves, r *shelf, repo string) error {
	if r.adopted == nil {
		return nil
	}
	for g := range r.adopted {
		if err := d.mark(repo, g); err != nil {
			return err
		}
	}
	r.adopted = nil
	s.foreign = slices.DeleteFunc(slices.Clone(s.foreign), func(e v1.Descriptor) bool {
		of, _, ok := nameOf(e)
		return ok && of == repo
	})
	return d.syncMarks(repo)
}

// encode writes one entry a line: people read it.
func encode(s *shelves) []byte {
	var b bytes.Buffer
	b.WriteString("{\"schemaVersion\":2,\"mediaType\":\"" + oci.MediaTypeIndex + "\",\"manifests\":[")
	sep := "\n"
	add := func(e v1.Descriptor) {
		line, err := json.Marshal(e)
		if err != nil { // a descriptor holds nothing that can't be encoded
			return
		}
		b.WriteString(sep)
		b.Write(line)
		sep = ",\n"
	}
	if s != nil {
		for _, e := range s.foreign {
			add(e)
		}
		for _, name := range s.names {
			s.repos[name].encode(name, add)
		}
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

// encode gives the entries of one repository: each tag, and each manifest that has none.
func (r *shelf) encode(name string, add func(v1.Descriptor)) {
	tagged := map[digest.Digest]bool{}
	for _, tag := range slices.Sorted(maps.Keys(r.tags)) {
		g := r.tags[tag]
		tagged[g] = true
		if !r.adopted[g] {
			add(r.manifests[g].entry(name, tag))
		}
	}
	for _, g := range slices.Sorted(maps.Keys(r.manifests)) {
		if !tagged[g] && !r.adopted[g] {
			add(r.manifests[g].entry(name, ""))
		}
	}
}

func (m Manifest) entry(repo, tag string) v1.Descriptor {
	a := map[string]string{annotationRepository: repo}
	if tag != "" {
		a[oci.AnnotationRefName] = repo + ":" + tag
	}
	if m.Subject != "" {
		a[annotationSubject] = string(m.Subject)
	}
	return v1.Descriptor{MediaType: m.MediaType, Digest: m.Digest, Size: m.Size, Annotations: a}
}

// read reads a small blob, verified.
func (d *Depot) read(g digest.Digest, limit int64) ([]byte, error) {
	if err := CheckDigest(g); err != nil {
		return nil, err
	}
	fi, err := os.Stat(d.blobPath(g))
	if err != nil {
		return nil, wrap("read manifest", g, err)
	}
	if fi.Size() > limit {
		return nil, fmt.Errorf("read manifest %s: %d bytes, at most %d are read", g, fi.Size(), limit)
	}
	data, err := os.ReadFile(d.blobPath(g))
	if err != nil {
		return nil, wrap("read manifest", g, err)
	}
	if got := Sum(g, data); got != g {
		return nil, fmt.Errorf("read manifest: %w", errors.Join(&DigestError{Want: g, Got: got}))
	}
	return data, nil
}
