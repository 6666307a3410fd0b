package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/credentials"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func hasty(t *testing.T) *Client {
	t.Helper()
	return New(Config{CredentialsDir: t.TempDir(), Pause: time.Millisecond})
}

// unknown is the upload of bytes whose digest nobody knows before.
func unknown(data []byte) Upload {
	return Upload{Blob: v1.Descriptor{MediaType: oci.MediaTypeLayerGzip}, Open: opener(data)}
}

func TestPushOfWhatIsMadeOnTheWay(t *testing.T) {
	s, c := registrytest.New(t), hasty(t)
	for _, data := range [][]byte{{}, {7}, []byte("two"), bytes.Repeat([]byte("layer"), 1<<18)} {
		done, err := c.Push(t.Context(), s.Ref("app:1"), unknown(data))
		if err != nil || done.Blob.Digest != oci.Sum(data) || done.Blob.Size != int64(len(data)) || done.How != Uploaded {
			t.Errorf("%d bytes: %+v, %v", len(data), done, err)
		}
		if got := s.Blob(oci.Sum(data)); !bytes.Equal(got, data) {
			t.Errorf("%d bytes: the registry has %d", len(data), len(got))
		}
	}
}

func TestBlobThatIsThereIsNotRead(t *testing.T) {
	s, c := registrytest.New(t), hasty(t)
	d := s.AddBlob("", []byte("old"))
	done, err := c.Push(t.Context(), s.Ref("app:1"), Upload{Blob: d, Open: func() (io.ReadCloser, error) { return nil, errors.New("it was opened") }})
	if err != nil || done.How != Existed {
		t.Error(done, err)
	}
}

// mounter answers mounts from "has" with success, and others with an upload.
func mounter(s *registrytest.Server, asked *[]string) {
	var mu sync.Mutex
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		from := r.URL.Query().Get("from")
		if from == "" {
			return false
		}
		mu.Lock()
		*asked = append(*asked, from)
		mu.Unlock()
		if from == "has" {
			w.WriteHeader(http.StatusCreated)
		}
		return from == "has"
	}
}

func TestMount(t *testing.T) {
	data := []byte("blob")
	for _, c := range []struct {
		from, asked []string
		how         How
	}{
		{[]string{"has"}, []string{"has"}, Mounted},
		{[]string{"hasn't", "app", "has"}, nil, Mounted}, // hasn't is no repository's name, app is the one that is pushed to
		{[]string{"lacks", "has"}, []string{"lacks", "has"}, Mounted},
		{[]string{"lacks"}, []string{"lacks"}, Uploaded},
	} {
		s := registrytest.New(t)
		var asked []string
		mounter(s, &asked)
		done, err := hasty(t).Push(t.Context(), s.Ref("app:1"), Upload{Blob: descriptor("", data), Open: opener(data), From: c.from})
		if err != nil || done.How != c.how || c.how == Mounted && done.From != "has" {
			t.Errorf("%v: %+v, %v", c.from, done, err)
		}
		if c.asked != nil && fmt.Sprint(asked) != fmt.Sprint(c.asked) {
			t.Errorf("asked %v, want %v", asked, c.asked)
		}
	}
}

// breaking is a registry that takes some of the first PATCH and then breaks the connection. It remembers what it took, or nothing.
type breaking struct {
	t        *testing.T
	remember bool
	failures int
	status   int // instead of breaking off

	mu      sync.Mutex
	has     []byte
	got     [][2]int // of each PATCH: where it began, and how much came
	uploads int
}

func (b *breaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := fmt.Sprintf("/v2/app/blobs/uploads/%d", b.uploads)
	switch {
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPost:
		b.uploads, b.has = b.uploads+1, nil
		w.Header().Set("Location", fmt.Sprintf("/v2/app/blobs/uploads/%d", b.uploads))
		w.WriteHeader(http.StatusAccepted)
	case r.URL.Path != at || r.Method == http.MethodGet && !b.remember:
		registrytest.Refuse(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN")
	case r.Method == http.MethodGet:
		w.Header().Set("Location", at)
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(len(b.has)-1, 0)))
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPatch:
		b.patch(w, r, at)
	case r.Method == http.MethodPut:
		if string(oci.Sum(b.has)) != r.URL.Query().Get("digest") {
			registrytest.Refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
			return
		}
		w.WriteHeader(http.StatusCreated)
	}
}

func (b *breaking) patch(w http.ResponseWriter, r *http.Request, at string) {
	begun := len(b.has)
	if b.failures > 0 {
		b.failures--
		half, _ := io.ReadAll(io.LimitReader(r.Body, 100_000))
		b.has = append(b.has, half...)
		b.got = append(b.got, [2]int{begun, len(half)})
		if b.status != 0 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(b.status)
			return
		}
		panic(http.ErrAbortHandler)
	}
	rest, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Error(err)
	}
	b.has = append(b.has, rest...)
	b.got = append(b.got, [2]int{begun, len(rest)})
	w.Header().Set("Location", at)
	w.Header().Set("Range", fmt.Sprintf("0-%d", len(b.has)-1))
	w.WriteHeader(http.StatusAccepted)
}

