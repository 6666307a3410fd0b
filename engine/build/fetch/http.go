package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/opencontainers/go-digest"
)

// Downloader gets files from HTTP servers. The zero value works; it keeps no connections.
type Downloader struct {
	Cache    string        // folder for what servers let one ask about again; empty: nothing is kept
	MaxBytes int64         // of one file; 0: 64 GiB
	Keep     int64         // bytes that Cache may hold; 0: 4 GiB
	Silence  time.Duration // how long a server may send nothing; 0: one minute
}

// Download is a file that was fetched.
type Download struct {
	Path    string        // where it lies, in the folder that the caller gave
	Name    string        // the last part of the URL's path; "__unnamed__" if there is none
	Digest  digest.Digest // of its content, SHA-256
	Size    int64
	ModTime time.Time // what the server says, or 1970
	Cached  bool      // the server said that nothing changed, or the checksum made it needless to ask
}

func (d Downloader) maxBytes() int64 {
	if d.MaxBytes == 0 {
		return 64 << 30
	}
	return d.MaxBytes
}

// Fetch downloads address into dir, an empty folder of the caller's. checksum, unless empty, is what the content must have; if the cache has it, no server
// is asked. Redirects are followed, but user and password are sent to the address's own server only. Only a whole file is ever returned.
func (d Downloader) Fetch(ctx context.Context, dir, address string, checksum digest.Digest) (Download, error) {
	out, err := d.fetch(ctx, dir, address, checksum)
	if err != nil {
		return Download{}, fmt.Errorf("download %s: %w", Redact(address), plainURLError(err))
	}
	return out, nil
}

// plainURLError is err without the address that net/http puts before it.
func plainURLError(err error) error {
	for {
		var u *url.Error
		if !errors.As(err, &u) {
			return err
		}
		err = u.Err
	}
}

func (d Downloader) fetch(ctx context.Context, dir, address string, checksum digest.Digest) (Download, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Download{}, errors.New("the address can't be: expected http://HOST/PATH or https://HOST/PATH")
	}
	if checksum != "" {
		if err := checkSum(checksum); err != nil {
			return Download{}, err
		}
	}
	f := &fetch{Downloader: d, url: u, name: fileName(u), to: filepath.Join(dir, "download"), want: checksum, cache: openCache(d.Cache, address)}
	old, err := f.cache.take(f.to)
	if err != nil {
		return Download{}, err
	}
	if old != nil && checksum != "" && f.check(old) == nil {
		return f.cached(old), nil
	}
	return f.ask(ctx, old)
}

// checkSum refuses digests that can't be computed here.
func checkSum(d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("checksum %q: %w: expected sha256: and 64 hexadecimal digits", d, err)
	}
	return nil
}

// fetch is one download under way.
type fetch struct {
	Downloader
	url   *url.URL
	name  string
	to    string // path of the file
	want  digest.Digest
	cache *urlCache
}

// check compares the file that was kept with the checksum.
func (f *fetch) check(old *record) error {
	if f.want == "" || f.want == old.Digest {
		return nil
	}
	if f.want.Algorithm() == digest.SHA256 {
		return mismatch(old.Digest, f.want)
	}
	in, err := os.Open(f.to)
	if err != nil {
		return err
	}
	defer in.Close()
	s := newSums(f.want)
	if _, err := io.Copy(s, in); err != nil {
		return err
	}
	return s.verify()
}

func (f *fetch) cached(old *record) Download {
	return Download{Path: f.to, Name: f.name, Digest: old.Digest, Size: old.Size, ModTime: old.modTime(), Cached: true}
}

// ask asks the server, for a change if there is an old file.
func (f *fetch) ask(ctx context.Context, old *record) (Download, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := f.request(ctx, old)
	if err != nil {
		return Download{}, err
	}
	client, closeIdle := f.client()
	defer closeIdle()
	watch := newWatch(f.Silence, cancel)
	defer watch.stop()
	resp, err := client.Do(req)
	if err != nil {
		return Download{}, watch.cause(ctx, err)
	}
	defer resp.Body.Close()
	if old != nil && (resp.StatusCode == http.StatusNotModified || resp.StatusCode == http.StatusOK && old.sameTag(resp.Header)) {
		return f.cached(old), f.check(old)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Download{}, statusError(resp.StatusCode)
	}
	out, err := f.save(resp, watch)
	if err != nil {
		return Download{}, watch.cause(ctx, err)
	}
	return out, nil
}

