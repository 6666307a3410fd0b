package server

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestPushedIsPulled(t *testing.T) {
	l := newLab(t, Options{})
	m := l.pushImage("team/app", "1", "{}", "layer one", "layer two")
	g := string(oci.Sum([]byte(m)))
	for _, ref := range []string{"1", g} {
		w := l.want(200, "GET", "/v2/team/app/manifests/"+ref, "")
		if w.Body.String() != m || w.Header().Get("Docker-Content-Digest") != g || w.Header().Get("Content-Type") != oci.MediaTypeManifest {
			t.Errorf("%s: %q %v", ref, w.Body, w.Header())
		}
		if w := l.want(200, "HEAD", "/v2/team/app/manifests/"+ref, ""); w.Body.Len() != 0 || w.Header().Get("Content-Length") != fmt.Sprint(len(m)) {
			t.Errorf("HEAD %s: %q %v", ref, w.Body, w.Header())
		}
	}
	w := l.want(206, "GET", "/v2/team/app/blobs/"+string(oci.Sum([]byte("layer two"))), "", "Range", "bytes=6-")
	if w.Body.String() != "two" {
		t.Errorf("range: %q", w.Body)
	}
	if w.Header().Get("Docker-Distribution-Api-Version") != "registry/2.0" {
		t.Error("no API version")
	}
}

// A registry that is opened anew, also by another program's eyes, has what was pushed.
func TestWhatIsKeptIsAnImageLayout(t *testing.T) {
	l := newLab(t, Options{})
	m := l.pushImage("a/b", "x", "{}", "one")
	l.reopen(Options{})
	if w := l.want(200, "GET", "/v2/a/b/manifests/x", ""); w.Body.String() != m {
		t.Errorf("%q", w.Body)
	}
	s, err := l.depot.Repositories()
	if err != nil || !slices.Equal(s, []string{"a/b"}) {
		t.Error(s, err)
	}
}

func TestChunks(t *testing.T) {
	l := newLab(t, Options{})
	w := l.want(202, "POST", "/v2/a/blobs/uploads/", "")
	at := w.Header().Get("Location")
	l.want(202, "PATCH", at, "hello ", "Content-Range", "0-5")
	for _, bad := range []string{"0-5", "7-11", "6-99", "x", "6-", "9223372036854775807-9223372036854775807", "6-5"} {
		if w := l.want(416, "PATCH", at, "world", "Content-Range", bad); w.Header().Get("Range") != "0-5" || w.Header().Get("Location") == "" {
			t.Errorf("%s: %v", bad, w.Header())
		}
	}
	if w := l.want(204, "GET", at, ""); w.Header().Get("Range") != "0-5" {
		t.Errorf("status: %v", w.Header())
	}
	l.want(202, "PATCH", at, "wor", "Content-Range", "6-8")
	g := oci.Sum([]byte("hello world"))
	l.want(201, "PUT", at+"?digest="+string(g), "ld", "Content-Range", "9-10")
	if w := l.want(200, "GET", "/v2/a/blobs/"+string(g), ""); w.Body.String() != "hello world" {
		t.Errorf("%q", w.Body)
	}
	l.want(404, "GET", at, "")
}

func TestSha512(t *testing.T) {
	l := newLab(t, Options{})
	sum := sha512.Sum512([]byte("hello world"))
	g := "sha512:" + hex.EncodeToString(sum[:])
	l.want(201, "POST", "/v2/a/blobs/uploads/?digest="+g, "hello world")
	l.want(200, "HEAD", "/v2/a/blobs/"+g, "")
	at := l.want(202, "POST", "/v2/b/blobs/uploads/", "").Header().Get("Location")
	l.want(202, "PATCH", at, "hello ")
	l.want(201, "PUT", at+"?digest="+g, "world")
	l.want(200, "HEAD", "/v2/b/blobs/"+g, "")
}