func TestUploadThatBreaksOffGoesOn(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	for _, c := range []struct {
		name      string
		b         *breaking
		known     bool
		wantBytes int // that arrived, all in all
		wantErr   string
	}{
		{"from the middle", &breaking{remember: true, failures: 2}, true, len(data), ""},
		{"from the middle, digest unknown", &breaking{remember: true, failures: 2}, false, len(data), ""},
		{"anew", &breaking{failures: 1}, true, len(data) + 100_000, ""},
		{"anew, digest unknown", &breaking{failures: 1}, false, len(data) + 100_000, ""},
		{"after status 503", &breaking{remember: true, failures: 1, status: 503}, true, len(data), ""},
		{"after status 429", &breaking{remember: true, failures: 1, status: 429}, false, len(data), ""},
		{"in chunks after 413", &breaking{remember: true, failures: 1, status: 413}, false, len(data), ""},
		{"never", &breaking{failures: 100}, true, -1, "the connection"},
		{"never, forbidden", &breaking{remember: true, failures: 100, status: 403}, true, 100_000, "forbids"},
		{"never, too large", &breaking{failures: 100, status: 413}, true, -1, "takes no blobs as large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := c.b
			b.t = t
			h := httptest.NewServer(b)
			defer h.Close()
			u := unknown(data)
			if c.known {
				u.Blob = descriptor("", data)
			}
			var sent atomic.Int64
			u.Sent = func(n int64) { sent.Store(n) }
			ref, _ := oci.ParseRef(strings.TrimPrefix(h.URL, "http://") + "/app:1")
			done, err := hasty(t).Push(t.Context(), ref, u)
			b.mu.Lock()
			defer b.mu.Unlock()
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) || len(b.got) > uploadTotal+1 {
					t.Errorf("error = %v after %d tries, want %q", err, len(b.got), c.wantErr)
				}
				return
			}
			total := 0
			for _, g := range b.got {
				total += g[1]
			}
			if err != nil || done.Blob.Digest != oci.Sum(data) || !bytes.Equal(b.has, data) || total != c.wantBytes || sent.Load() != int64(len(data)) {
				t.Errorf("%v; %d bytes arrived, want %d; %v; told of %d", err, total, c.wantBytes, b.got, sent.Load())
			}
		})
	}
}

// TestHostileUploads: what a registry may do to somebody who pushes, and what is said of it. Nothing may reach the other host.
func TestHostileUploads(t *testing.T) {
	var leaked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	defer other.Close()
	accept := func(w http.ResponseWriter, location string) bool {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	status := func(method string, code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == method {
				w.Header().Set("Retry-After", "3600")
				registrytest.Refuse(w, code, "DENIED")
			}
			return r.Method == method
		}
	}
	for name, c := range map[string]struct {
		before func(w http.ResponseWriter, r *http.Request) bool
		want   string
	}{
		"another host": {func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPost && accept(w, other.URL+"/steal")
		}, "another host"},
		"another host later": {func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPatch && accept(w, other.URL+"/steal")
		}, "another host"},
		"another scheme": {func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPost && accept(w, "https://"+r.Host+"/x")
		}, "X-Forwarded-Proto"},
		"redirect of a PATCH": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch {
				http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
			}
			return r.Method == http.MethodPatch
		}, "307"},
		"redirect loop": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
			}
			return r.Method == http.MethodPost
		}, "redirects"},
		"no location": {func(w http.ResponseWriter, r *http.Request) bool { return r.Method == http.MethodPost && accept(w, "") }, "no address"},
		"bad location": {func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPost && accept(w, "http://[")
		}, "no address"},
		"401":            {status(http.MethodPost, 401), "does not accept the credentials"},
		"403":            {status(http.MethodPost, 403), "forbids"},
		"404":            {status(http.MethodPost, 404), "no such"},
		"429 for long":   {status(http.MethodPost, 429), "3600 seconds"},
		"500 for long":   {status(http.MethodPut, 500), "trouble of its own"},
		"403 at the end": {status(http.MethodPut, 403), "forbids"},
		"another digest": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut {
				w.Header().Set("Docker-Content-Digest", string(oci.Sum([]byte("other"))))
				w.WriteHeader(http.StatusCreated)
			}
			return r.Method == http.MethodPut
		}, "not what was sent"},
		"takes nothing": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch {
				w.Header().Set("Range", "0-0")
				return accept(w, r.URL.Path)
			}
			return false
		}, "only a part"},
		"has more than was sent": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch {
				w.Header().Set("Range", "0-99999999")
				return accept(w, r.URL.Path)
			}
			return false
		}, "100000000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := registrytest.New(t)
			s.Before = c.before
			_, err := hasty(t).Push(t.Context(), s.Ref("app:1"), unknown(bytes.Repeat([]byte("x"), 100_000)))
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			if n := len(s.Requests()); n > 60 {
				t.Errorf("%d requests", n)
			}
		})
	}
	if leaked.Load() != 0 {
		t.Error("the other host was asked")
	}
}