func (f *fetch) request(ctx context.Context, old *record) (*http.Request, error) {
	bare, user := withoutUser(f.url)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, bare.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "learn")
	if user != nil {
		secret, _ := user.Password()
		req.SetBasicAuth(user.Username(), secret)
	}
	if old != nil {
		old.ask(req.Header)
	}
	return req, nil
}

const (
	dialTimeout   = 30 * time.Second
	headerTimeout = 60 * time.Second
	maxRedirects  = 10
)

// client has time-outs for everything but the whole, and no connection outlives the function that it comes with.
func (f *fetch) client() (*http.Client, func()) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return &http.Client{CheckRedirect: f.redirect}, func() {}
	}
	t := transport.Clone() // it has the proxies of the environment
	t.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	t.ResponseHeaderTimeout = headerTimeout
	return &http.Client{Transport: t, CheckRedirect: f.redirect}, t.CloseIdleConnections
}

// redirect keeps credentials, and addresses that may hold some, from other servers than the one they are for.
func (f *fetch) redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return fmt.Errorf("the server redirects to %s: only http and https are followed", req.URL.Scheme)
	}
	req.Header.Del("Referer")
	if req.URL.Host != f.url.Host || req.URL.Scheme != f.url.Scheme {
		req.Header.Del("Authorization")
	}
	return nil
}

func statusError(code int) error {
	why := "it refuses to give the file"
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		why = "it wants credentials, or other ones"
	case code == http.StatusNotFound, code == http.StatusGone:
		why = "there is no such file: check the address"
	case code == http.StatusTooManyRequests:
		why = "it is asked too often: try again later"
	case code >= 500:
		why = "the server has a problem: try again later"
	}
	return fmt.Errorf("the server answered %d %s: %s", code, http.StatusText(code), why)
}

func mismatch(got, want digest.Digest) error {
	return fmt.Errorf("digest mismatch: got %s (expected: %s): the file is not the one that the checksum was made of", got, want)
}

// save writes the body to the file and hashes it on the way.
func (f *fetch) save(resp *http.Response, watch *watch) (Download, error) {
	if resp.ContentLength > f.maxBytes() {
		return Download{}, tooLarge(f.maxBytes())
	}
	if err := remove(f.to); err != nil { // it may be the cache's own file under another name
		return Download{}, err
	}
	out, err := os.OpenFile(f.to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Download{}, err
	}
	defer out.Close()
	sums := newSums(f.want)
	n, err := io.Copy(io.MultiWriter(out, sums), &watched{io.LimitReader(resp.Body, f.maxBytes()+1), watch})
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Download{}, fmt.Errorf("the connection was cut after %d bytes: %w", n, err)
	case err != nil:
		return Download{}, err
	case n > f.maxBytes():
		return Download{}, tooLarge(f.maxBytes())
	}
	if err := sums.verify(); err != nil {
		return Download{}, err
	}
	r := &record{ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified"), Digest: sums.digest(), Size: n}
	got := Download{Path: f.to, Name: f.name, Digest: r.Digest, Size: n, ModTime: r.modTime()}
	if f.cache.keeps(r) {
		if err := out.Sync(); err != nil {
			return Download{}, err
		}
		f.cache.put(f.to, r, f.Keep)
	}
	return got, out.Close()
}

func tooLarge(limit int64) error { return fmt.Errorf("the file has more than %d bytes", limit) }

// sums hashes with SHA-256, and with what the expected checksum has if that is something else.
type sums struct {
	own   hash.Hash
	other digest.Verifier
	want  digest.Digest
}

func newSums(want digest.Digest) *sums {
	s := &sums{own: sha256.New(), want: want}
	if want != "" && want.Algorithm() != digest.SHA256 {
		s.other = want.Verifier()
	}
	return s
}

func (s *sums) Write(p []byte) (int, error) {
	if s.other != nil {
		_, _ = s.other.Write(p)
	}
	return s.own.Write(p)
}

func (s *sums) digest() digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(s.own.Sum(nil)))
}

func (s *sums) verify() error {
	got := s.digest()
	if s.want == "" || s.other == nil && got == s.want || s.other != nil && s.other.Verified() {
		return nil
	}
	return mismatch(got, s.want)
}

// fileName is what ADD calls the file: BuildKit looks at the path only, never at what the server calls it.
func fileName(u *url.URL) string {
	name := strings.TrimSpace(path.Base(u.Path))
	if name == "" || name == "." || name == "/" {
		return "__unnamed__"
	}
	if name == ".." || strings.ContainsFunc(name, unicode.IsControl) || len(name) > 255 {
		return "download"
	}
	return name
}
