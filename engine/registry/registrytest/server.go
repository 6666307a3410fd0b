// Package registrytest is a registry in memory for tests: it keeps what is pushed, serves what a test put into it, and misbehaves as
// a test tells it to. It is no registry for use.
package registrytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Server is a registry on the loopback interface, which ends with its test.
type Server struct {
	// Before, if set, sees each request first and reports whether it answered it.
	Before func(w http.ResponseWriter, r *http.Request) bool

	t    testing.TB
	http *httptest.Server

	mu        sync.Mutex
	blobs     map[digest.Digest][]byte
	manifests map[string]manifest // "repository@digest" and "repository:tag"
	uploads   map[string][]byte   // under way, by address
	requests  []string
}

type manifest struct {
	mediaType string
	data      []byte
}

// New starts a registry.
func New(t testing.TB) *Server {
	s := &Server{t: t, blobs: map[digest.Digest][]byte{}, manifests: map[string]manifest{}, uploads: map[string][]byte{}}
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	return s
}

// Host is the registry's address, as it stands in names.
func (s *Server) Host() string { return strings.TrimPrefix(s.http.URL, "http://") }

// Ref is a name in this registry: of "repository:tag" or "repository@digest".
func (s *Server) Ref(name string) oci.Ref {
	s.t.Helper()
	ref, err := oci.ParseRef(s.Host() + "/" + name)
	if err != nil {
		s.t.Fatal(err)
	}
	return ref
}

// AddBlob puts a blob into every repository.
func (s *Server) AddBlob(mediaType string, data []byte) v1.Descriptor {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := v1.Descriptor{MediaType: mediaType, Digest: oci.Sum(data), Size: int64(len(data))}
	s.blobs[d.Digest] = data
	return d
}

// AddManifest puts v, as JSON unless it is bytes, under name ("repository:tag") and under its digest.
func (s *Server) AddManifest(name, mediaType string, v any) v1.Descriptor {
	s.t.Helper()
	data, ok := v.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(v); err != nil {
			s.t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keep(name, mediaType, data)
}

func (s *Server) keep(name, mediaType string, data []byte) v1.Descriptor {
	d := v1.Descriptor{MediaType: mediaType, Digest: oci.Sum(data), Size: int64(len(data))}
	repo, _, _ := strings.Cut(name, ":")
	s.manifests[name] = manifest{mediaType, data}
	s.manifests[repo+"@"+string(d.Digest)] = manifest{mediaType, data}
	return d
}

// SetBlob makes the registry serve data as the blob d, whatever its digest is; nil removes it.
func (s *Server) SetBlob(d digest.Digest, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data == nil {
		delete(s.blobs, d)
		return
	}
	s.blobs[d] = data
}

// Blob is what the registry holds as d, or nil.
func (s *Server) Blob(d digest.Digest) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blobs[d]
}

// Manifest is what the registry holds as name ("repository:tag"), or nil.
func (s *Server) Manifest(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.manifests[name].data
}

// Requests lists what was asked for since the last call: "GET /v2/...".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.requests)
	s.requests = nil
	return list
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	if s.Before != nil && s.Before(w, r) {
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if path == "" {
		return // it is a registry
	}
	if repo, ref, ok := strings.Cut(path, "/manifests/"); ok {
		s.manifest(w, r, repo, ref)
		return
	}
	repo, what, ok := strings.Cut(path, "/blobs/")
	switch {
	case !ok:
		Refuse(w, http.StatusNotFound, "UNSUPPORTED")
	case strings.HasPrefix(what, "uploads/"):
		s.upload(w, r, repo)
	default:
		s.blob(w, r, digest.Digest(what))
	}
}

// Refuse answers with a status and one of the distribution-spec's codes.
func Refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"said the registry"}]}`, code)
}

func (s *Server) manifest(w http.ResponseWriter, r *http.Request, repo, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sep := ":"
	if strings.Contains(ref, ":") {
		sep = "@"
	}
	name := repo + sep + ref
	if r.Method == http.MethodPut {
		data, err := io.ReadAll(r.Body)
		if err != nil || sep == "@" && string(oci.Sum(data)) != ref || !s.complete(data) {
			Refuse(w, http.StatusBadRequest, "MANIFEST_INVALID")
			return
		}
		d := s.keep(name, r.Header.Get("Content-Type"), data)
		w.Header().Set("Docker-Content-Digest", string(d.Digest))
		w.WriteHeader(http.StatusCreated)
		return
	}
	m, ok := s.manifests[name]
	if !ok {
		Refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
		return
	}
	w.Header().Set("Content-Type", m.mediaType)
	w.Header().Set("Docker-Content-Digest", string(oci.Sum(m.data)))
	w.Header().Set("Content-Length", strconv.Itoa(len(m.data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(m.data)
	}
}

// complete reports that all blobs of a manifest are here.
func (s *Server) complete(data []byte) bool {
	var m v1.Manifest
	if json.Unmarshal(data, &m) != nil {
		return false
	}
	for _, d := range append(m.Layers, m.Config) {
		if b, ok := s.blobs[d.Digest]; d.Digest != "" && (!ok || int64(len(b)) != d.Size) {
			return false
		}
	}
	return true
}

// upload takes a blob in one piece or in several.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, repo string) {
	if r.Method == http.MethodPost {
		s.mu.Lock()
		id := fmt.Sprintf("/v2/%s/blobs/uploads/%d", repo, len(s.uploads))
		s.uploads[id] = nil
		s.mu.Unlock()
		w.Header().Set("Location", id)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	data, err := io.ReadAll(r.Body)
	s.mu.Lock()
	data = append(s.uploads[r.URL.Path], data...)
	s.uploads[r.URL.Path] = data
	s.mu.Unlock()
	if r.Method == http.MethodPatch {
		w.Header().Set("Location", r.URL.Path)
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(len(data)-1, 0)))
		w.WriteHeader(http.StatusAccepted)
		return
	}
	d := digest.Digest(r.URL.Query().Get("digest"))
	if err != nil || oci.Sum(data) != d {
		Refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
		return
	}
	s.AddBlob("", data)
	w.WriteHeader(http.StatusCreated)
}

func (s *Server) blob(w http.ResponseWriter, r *http.Request, d digest.Digest) {
	s.mu.Lock()
	data, ok := s.blobs[d]
	s.mu.Unlock()
	if !ok {
		Refuse(w, http.StatusNotFound, "BLOB_UNKNOWN")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}
