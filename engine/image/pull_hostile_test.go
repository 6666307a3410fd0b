package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/learn-containers/learn/trace/vocab"
)

// incompressible is what doesn't compress: its archive is about as long as it is.
func incompressible(n int) string {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"[x%64]
	}
	return string(b)
}

// sent counts the bytes of blobs that a registry sends.
type sent struct {
	http.ResponseWriter
	mu    *sync.Mutex
	n     *int64
	after int64 // the connection is broken off after so many; 0: never
}

func (s *sent) Write(b []byte) (int, error) {
	s.mu.Lock()
	*s.n += int64(len(b))
	over := s.after > 0 && *s.n > s.after
	s.mu.Unlock()
	if over {
		s.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return s.ResponseWriter.Write(b)
}

// A pull that breaks off is taken up where it was: by Range if the registry can, and right in any case.
func TestPullResumes(t *testing.T) {
	for _, ranges := range []bool{true, false} {
		t.Run(fmt.Sprintf("ranges=%v", ranges), func(t *testing.T) {
			a := layerTar(incompressible(6 << 20))
			packed := gzipped(a)
			w, r := newWorkshop(t), remote{registrytest.New(t)}
			r.image("app:1", [2][]byte{a, packed})
			target := "/blobs/" + string(oci.Sum(packed))
			var mu sync.Mutex
			var n int64
			half := int64(len(packed) / 2)
			serve := func(limit int64) func(http.ResponseWriter, *http.Request) bool {
				return func(w http.ResponseWriter, req *http.Request) bool {
					if !strings.HasSuffix(req.URL.Path, target) {
						return false
					}
					if limit > 0 && req.Header.Get("Range") != "" {
						registrytest.Refuse(w, http.StatusForbidden, "DENIED") // the first pull shall not go on by itself
						return true
					}
					if !ranges {
						req.Header.Del("Range")
					}
					http.ServeContent(&sent{w, &mu, &n, limit}, req, "", time.Time{}, bytes.NewReader(packed))
					return true
				}
			}
			r.Before = serve(half)
			if _, err := w.pull(r.Ref("app:1"), ""); err == nil {
				t.Fatal("it went well")
			}
			kept := w.partials()
			if kept < half/2 {
				t.Fatalf("%d bytes were kept of %d that came", kept, half)
			}
			sink := w.traced()
			n = 0
			r.Before = serve(0)
			if _, err := w.pull(r.Ref("app:1"), ""); err != nil {
				t.Fatal(err)
			}
			if want := int64(len(packed)) - kept; ranges && n != want {
				t.Errorf("the registry sent %d bytes the second time, want %d", n, want)
			}
			for _, e := range sink.events {
				if e.Kind == vocab.BlobFetch && e.Attr("resumed_bytes").Int() != kept {
					t.Errorf("told %d bytes, %d were kept", e.Attr("resumed_bytes").Int(), kept)
				}
			}
			if left := w.partials(); left != 0 {
				t.Errorf("%d bytes are left of what is whole", left)
			}
			w.healthy()
		})
	}
}

// partials counts the bytes of blobs that came in part.
func (w *workshop) partials() (n int64) {
	files, _ := filepath.Glob(filepath.Join(w.home.Downloads(), "*", "blob"))
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil {
			n += fi.Size()
		}
	}
	return n
}