func TestWrongDigestStoresNothing(t *testing.T) {
	l := newLab(t, Options{})
	g := string(oci.Sum([]byte("something else")))
	if w := l.want(400, "POST", "/v2/a/blobs/uploads/?digest="+g, "bytes"); code(t, w) != codeDigestInvalid {
		t.Error(w.Body)
	}
	at := l.want(202, "POST", "/v2/a/blobs/uploads/", "").Header().Get("Location")
	l.want(400, "PUT", at+"?digest="+g, "bytes")
	if left := l.files("blobs", "uploads", "repositories"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// brokenBody is a body that ends before its time.
type brokenBody struct{ io.Reader }

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestBrokenBodies(t *testing.T) {
	l := newLab(t, Options{})
	g := string(oci.Sum([]byte("whole body")))
	if w := l.ask("POST", "/v2/a/blobs/uploads/?digest="+g, brokenBody{strings.NewReader("whole")}); w.Code != 400 {
		t.Errorf("monolithic: %d %s", w.Code, w.Body)
	}
	at := l.want(202, "POST", "/v2/a/blobs/uploads/", "").Header().Get("Location")
	if w := l.ask("PATCH", at, brokenBody{strings.NewReader("whole")}); w.Code != 400 {
		t.Errorf("chunk: %d %s", w.Code, w.Body)
	}
	// What came is kept, so that the client can carry on.
	if w := l.want(204, "GET", at, ""); w.Header().Get("Range") != "0-4" {
		t.Errorf("status: %v", w.Header())
	}
	l.want(201, "PUT", at+"?digest="+g, " body")
	if w := l.ask("PUT", "/v2/a/manifests/1", brokenBody{strings.NewReader("{")}, "Content-Type", oci.MediaTypeManifest); w.Code != 400 {
		t.Errorf("manifest: %d %s", w.Code, w.Body)
	}
	if left := l.files("uploads"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestMount(t *testing.T) {
	l := newLab(t, Options{Delete: true})
	g := string(l.pushBlob("a", "shared"))
	l.want(404, "HEAD", "/v2/b/blobs/"+g, "")
	l.want(201, "POST", "/v2/b/blobs/uploads/?mount="+g+"&from=a", "")
	l.want(200, "HEAD", "/v2/b/blobs/"+g, "")
	l.want(201, "POST", "/v2/c/blobs/uploads/?mount="+g, "")
	l.want(202, "POST", "/v2/d/blobs/uploads/?mount="+string(oci.Sum([]byte("nowhere")))+"&from=a", "")
	l.want(202, "POST", "/v2/d/blobs/uploads/?mount="+g+"&from=nobody", "")
	l.want(400, "POST", "/v2/d/blobs/uploads/?mount="+g+"&from=../a", "")
	l.want(400, "POST", "/v2/d/blobs/uploads/?mount=sha256:../../x&from=a", "")
	for _, repo := range []string{"a", "b", "c"} {
		l.want(202, "DELETE", "/v2/"+repo+"/blobs/"+g, "")
	}
	// The bytes are still there, but nobody's: knowing a digest is not having the blob.
	l.want(202, "POST", "/v2/d/blobs/uploads/?mount="+g, "")
}

// Deleted in a and asked for in b, a blob must not come back in a (CVE-2026-35172).
func TestDeletedBlobStaysDeleted(t *testing.T) {
	l := newLab(t, Options{Delete: true})
	g := string(l.pushBlob("a", "x"))
	l.pushBlob("b", "x")
	l.want(202, "DELETE", "/v2/a/blobs/"+g, "")
	l.want(200, "GET", "/v2/b/blobs/"+g, "")
	l.want(404, "GET", "/v2/a/blobs/"+g, "")
	l.want(404, "DELETE", "/v2/a/blobs/"+g, "")
}

func TestDeleteSwitch(t *testing.T) {
	off, on := newLab(t, Options{}), newLab(t, Options{Delete: true})
	for l, status := range map[*lab]int{off: 405, on: 202} {
		m := l.pushImage("a", "1", "{}")
		g := string(oci.Sum([]byte(m)))
		l.want(status, "DELETE", "/v2/a/manifests/1", "")
		l.want(status, "DELETE", "/v2/a/manifests/"+g, "")
		l.want(status, "DELETE", "/v2/a/blobs/"+string(oci.Sum([]byte("{}"))), "")
	}
	off.want(200, "GET", "/v2/a/manifests/1", "")
	on.want(404, "GET", "/v2/a/manifests/1", "")
}

func TestDeletingADigestTakesItsTags(t *testing.T) {
	l := newLab(t, Options{Delete: true})
	m := l.pushImage("a", "1", "{}")
	l.want(201, "PUT", "/v2/a/manifests/2", m, "Content-Type", oci.MediaTypeManifest)
	l.want(202, "DELETE", "/v2/a/manifests/1", "")
	l.want(404, "GET", "/v2/a/manifests/1", "")
	l.want(200, "GET", "/v2/a/manifests/2", "")
	l.want(202, "DELETE", "/v2/a/manifests/"+string(oci.Sum([]byte(m))), "")
	l.want(404, "GET", "/v2/a/manifests/2", "")
	if w := l.want(200, "GET", "/v2/a/tags/list", ""); w.Body.String() != `{"name":"a","tags":[]}` {
		t.Error(w.Body)
	}
}

func TestReadOnly(t *testing.T) {
	l := newLab(t, Options{})
	m := l.pushImage("a", "1", "{}")
	l.reopen(Options{ReadOnly: true, Delete: true})
	l.want(405, "PUT", "/v2/a/manifests/2", m, "Content-Type", oci.MediaTypeManifest)
	l.want(405, "POST", "/v2/a/blobs/uploads/", "")
	l.want(405, "DELETE", "/v2/a/manifests/1", "")
	l.want(200, "GET", "/v2/a/manifests/1", "")
}

func TestHostileNames(t *testing.T) {
	l := newLab(t, Options{Delete: true})
	hexa := strings.Repeat("a", 64)
	for _, path := range []string{
		"/v2/../../etc/passwd/manifests/1", "/v2/a/../b/manifests/1", "/v2/a//b/manifests/1", "/v2/%2e%2e/manifests/1", "/v2/a%2f..%2fb/blobs/sha256:" + hexa,
		"/v2/UPPER/manifests/1", "/v2/_blobs/manifests/1", "/v2/a/_blobs/manifests/1", "/v2/" + strings.Repeat("a", 256) + "/manifests/1",
		"/v2/a/manifests/..", "/v2/a/manifests/-x", "/v2/a/manifests/" + strings.Repeat("t", 129), "/v2/a/manifests/a%00b",
		"/v2/a/manifests/sha256:../../x", "/v2/a/manifests/md5:" + hexa, "/v2/a/blobs/sha256:" + strings.ToUpper(hexa), "/v2/a/blobs/sha256:" + hexa[1:],
		"/v2/a/blobs/..", "/v2/a/referrers/latest", "/v2/a/blobs/uploads/..", "/v2/a/blobs/uploads/..%2f..%2fx", "/v2/a/blobs/uploads/" + strings.Repeat("g", 32),
		"/v2/manifests/1", "/v2//manifests/1", "/v2/a", "/v2/a/b/c", "/v1/", "/", "/v2x/", "/v2/_catalog/x", "/v2/a/tags/other",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "POST"} {
			w := l.ask(method, path, strings.NewReader("x"))
			if w.Code != 404 && w.Code != 400 && w.Code != 405 {
				t.Errorf("%s %.80s: %d %s", method, path, w.Code, w.Body)
			}
			code(t, w)
		}
	}
	if left := l.files("blobs", "uploads", "repositories"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestManifestsThatAreRefused(t *testing.T) {
	l := newLab(t, Options{})
	l.pushBlob("a", "{}")
	l.pushBlob("a", "layer")
	l.pushBlob("b", "of b")
	config, layer := descriptor(oci.MediaTypeConfig, "{}"), descriptor(oci.MediaTypeLayer, "layer")
	good := imageOf("", "{}", "layer")
	for name, c := range map[string]struct {
		mediaType, body string
		status          int
		code            string
	}{
		"missing blob":        {oci.MediaTypeManifest, imageOf("", "{}", "nowhere"), 400, codeManifestBlobUnknown},
		"blob of another":     {oci.MediaTypeManifest, imageOf("", "{}", "of b"), 400, codeManifestBlobUnknown},
		"missing manifest":    {oci.MediaTypeIndex, `{"schemaVersion":2,"manifests":[` + descriptor(oci.MediaTypeManifest, good) + `]}`, 400, codeManifestBlobUnknown},
		"wrong size":          {oci.MediaTypeManifest, strings.Replace(good, `"size":5`, `"size":6`, 1), 400, codeSizeInvalid},
		"negative size":       {oci.MediaTypeManifest, strings.Replace(good, `"size":5`, `"size":-5`, 1), 400, codeManifestInvalid},
		"both kinds":          {oci.MediaTypeManifest, `{"schemaVersion":2,"config":` + config + `,"layers":[` + layer + `],"manifests":[]}`, 400, codeManifestInvalid},
		"both, other case":    {oci.MediaTypeIndex, `{"schemaVersion":2,"manifests":[],"LAYERS":[` + layer + `]}`, 400, codeManifestInvalid},
		"index as manifest":   {oci.MediaTypeManifest, `{"schemaVersion":2,"manifests":[]}`, 400, codeManifestInvalid},
		"manifest as index":   {oci.MediaTypeIndex, strings.Replace(good, oci.MediaTypeManifest, oci.MediaTypeIndex, 1), 400, codeManifestInvalid},
		"another type inside": {oci.DockerManifest, good, 400, codeManifestInvalid},
		"no type":             {"", good, 400, codeManifestInvalid},
		"odd type":            {"text/plain", good, 400, codeManifestInvalid},
		"schema 1":            {"application/vnd.docker.distribution.manifest.v1+json", `{"schemaVersion":1}`, 400, codeManifestInvalid},
		"schema 1 inside":     {oci.MediaTypeManifest, `{"schemaVersion":2,"fsLayers":[],"config":` + config + `}`, 400, codeManifestInvalid},
		"no JSON":             {oci.MediaTypeManifest, `layers`, 400, codeManifestInvalid},
		"more than JSON":      {oci.MediaTypeManifest, good + `{}`, 400, codeManifestInvalid},
		"digest with a path":  {oci.MediaTypeManifest, strings.Replace(good, "sha256:", "sha256:../", 1), 400, codeManifestInvalid},
		"huge":                {oci.MediaTypeManifest, good + strings.Repeat(" ", oci.MaxJSON), 413, codeManifestInvalid},
	} {
		w := l.ask("PUT", "/v2/a/manifests/1", strings.NewReader(c.body), "Content-Type", c.mediaType)
		if w.Code != c.status || code(t, w) != c.code {
			t.Errorf("%s: %d %s, expected %d %s", name, w.Code, w.Body, c.status, c.code)
		}
	}
	l.want(400, "PUT", "/v2/a/manifests/"+string(oci.Sum([]byte("another"))), good, "Content-Type", oci.MediaTypeManifest)
	l.want(404, "GET", "/v2/a/manifests/1", "")
	if left := l.files("blobs"); len(left) != 3 {
		t.Errorf("left over: %v", left)
	}
	l.want(201, "PUT", "/v2/a/manifests/1", good, "Content-Type", oci.MediaTypeManifest+"; charset=utf-8")
}

func TestListsAreBounded(t *testing.T) {
	l := newLab(t, Options{})
	m := l.pushImage("a/app", "B", "{}")
	for _, tag := range []string{"a", "c", "D"} {
		l.want(201, "PUT", "/v2/a/app/manifests/"+tag, m, "Content-Type", oci.MediaTypeManifest)
	}
	l.pushImage("b", "1", "{}")
	for _, c := range []struct{ path, body, link string }{
		{"/v2/a/app/tags/list", `{"name":"a/app","tags":["a","B","c","D"]}`, ""},
		{"/v2/a/app/tags/list?n=2", `{"name":"a/app","tags":["a","B"]}`, `</v2/a/app/tags/list?last=B&n=2>; rel="next"`},
		{"/v2/a/app/tags/list?n=2&last=B", `{"name":"a/app","tags":["c","D"]}`, ""},
		{"/v2/a/app/tags/list?n=0", `{"name":"a/app","tags":[]}`, ""},
		{"/v2/a/app/tags/list?last=bb", `{"name":"a/app","tags":["c","D"]}`, ""},
		{"/v2/a/app/tags/list?n=1099511627776", `{"name":"a/app","tags":["a","B","c","D"]}`, ""},
		{"/v2/_catalog", `{"repositories":["a/app","b"]}`, ""},
		{"/v2/_catalog?n=1", `{"repositories":["a/app"]}`, `</v2/_catalog?last=a%2Fapp&n=1>; rel="next"`},
		{"/v2/_catalog?n=1&last=a/app", `{"repositories":["b"]}`, ""},
		{"/v2/_catalog?n=1099511627776", `{"repositories":["a/app","b"]}`, ""},
	} {
		w := l.want(200, "GET", c.path, "")
		if w.Body.String() != c.body || w.Header().Get("Link") != c.link {
			t.Errorf("%s: %s %q", c.path, w.Body, w.Header().Get("Link"))
		}
	}
	for _, n := range []string{"-1", "x", "1e3", "99999999999999999999"} {
		l.want(400, "GET", "/v2/_catalog?n="+n, "")
	}
	if w := l.want(404, "GET", "/v2/nobody/tags/list", ""); code(t, w) != codeNameUnknown {
		t.Error(w.Body)
	}
	allocated := testing.AllocsPerRun(5, func() { l.want(200, "GET", "/v2/_catalog?n=1099511627776", "") })
	if allocated > 500 {
		t.Errorf("a huge n costs %v allocations", allocated)
	}
}

func TestReferrers(t *testing.T) {
	l := newLab(t, Options{})
	m := l.pushImage("a", "1", "{}")
	subject := `,"subject":` + descriptor(oci.MediaTypeManifest, m)
	index := `{"schemaVersion":2,"mediaType":"` + oci.MediaTypeIndex + `","manifests":[]` + subject + `,"annotations":{"k":"v"}}`
	for body, mediaType := range map[string]string{
		imageOf(subject+`,"artifactType":"application/x"`, "{}"): oci.MediaTypeManifest,
		imageOf(subject, "{}"): oci.MediaTypeManifest,
		index:                  oci.MediaTypeIndex,
	} {
		w := l.want(201, "PUT", "/v2/a/manifests/"+string(oci.Sum([]byte(body))), body, "Content-Type", mediaType)
		if w.Header().Get("OCI-Subject") != string(oci.Sum([]byte(m))) {
			t.Errorf("no OCI-Subject: %v", w.Header())
		}
	}
	at := "/v2/a/referrers/" + string(oci.Sum([]byte(m)))
	for query, want := range map[string][]string{"": {"", oci.MediaTypeConfig, "application/x"}, "?artifactType=application/x": {"application/x"}, "?artifactType=none": nil} {
		w := l.want(200, "GET", at+query, "")
		var x v1.Index
		if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil || x.MediaType != oci.MediaTypeIndex || w.Header().Get("Content-Type") != oci.MediaTypeIndex {
			t.Fatal(err, x)
		}
		var kinds []string
		for _, d := range x.Manifests {
			kinds = append(kinds, d.ArtifactType)
		}
		if slices.Sort(kinds); !slices.Equal(kinds, want) {
			t.Errorf("%q: %q, expected %q", query, kinds, want)
		}
		if applied := w.Header().Get("OCI-Filters-Applied"); (applied == "artifactType") != (query != "") {
			t.Errorf("%q: OCI-Filters-Applied is %q", query, applied)
		}
	}
	if w := l.want(200, "GET", "/v2/nobody/referrers/"+string(oci.Sum(nil)), ""); !bytes.Contains(w.Body.Bytes(), []byte(`"manifests":[]`)) {
		t.Error(w.Body)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l := newLab(t, Options{Now: func() time.Time { return now }})
	first := l.want(202, "POST", "/v2/a/blobs/uploads/", "").Header().Get("Location")
	l.want(202, "PATCH", first, "x")
	for range maxUploads - 1 {
		l.want(202, "POST", "/v2/a/blobs/uploads/", "")
	}
	if w := l.want(429, "POST", "/v2/a/blobs/uploads/", ""); code(t, w) != codeTooManyRequests {
		t.Error(w.Body)
	}
	now = now.Add(minIdle + time.Second)
	l.want(202, "POST", "/v2/a/blobs/uploads/", "") // the one that was idle for longest makes room
	now = now.Add(maxIdle + time.Second)
	l.want(202, "POST", "/v2/a/blobs/uploads/", "")
	l.want(404, "GET", first, "")
	if left := l.files("uploads"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestUploadsEnd(t *testing.T) {
	l := newLab(t, Options{})
	at := l.want(202, "POST", "/v2/a/blobs/uploads/", "").Header().Get("Location")
	l.want(202, "PATCH", at, "some bytes")
	l.want(404, "PATCH", strings.Replace(at, "/v2/a/", "/v2/b/", 1), "x")
	l.want(204, "DELETE", at, "")
	l.want(404, "DELETE", at, "")
	at = l.want(202, "POST", "/v2/a/blobs/uploads/", "").Header().Get("Location")
	l.want(202, "PATCH", at, "some bytes")
	l.reopen(Options{}) // an orderly end
	if left := l.files("uploads"); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// What is handed to somebody else must not be taken for what it was: a manifest is verified when it is read.
func TestDamageIsNotServed(t *testing.T) {
	l := newLab(t, Options{})
	m := l.pushImage("a", "1", "{}")
	damage(t, l, oci.Sum([]byte(m)), strings.Replace(m, "2", "3", 1))
	if w := l.ask("GET", "/v2/a/manifests/1", http.NoBody); w.Code != 500 || !strings.Contains(w.Body.String(), "expected sha256:") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	l.want(201, "PUT", "/v2/a/manifests/1", m, "Content-Type", oci.MediaTypeManifest) // and mended by a push
	l.want(200, "GET", "/v2/a/manifests/1", "")
}
