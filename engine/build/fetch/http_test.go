package fetch

import (
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/oci"
)

const modified = "Mon, 03 Feb 2020 04:05:06 GMT"

// site is a server on the loopback interface that counts what it is asked.
type site struct {
	*httptest.Server
	asked []*http.Request
}

func newSite(t *testing.T, handle http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r)
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func fetched(t *testing.T, d Downloader, address string, sum digest.Digest) (Download, string, error) {
	t.Helper()
	got, err := d.Fetch(t.Context(), t.TempDir(), address, sum)
	if err != nil {
		return got, "", err
	}
	text, rerr := os.ReadFile(got.Path)
	if rerr != nil {
		t.Fatal(rerr)
	}
	return got, string(text), nil
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s) }
}

func TestFetch(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", modified)
		w.Header().Set("Content-Disposition", `attachment; filename="../../other"`)
		io.WriteString(w, "content")
	})
	got, content, err := fetched(t, Downloader{}, s.URL+"/a/b%20c.txt?x=y", "")
	if err != nil || content != "content" || got.Name != "b c.txt" || got.Size != 7 || got.Digest != oci.Sum([]byte("content")) || got.Cached ||
		!got.ModTime.Equal(testTime) {
		t.Errorf("%+v, %q, %v", got, content, err)
	}
	if fi, err := os.Stat(got.Path); err != nil || fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v, %v", fi, err)
	}
	sum512 := sha512.Sum512([]byte("content"))
	for _, sum := range []digest.Digest{oci.Sum([]byte("content")), digest.Digest("sha512:" + hex.EncodeToString(sum512[:]))} {
		if _, _, err := fetched(t, Downloader{}, s.URL+"/x", sum); err != nil {
			t.Errorf("%s: %v", sum, err)
		}
	}
	plain := newSite(t, text(""))
	if got, _, err := fetched(t, Downloader{}, plain.URL, ""); err != nil || got.Name != "__unnamed__" || !got.ModTime.Equal(time.Unix(0, 0)) {
		t.Errorf("without anything: %+v, %v", got, err)
	}
}

func TestFileName(t *testing.T) {
	for address, want := range map[string]string{
		"http://h": "__unnamed__", "http://h/": "__unnamed__", "http://h/a": "a", "http://h/a/": "a", "http://h/a/..": "download", "http://h/a%2Fb": "b", "http://h/..%2f..": "download",
		"http://h/a%0Ab": "download", "http://h/a%00b": "download", "http://h/x?/etc/passwd": "x", "http://h/%E4%BD%A0": "你", "http://h/" + strings.Repeat("a", 300): "download",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := fileName(u); got != want {
			t.Errorf("%s: %q; want %q", address, got, want)
		}
	}
}

func TestFetchRefuses(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
	}
	endless := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }
	cut := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
	}
	large := func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			io.WriteString(w, strings.Repeat("x", 1000))
			w.(http.Flusher).Flush()
		}
	}
	packed := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(make([]byte, 1<<20))
		z.Close()
	}
	stuck := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		sum    digest.Digest
		want   string
	}{
		"404":                      {status(404), "", "the server answered 404 Not Found: there is no such file"},
		"401":                      {status(401), "", "401 Unauthorized: it wants credentials"},
		"429":                      {status(429), "", "try again later"},
		"500":                      {status(500), "", "500 Internal Server Error: the server has a problem"},
		"304 unasked":              {status(304), "", "304"},
		"cut":                      {cut, "", "cut after 4 bytes: unexpected EOF"},
		"too large by its header":  {func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 2000)) }, "", "more than 1000 bytes"},
		"too large":                {large, "", "more than 1000 bytes"},
		"too large when unpacked":  {packed, "", "more than 1000 bytes"},
		"wrong checksum":           {text("content"), oci.Sum([]byte("other")), "digest mismatch: got " + oci.Sum([]byte("content")).String() + " (expected: " + oci.Sum([]byte("other")).String()},
		"checksum that can't be":   {text("content"), "sha256:../../x", "expected sha256:"},
		"checksum nobody knows":    {text("content"), "md5:d41d8cd98f00b204e9800998ecf8427e", "expected sha256:"},
		"redirects without an end": {endless, "", "more than 10 redirects"},
		"redirect to a file": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		}, "", "only http and https"},
		"silence": {stuck, "", "sends nothing any more"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.handle)
			address := strings.Replace(s.URL, "http://", "http://user:hunter2@", 1) + "/file?token=hunter2"
			cache, silence := t.TempDir(), time.Minute
			if name == "silence" {
				silence = 500 * time.Millisecond
			}
			got, _, err := fetched(t, Downloader{MaxBytes: 1000, Silence: silence, Cache: cache}, address, c.sum)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "download http://xxxxx:xxxxx@127.0.0.1:") {
				t.Errorf("%+v, %v; want %q", got, err, c.want)
			} else if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has the credentials: %v", err)
			}
			if entries, _ := os.ReadDir(cache); len(entries) > 0 {
				t.Errorf("the cache holds %v", entries)
			}
		})
	}
	for _, address := range []string{"http://", "http:///x", "file:///etc/passwd", "http://h/%zz", "x"} {
		if _, err := (Downloader{}).Fetch(t.Context(), t.TempDir(), address, ""); err == nil || !strings.Contains(err.Error(), "can't be") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestFetchSendsCredentialsToOneHostOnly(t *testing.T) {
	other := newSite(t, text("content"))
	var s *site
	s = newSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/same", http.StatusFound)
		case "/same":
			http.Redirect(w, r, other.URL+"/away", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, s.URL+"/end", http.StatusFound)
		default:
			io.WriteString(w, "content")
		}
	})
	if _, got, err := fetched(t, Downloader{}, strings.Replace(s.URL, "http://", "http://user:hunter2@", 1)+"/start?token=hunter2", ""); err != nil || got != "content" {
		t.Fatal(got, err)
	}
	for i, r := range s.asked {
		if user, secret, _ := r.BasicAuth(); user != "user" || secret != "hunter2" {
			t.Errorf("request %d to the host itself has no credentials", i)
		}
	}
	if len(other.asked) != 1 {
		t.Fatalf("%d requests to the other host", len(other.asked))
	}
	if h := fmt.Sprint(other.asked[0].Header); strings.Contains(h, "hunter2") || other.asked[0].Header.Get("Authorization") != "" || other.asked[0].Header.Get("Referer") != "" {
		t.Errorf("the other host got %s", h)
	}
}

