package registry

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// newClient returns a client without credentials.
func newClient(t *testing.T) *Client {
	t.Helper()
	return New(Config{CredentialsDir: t.TempDir()})
}

func opener(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func descriptor(mediaType string, data []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: oci.Sum(data), Size: int64(len(data))}
}

func TestRoundTrip(t *testing.T) {
	s, c, ctx := registrytest.New(t), newClient(t), context.Background()
	ref := s.Ref("team/app:1")
	blob := bytes.Repeat([]byte("layer"), 100_000)
	d := descriptor(oci.MediaTypeLayer, blob)
	for i, want := range []bool{false, true} {
		existed, err := c.PushBlob(ctx, ref, d, opener(blob))
		if err != nil || existed != want {
			t.Fatalf("push %d: existed = %v, %v; want %v", i, existed, err, want)
		}
	}
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"digest":%q,"size":%d},"layers":[]}`, oci.MediaTypeManifest, d.Digest, d.Size)
	md := descriptor(oci.MediaTypeManifest, manifest)
	if err := c.PushManifest(ctx, ref, md, manifest); err != nil {
		t.Fatal(err)
	}
	got, err := c.Resolve(ctx, ref)
	if err != nil || got.Digest != md.Digest || got.Size != md.Size || got.MediaType != md.MediaType {
		t.Fatalf("resolve: %v, %v; want %v", got, err, md)
	}
	data, err := c.Manifest(ctx, ref, got)
	if err != nil || !bytes.Equal(data, manifest) {
		t.Fatalf("manifest: %q, %v", data, err)
	}
	r, err := c.Blob(ctx, ref, d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, blob) {
		t.Fatalf("blob: %d bytes, %v", len(data), err)
	}
}

// A registry that gives no digest with HEAD is asked for the manifest itself.
func TestResolveWithoutDigestHeader(t *testing.T) {
	s, c := registrytest.New(t), newClient(t)
	data := []byte(`{"schemaVersion":2}`)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Type", oci.MediaTypeManifest)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(data)
		}
		return true
	}
	d, err := c.Resolve(context.Background(), s.Ref("a:1"))
	if err != nil || d.Digest != oci.Sum(data) {
		t.Fatalf("got %v, %v", d, err)
	}
}

func TestStatusesBecomeSentences(t *testing.T) {
	for status, want := range map[int]struct {
		kind  error
		words string
	}{
		401: {ErrDenied, "docker login"},
		403: {ErrDenied, "forbids it (it says: \"denied: said the registry\")"},
		404: {ErrNotFound, "has no such manifest"},
		418: {nil, "418 I'm a teapot"},
	} {
		s, c := registrytest.New(t), newClient(t)
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			registrytest.Refuse(w, status, "DENIED")
			return true
		}
		d := descriptor(oci.MediaTypeLayer, nil)
		_, err := c.Blob(context.Background(), s.Ref("team/app:1"), d)
		var e *Error
		if !errors.As(err, &e) || e.Status != status || want.kind != nil && !errors.Is(err, want.kind) {
			t.Errorf("%d: %v", status, err)
			continue
		}
		for _, w := range []string{s.Host() + "/team/app@" + string(d.Digest), want.words} {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%d: %q lacks %q", status, err, w)
			}
		}
	}
}

// A registry in trouble is asked again, three times, and then it is said so.
func TestTroubleIsRetried(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		s, c := registrytest.New(t), newClient(t)
		tries, good := 0, 2
		data := []byte("x")
		d := s.AddBlob("", data)
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if tries++; tries <= good {
				registrytest.Refuse(w, status, "TOOMANYREQUESTS")
				return true
			}
			return false
		}
		r, err := c.Blob(context.Background(), s.Ref("a:1"), d)
		if err != nil {
			t.Fatalf("%d, twice: %v", status, err)
		}
		r.Close()
		if testing.Short() {
			continue
		}
		tries, good = 0, 100
		_, err = c.Blob(context.Background(), s.Ref("a:1"), d)
		if !errors.Is(err, ErrUnavailable) || tries != 1+maxTries {
			t.Errorf("%d, always: %v after %d tries", status, err, tries)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	ref, _ := oci.ParseRef(host + "/a:1")
	_, err = newClient(t).Resolve(context.Background(), ref)
	if err == nil || !strings.Contains(err.Error(), "resolve "+host+"/a:1: ") {
		t.Fatalf("got %v", err)
	}
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "is a registry running there?") {
		t.Errorf("got %v", err)
	}
}

func TestHostileManifests(t *testing.T) {
	good := []byte(`{"schemaVersion":2}`)
	for _, tc := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		want   string
	}{
		{"other media type", func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html"); _, _ = w.Write(good) }, "text/html"},
		{"other content", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", oci.MediaTypeManifest)
			_, _ = w.Write(bytes.ToUpper(good))
		}, "its content has digest"},
		{"truncated", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", oci.MediaTypeManifest)
			w.(http.Flusher).Flush()
			_, _ = w.Write(good[:5])
		}, "5 of 19 bytes"},
		{"endless", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", oci.MediaTypeManifest)
			for range 1000 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "longer than the 19 bytes"},
	} {
		s, c := registrytest.New(t), newClient(t)
		s.Before = func(w http.ResponseWriter, r *http.Request) bool { tc.answer(w); return true }
		_, err := c.Manifest(context.Background(), s.Ref("a:1"), descriptor(oci.MediaTypeManifest, good))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestHostileDescriptors(t *testing.T) {
	for _, tc := range []struct{ name, mediaType, digest, length, want string }{
		{"huge", oci.MediaTypeManifest, string(oci.Sum(nil)), "5000000000", "at most"},
		{"no manifest", "application/json", string(oci.Sum(nil)), "2", "expected the manifest of an image"},
		{"traversal", oci.MediaTypeManifest, "sha256:../../x", "2", "digest"},
		{"other algorithm", oci.MediaTypeManifest, "sha512:" + strings.Repeat("a", 128), "2", "only sha256"},
	} {
		s, c := registrytest.New(t), newClient(t)
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", tc.mediaType)
			w.Header().Set("Docker-Content-Digest", tc.digest)
			w.Header().Set("Content-Length", tc.length)
			return true
		}
		if _, err := c.Resolve(context.Background(), s.Ref("a:1")); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestHostileBlobs(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	d := descriptor("", data)
	for _, tc := range []struct {
		name   string
		served []byte
		chunks bool // no Content-Length
		want   string
	}{
		{"other content", bytes.Repeat([]byte("x"), len(data)), false, "its content has digest"},
		{"short", data[:500], true, "500 of 10000 bytes"},
		{"long", append(slices.Clone(data), 'x'), true, "longer than the 10000 bytes"},
		{"other length", data[:500], false, "truncated"},
	} {
		s, c := registrytest.New(t), newClient(t)
		s.SetBlob(d.Digest, tc.served)
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if tc.chunks {
				w.(http.Flusher).Flush()
				_, _ = w.Write(tc.served)
			}
			return tc.chunks
		}
		r, err := c.Blob(context.Background(), s.Ref("a:1"), d)
		if err == nil {
			var got []byte
			got, err = io.ReadAll(r)
			r.Close()
			if len(got) > len(data) {
				t.Errorf("%s: %d bytes came out", tc.name, len(got))
			}
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), string(d.Digest)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// A connection that breaks off in the middle is taken up where it was.
func TestBlobIsResumed(t *testing.T) {
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	s, c := registrytest.New(t), newClient(t)
	d := s.AddBlob("", data)
	cut := 0
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if cut++; cut > 1 {
			return false
		}
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:1<<20])
		panic(http.ErrAbortHandler)
	}
	r, err := c.Blob(context.Background(), s.Ref("a:1"), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestStalledRegistryIsGivenUp(t *testing.T) {
	s, c := registrytest.New(t), newClient(t)
	c.patience = 50 * time.Millisecond
	d := s.AddBlob("", []byte("0123456789"))
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("01"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	r, err := c.Blob(context.Background(), s.Ref("a:1"), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "sent nothing any more") {
		t.Fatalf("got %v", err)
	}
}

func TestStalledPushIsGivenUp(t *testing.T) {
	for _, method := range []string{http.MethodHead, http.MethodPost, http.MethodPut} {
		s, c := registrytest.New(t), newClient(t)
		c.patience = 50 * time.Millisecond
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method {
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client goes
			<-r.Context().Done()
			return true
		}
		data := make([]byte, 1<<20)
		if _, err := c.PushBlob(context.Background(), s.Ref("a:1"), descriptor("", data), opener(data)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s of a blob: %v", method, err)
		}
		if method == http.MethodPut {
			if err := c.PushManifest(context.Background(), s.Ref("a:1"), descriptor(oci.MediaTypeManifest, data), data); !errors.Is(err, ErrUnavailable) {
				t.Errorf("manifest: %v", err)
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	s := registrytest.New(t)
	data := []byte("secret layer")
	d := s.AddBlob("", data)
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Get("Authorization"))
		_, _ = w.Write(data)
	}))
	t.Cleanup(other.Close)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if user, pass, ok := r.BasicAuth(); !ok || user != "ann" || pass != "s3cret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			registrytest.Refuse(w, 401, "UNAUTHORIZED")
			return true
		}
		http.Redirect(w, r, other.URL+"/blob", http.StatusTemporaryRedirect)
		return true
	}
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, s.Host(), base64.StdEncoding.EncodeToString([]byte("ann:s3cret")))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{CredentialsDir: dir}).Blob(context.Background(), s.Ref("a:1"), d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%q, %v", got, err)
	}
	if !slices.Equal(elsewhere, []string{""}) {
		t.Errorf("the host that it was redirected to got Authorization %q", elsewhere)
	}
	t.Setenv("DOCKER_CONFIG", dir)
	if _, err := New(Config{}).Blob(context.Background(), s.Ref("a:1"), d); err != nil {
		t.Errorf("with DOCKER_CONFIG: %v", err)
	}
	if _, err := newClient(t).Blob(context.Background(), s.Ref("a:1"), d); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "docker login "+s.Host()) {
		t.Errorf("without credentials: %v", err)
	}
}

// A credential helper that doesn't work is an error, and nobody else is asked instead.
func TestBrokenCredentialHelper(t *testing.T) {
	dir := t.TempDir()
	s := registrytest.New(t)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		registrytest.Refuse(w, 401, "UNAUTHORIZED")
		return true
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"credsStore":"learn-has-no-such-helper"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Config{CredentialsDir: dir}).Resolve(context.Background(), s.Ref("a:1"))
	if err == nil || !strings.Contains(err.Error(), "learn-has-no-such-helper") {
		t.Errorf("got %v", err)
	}
	if n := len(s.Requests()); n > 2 {
		t.Errorf("%d requests", n)
	}
}

func TestRedirects(t *testing.T) {
	for _, tc := range []struct{ from, to, want string }{
		{"https://registry.example/v2/", "https://cdn.example/x", ""},
		{"https://registry.example/v2/", "http://registry.example/x", "plain HTTP"},
		{"https://registry.example/v2/", "https://localhost:80/x", "this machine"},
		{"https://registry.example/v2/", "https://127.8.8.8/x", "this machine"},
		{"https://registry.example/v2/", "https://[::1]/x", "this machine"},
		{"http://127.0.0.1:1/v2/", "http://127.0.0.1:2/x", ""},
		{"http://127.0.0.1:1/v2/", "file:///etc/passwd", "only http"},
	} {
		from, _ := url.Parse(tc.from)
		to, _ := url.Parse(tc.to)
		err := checkRedirect(&http.Request{URL: to}, []*http.Request{{URL: from}})
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s to %s: %v, want %q", tc.from, tc.to, err, tc.want)
		}
	}
}

func TestPlainHTTPOnLoopbackOnly(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "[::1]:5000": true, "[::1]": true,
		"docker.io": false, "10.0.0.1:5000": false, "localhost.example": false, "127.0.0.1.example:80": false} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) = %v", host, got)
		}
	}
}

func TestPushedContentMustFit(t *testing.T) {
	s, c := registrytest.New(t), newClient(t)
	d := descriptor("", []byte("right"))
	if _, err := c.PushBlob(context.Background(), s.Ref("a:1"), d, opener([]byte("wrong"))); err == nil {
		t.Error("other bytes than the digest's were pushed")
	}
	broken := func() (io.ReadCloser, error) { return nil, errors.New("no such blob here") }
	if _, err := c.PushBlob(context.Background(), s.Ref("a:1"), d, broken); err == nil || !strings.Contains(err.Error(), "no such blob here") {
		t.Errorf("got %v", err)
	}
	if s.Blob(d.Digest) != nil {
		t.Error("the blob is there")
	}
}

// The bytes of a blob are the descriptor's or there is an error, whatever a registry sends.
func FuzzVerified(f *testing.F) {
	f.Add([]byte("abc"), []byte("abc"))
	f.Add([]byte("abc"), []byte("abcd"))
	f.Fuzz(func(t *testing.T, promised, sent []byte) {
		want := v1.Descriptor{Digest: digest.FromBytes(promised), Size: int64(len(promised))}
		got, err := io.ReadAll(newVerified(bytes.NewReader(sent), want))
		if err == nil != bytes.Equal(promised, sent) {
			t.Fatalf("promised %q, sent %q: %v", promised, sent, err)
		}
		if len(got) > len(promised) {
			t.Fatalf("%d bytes came out, %d promised", len(got), len(promised))
		}
	})
}