func TestDamageHereIsNotSentAgain(t *testing.T) {
	s, c := registrytest.New(t), hasty(t)
	opened := 0
	broken := errors.New("content has another digest")
	_, err := c.Push(t.Context(), s.Ref("app:1"), Upload{Blob: descriptor("", make([]byte, 10)), Open: func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 5)), failing{broken})), nil
	}})
	if !errors.Is(err, broken) || opened != 1 {
		t.Errorf("error = %v, opened %d times", err, opened)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestAnswerThatNeverEnds: a registry may begin an answer and never finish it.
func TestAnswerThatNeverEnds(t *testing.T) {
	s, c := registrytest.New(t), hasty(t)
	c.patience = 50 * time.Millisecond
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Location", r.URL.Path+"1")
		w.WriteHeader(http.StatusForbidden)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-stop:
		case <-r.Context().Done():
		}
		return true
	}
	if _, err := c.Push(t.Context(), s.Ref("app:1"), unknown([]byte("x"))); err == nil {
		t.Error("no error")
	}
}

func TestCanceledPushStops(t *testing.T) {
	s, c := registrytest.New(t), New(Config{CredentialsDir: t.TempDir(), Pause: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			w.WriteHeader(http.StatusServiceUnavailable)
			cancel()
		}
		return r.Method == http.MethodPatch
	}
	u := unknown([]byte("x"))
	u.Wait = func(time.Duration) {}
	if _, err := c.Push(ctx, s.Ref("app:1"), u); err == nil {
		t.Error("no error")
	}
}

func TestLogin(t *testing.T) {
	s, c := registrytest.New(t), hasty(t)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if u, p, ok := r.BasicAuth(); ok && u == "anna" && p == "pw" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
		registrytest.Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		return true
	}
	if err := c.Login(t.Context(), s.Host(), credentials.Credential{Username: "anna", Password: "pw"}); err != nil {
		t.Error(err)
	}
	err := c.Login(t.Context(), s.Host(), credentials.Credential{Username: "anna", Password: "sEcReT"})
	if want := "login attempt to http://" + s.Host() + "/v2/ failed with status: 401 Unauthorized"; !errors.Is(err, ErrDenied) || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

// TestLoginByToken: the token service gets the password and nobody else does; not even it by plain HTTP beyond this machine.
func TestLoginByToken(t *testing.T) {
	var realm string
	s, c := registrytest.New(t), hasty(t)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		_, p, basic := r.BasicAuth()
		switch {
		case r.URL.Path == "/token" && p == "pw":
			fmt.Fprint(w, `{"token":"tok"}`)
		case r.URL.Path == "/token":
			registrytest.Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		case basic:
			t.Error("the password was sent to the registry")
		case r.Header.Get("Authorization") == "Bearer tok":
			return false
		default:
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="s"`, realm))
			registrytest.Refuse(w, http.StatusUnauthorized, "UNAUTHORIZED")
		}
		return true
	}
	realm = "http://" + s.Host() + "/token"
	if err := c.Login(t.Context(), s.Host(), credentials.Credential{Username: "anna", Password: "pw"}); err != nil {
		t.Error(err)
	}
	err := c.Login(t.Context(), s.Host(), credentials.Credential{Username: "anna", Password: "sEcReT"})
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "unauthorized: incorrect username or password") || strings.Contains(err.Error(), "sEcReT") {
		t.Errorf("error = %v", err)
	}
	realm = "http://192.0.2.1/token"
	err = c.Login(t.Context(), s.Host(), credentials.Credential{Username: "anna", Password: "sEcReT"})
	if err == nil || !strings.Contains(err.Error(), "plain HTTP") || strings.Contains(err.Error(), "sEcReT") {
		t.Errorf("error = %v", err)
	}
}

// TestBrokenHelperSendsNothing is CVE-2021-41092: who can't find out who he is must not ask as nobody, nor elsewhere.
func TestBrokenHelperSendsNothing(t *testing.T) {
	s := registrytest.New(t)
	dir := t.TempDir()
	writeFile(t, dir+"/config.json", `{"credHelpers":{"`+s.Host()+`":"there-is-none"}}`)
	c := New(Config{CredentialsDir: dir})
	data := []byte("x")
	_, push := c.Push(t.Context(), s.Ref("app:1"), Upload{Blob: descriptor("", data), Open: opener(data)})
	_, resolve := c.Resolve(t.Context(), s.Ref("app:1"))
	for _, err := range []error{push, resolve} {
		if err == nil || !strings.Contains(err.Error(), "docker-credential-there-is-none") {
			t.Errorf("error = %v", err)
		}
	}
	if got := s.Requests(); len(got) > 0 {
		t.Errorf("the registry was asked: %v", got)
	}
}

func FuzzUploadRange(f *testing.F) {
	for _, s := range []string{"0-0", "0-99", "bytes=0-9", "1-2", "0-", "-", "0--1", "0-99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := rangeEnd(s); ok && n < 0 {
			t.Errorf("%q: %d", s, n)
		}
	})
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