// What a killed process left may be wrong, after a power cut: it is thrown away, and the pull is right all the same.
func TestPullDistrustsWhatIsLeft(t *testing.T) {
	a := layerTar(incompressible(3 << 20))
	packed := gzipped(a)
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	r.image("app:1", [2][]byte{a, packed})
	for name, left := range map[string][]byte{"wrong": bytes.Repeat([]byte{7}, 1<<20), "right": packed[:1<<20], "too long": append(bytes.Clone(packed), 1), "whole": packed, "empty": nil} {
		dir := filepath.Join(w.home.Downloads(), oci.Sum(packed).Encoded())
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "blob"), left, 0o600)); err != nil {
			t.Fatal(err)
		}
		img, err := w.pull(r.Ref("app:1"), "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w.healthy()
		if _, _, err := w.Remove(w.ctx, string(img.ID), true, unused); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Collect(w.ctx, Roots{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.partials(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}

// A blob with other bytes than its digest's leaves nothing.
func TestTamperedBlobLeavesNothing(t *testing.T) {
	a := layerTar(incompressible(2 << 20))
	for name, wrong := range map[string][]byte{"changed": gzipped(layerTar(strings.ToUpper(incompressible(2 << 20)))), "noise": bytes.Repeat([]byte("x"), len(gzipped(a)))} {
		w, r := newWorkshop(t), remote{registrytest.New(t)}
		r.image("app:1", [2][]byte{a, gzipped(a)})
		if len(wrong) > len(gzipped(a)) {
			wrong = wrong[:len(gzipped(a))]
		}
		r.SetBlob(oci.Sum(gzipped(a)), append(wrong, make([]byte, len(gzipped(a))-len(wrong))...))
		_, err := w.pull(r.Ref("app:1"), "")
		if err == nil || !strings.Contains(err.Error(), "content has digest") || !strings.Contains(err.Error(), string(oci.Sum(gzipped(a)))) {
			t.Errorf("%s: error = %v", name, err)
		}
		if n := w.partials(); n != 0 {
			t.Errorf("%s: %d bytes are left", name, n)
		}
		w.healthy()
	}
}

// Pulls of the same image at once fetch each layer once.
func TestPullsAtOnce(t *testing.T) {
	a, b := layerTar(incompressible(1<<20)), layerTar("b")
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	r.image("app:1", [2][]byte{a, gzipped(a)}, [2][]byte{b, gzipped(b)})
	w.useRegistry()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := w.PullAlone(w.ctx, r.Ref("app:1"), PullOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	count := map[string]int{}
	for _, req := range r.Requests() {
		count[req]++
	}
	for _, l := range [][]byte{gzipped(a), gzipped(b)} {
		if n := count["GET /v2/app/blobs/"+string(oci.Sum(l))]; n != 1 {
			t.Errorf("a layer was asked for %d times", n)
		}
	}
	w.healthy()
}

// heardOf keeps what a pull says, and what it says last of each blob.
type heardOf struct {
	mu    sync.Mutex
	lines []string
	last  map[string]Stage
	stage map[Stage]bool
}

func (h *heardOf) Say(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}

func (h *heardOf) Blob(b BlobState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[string(b.Blob)] = b.Stage
	h.stage[b.Stage] = true
}

// The second pull of what is unchanged is one request and writes nothing into the store.
func TestPullOfWhatIsHere(t *testing.T) {
	a, b := layerTar("a"), layerTar("b")
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	w.useRegistry()
	d := r.image("app:1", [2][]byte{a, gzipped(a)}, [2][]byte{b, gzipped(b)})
	r.image("app:2", [2][]byte{a, gzipped(a)})
	h := &heardOf{last: map[string]Stage{}, stage: map[Stage]bool{}}
	got, err := w.PullAlone(w.ctx, r.Ref("app:1"), PullOptions{Progress: h})
	if err != nil || !got.Newer || got.Top != d.Digest {
		t.Fatalf("%+v, %v", got, err)
	}
	if len(h.last) != 2 || h.last[string(oci.Sum(gzipped(a)))] != BlobPulled || !h.stage[BlobVerifying] || !h.stage[BlobDownloaded] {
		t.Errorf("heard %v", h)
	}
	if len(h.lines) != 2 || h.lines[0] != "1: Pulling from app" || h.lines[1] != "Digest: "+string(d.Digest) {
		t.Errorf("heard %q", h.lines)
	}
	index, _ := os.Stat(w.blobs.IndexPath())
	r.Requests()
	again, err := w.PullAlone(w.ctx, r.Ref("app:1"), PullOptions{})
	if err != nil || again.Newer || again.ID != got.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if reqs := r.Requests(); len(reqs) != 1 {
		t.Errorf("requests %q", reqs)
	}
	if now, _ := os.Stat(w.blobs.IndexPath()); !now.ModTime().Equal(index.ModTime()) || !os.SameFile(now, index) {
		t.Error("the index was written anew")
	}
	h = &heardOf{last: map[string]Stage{}, stage: map[Stage]bool{}}
	if _, err := w.PullAlone(w.ctx, r.Ref("app:2"), PullOptions{Progress: h}); err != nil || h.last[string(oci.Sum(gzipped(a)))] != BlobExists {
		t.Errorf("%v, %v", h.last, err)
	}
}

// slowdown answers 429 with a time to wait in seconds.
func slowdown(seconds int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		registrytest.Refuse(w, http.StatusTooManyRequests, "TOOMANYREQUESTS")
		return true
	}
}

// Refusals are told in docker's words.
func TestPullErrorsInDockersWords(t *testing.T) {
	a := layerTar("a")
	refuse := func(status int, code string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			registrytest.Refuse(w, status, code)
			return true
		}
	}
	for _, tc := range []struct {
		before func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		{refuse(401, "UNAUTHORIZED"), "/app, repository does not exist or may require 'docker login'"},
		{refuse(403, "DENIED"), "pull access denied for "},
		{refuse(404, "MANIFEST_UNKNOWN"), "/app:1 not found: manifest unknown: said the registry"},
		{refuse(404, "NAME_UNKNOWN"), "/app not found: name unknown"},
		{slowdown(3600), "a rate limit); wait 3600 seconds, or log in with docker login"},
		{func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
			_, err := io.WriteString(w, `{"schemaVersion":1}`)
			return err == nil
		}, "schema 1"},
	} {
		w, r := newWorkshop(t), remote{registrytest.New(t)}
		r.image("app:1", [2][]byte{a, a})
		r.Before = tc.before
		_, err := w.pull(r.Ref("app:1"), "")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error = %v, want %q", err, tc.want)
		}
	}
}

// Partial downloads that nobody has gone on with for a week are garbage.
func TestPartialsAreCollected(t *testing.T) {
	w := newWorkshop(t)
	w.Keep = func(context.Context) (Roots, error) { return Roots{}, nil }
	dir := filepath.Join(w.home.Downloads(), oci.Sum(nil).Encoded())
	file := filepath.Join(dir, "blob")
	put := func(age time.Duration) {
		at := time.Now().Add(-age)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(file, []byte("part"), 0o600), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	put(time.Hour)
	if _, err := w.Collect(w.ctx, Roots{}); err != nil || w.partials() != 4 {
		t.Errorf("%d bytes, %v", w.partials(), err)
	}
	put(8 * 24 * time.Hour)
	if report, err := w.Collect(w.ctx, Roots{}); err != nil || w.partials() != 0 || report.FreedBytes != 4 {
		t.Errorf("%d bytes, %+v, %v", w.partials(), report, err)
	}
}