func TestFetchAsksAgainOnlyForAChange(t *testing.T) {
	for _, kind := range []string{"ETag", "Last-Modified", "ETag without 304"} {
		t.Run(kind, func(t *testing.T) {
			content, tag, date := "one", `"1"`, modified
			var codes []int
			s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
				code := 200
				if kind == "Last-Modified" {
					w.Header().Set("Last-Modified", date)
				} else {
					w.Header().Set("ETag", tag)
				}
				if kind == "ETag" && r.Header.Get("If-None-Match") == tag || kind == "Last-Modified" && r.Header.Get("If-Modified-Since") == date {
					code = 304
				}
				codes = append(codes, code)
				w.WriteHeader(code)
				if code == 200 {
					io.WriteString(w, content)
				}
			})
			d := Downloader{Cache: filepath.Join(t.TempDir(), "cache")}
			step := func(what, want string, cached bool, sum digest.Digest) {
				t.Helper()
				got, body, err := fetched(t, d, s.URL+"/f", sum)
				if err != nil || body != want || got.Cached != cached || got.Digest != oci.Sum([]byte(want)) {
					t.Errorf("%s: %+v, %q, %v", what, got, body, err)
				}
			}
			step("first", "one", false, "")
			step("again", "one", true, "")
			content, tag, date = "two", `"2"`, "Mon, 03 Feb 2020 05:05:06 GMT"
			step("changed", "two", false, "")
			step("unchanged", "two", true, "")
			n := len(codes)
			step("by its checksum", "two", true, oci.Sum([]byte("two")))
			if len(codes) != n {
				t.Error("the server was asked although the checksum says that the file is here")
			}
			if _, _, err := fetched(t, d, s.URL+"/f", oci.Sum([]byte("three"))); err == nil || !strings.Contains(err.Error(), "digest mismatch") {
				t.Errorf("another checksum: %v", err)
			}
			step("after a mismatch", "two", true, "")
			damage(t, d.Cache)
			step("after damage", "two", false, "")
		})
	}
}

// damage changes the content of everything in the cache, as a power cut does.
func damage(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			if err := os.WriteFile(filepath.Join(dir, e.Name()), []byte("xxx"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A changed file must not be written into the old one that another build still has under another name.
func TestFetchLeavesEarlierFilesAlone(t *testing.T) {
	n := 0
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("ETag", fmt.Sprint(`"`, n, `"`))
		fmt.Fprint(w, n)
	})
	d := Downloader{Cache: t.TempDir()}
	first, _, err := fetched(t, d, s.URL+"/f", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, second, err := fetched(t, d, s.URL+"/f", ""); err != nil || second != "2" {
		t.Fatal(second, err)
	}
	if text, _ := os.ReadFile(first.Path); string(text) != "1" {
		t.Errorf("the first file is now %q", text)
	}
}

func TestFetchCacheIsBounded(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(304)
			return
		}
		w.Write(make([]byte, 1000))
	})
	d := Downloader{Cache: t.TempDir(), Keep: 3500}
	old := time.Now().Add(-2 * time.Hour)
	torn := filepath.Join(d.Cache, ".new-torn")
	if err := errors.Join(os.WriteFile(torn, nil, 0o600), os.Chtimes(torn, old, old)); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if _, _, err := fetched(t, d, fmt.Sprint(s.URL, "/", i), ""); err != nil {
			t.Fatal(err)
		}
		if got, _, err := fetched(t, d, s.URL+"/0", ""); err != nil || i > 0 && !got.Cached { // used all the time, so it stays
			t.Errorf("%d: %+v, %v", i, got, err)
		}
		time.Sleep(10 * time.Millisecond) // file times
	}
	entries, err := os.ReadDir(d.Cache)
	if err != nil || len(entries) != 6 {
		t.Errorf("%d names: %v, %v; want three files and their records", len(entries), entries, err)
	}
	if got, _, err := fetched(t, d, s.URL+"/1", ""); err != nil || got.Cached {
		t.Errorf("the oldest is still there: %+v, %v", got, err)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := (Downloader{}).Fetch(ctx, t.TempDir(), s.URL, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
