package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/server/depot"
	"github.com/opencontainers/go-digest"
)

func damage(t *testing.T, l *lab, g digest.Digest, data string) {
	t.Helper()
	if err := os.WriteFile(l.dir+"/blobs/sha256/"+g.Encoded(), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzRoute wants what passes the parser to be safe as a path, and to be the path that it came from.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/v2/", "/v2/_catalog", "/v2/a/b/manifests/latest", "/v2/a/blobs/uploads/", "/v2/a/tags/list", "/v2/a/../b/manifests/x",
		"/v2/a/blobs/sha256:" + strings.Repeat("0", 64), "/v2/blobs/uploads/blobs/uploads/" + strings.Repeat("0", 32), "/v2/a/referrers/sha512:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r, err := parseRoute(path)
		if err != nil {
			if asRefusal(err, placeBase).status >= 500 {
				t.Fatalf("%q: %v", path, err)
			}
			return
		}
		if r.place > placeCatalog && !oci.IsRepository(r.repo) || strings.Contains(r.repo+r.ref, "..") && r.isTag() && !oci.IsTag(r.ref) {
			t.Fatalf("%q became %+v", path, r)
		}
		if !strings.Contains(path, r.repo) || !strings.HasSuffix(path, r.ref) {
			t.Fatalf("%q became %+v", path, r)
		}
	})
}

// FuzzChunk wants ranges that pass to be sane.
func FuzzChunk(f *testing.F) {
	for _, s := range []string{"0-9", "bytes 0-9/10", "5-4", "-1", "9223372036854775807-9223372036854775807", "0-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if first, n, ok := parseChunk(s); ok && (first < 0 || n <= 0 || first+n < 0) {
			t.Fatalf("%q: %d bytes from %d", s, n, first)
		}
	})
}

// FuzzManifest wants the parser to take nothing that means two things.
func FuzzManifest(f *testing.F) {
	f.Add(oci.MediaTypeManifest, []byte(imageOf("", "{}", "x")))
	f.Add(oci.MediaTypeIndex, []byte(`{"schemaVersion":2,"manifests":[]}`))
	f.Fuzz(func(t *testing.T, mediaType string, data []byte) {
		n, err := depot.Parse(mediaType, data)
		if err == nil && len(n.Blobs) > 0 && len(n.Manifests) > 0 {
			t.Fatalf("%s %q is both", mediaType, data)
		}
	})
}

// FuzzPasswords wants a password file to be read or refused.
func FuzzPasswords(f *testing.F) {
	f.Add([]byte("# users\nada:" + unknownsSecret + "\n"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parsePasswords(data) })
}

// FuzzRequest lets any request at a registry, which must answer with something but its own failure, and keep nothing where it does not belong.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/v2/a/manifests/1", "n=1", "", "")
	f.Add("POST", "/v2/a/blobs/uploads/", "mount=x&from=y", "0-3", "body")
	f.Add("PUT", "/v2/a/manifests/1", "tag=x", "", `{"schemaVersion":2}`)
	l := newLab(f, Options{Delete: true})
	f.Fuzz(func(t *testing.T, method, path, query, chunk, body string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{"Content-Range": {chunk}, "Content-Type": {oci.MediaTypeManifest}, "Range": {chunk}},
			Body: http.NoBody, ContentLength: int64(len(body)), Proto: "HTTP/1.1"}
		if body != "" {
			r = httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Method, r.URL, r.Header = method, &url.URL{Path: path, RawQuery: query}, http.Header{"Content-Range": {chunk}, "Content-Type": {oci.MediaTypeManifest}}
		}
		w := httptest.NewRecorder()
		l.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s %q?%q: %d %s", method, path, query, w.Code, w.Body)
		}
	})
}
