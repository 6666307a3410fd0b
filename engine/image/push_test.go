package image

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/learn-containers/learn/trace"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// journal is a Progress that keeps how each blob ended, and what was said.
type journal struct {
	mu   sync.Mutex
	ends map[digest.Digest]string
	said []string
}

func (j *journal) Say(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.said = append(j.said, line)
}

func (j *journal) Blob(b BlobState) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ends == nil {
		j.ends = map[digest.Digest]string{}
	}
	j.ends[b.Blob] = b.String()
}

// ways are the ends of an image's layers, lowest first.
func (j *journal) ways(img Image) string {
	var list []string
	for _, d := range img.DiffIDs() {
		list = append(list, j.ends[d])
	}
	return strings.Join(list, ", ")
}

// push tags img and pushes it there.
func (w *workshop) push(img Image, to oci.Ref, o PushOptions) (v1.Descriptor, string, error) {
	w.Helper()
	w.Registry = registry.New(registry.Config{CredentialsDir: w.TempDir(), Pause: 1})
	if err := w.Tag(w.ctx, string(img.ID), to); err != nil {
		w.Fatal(err)
	}
	j := &journal{}
	o.Progress = j
	d, err := w.PushName(w.ctx, to, o)
	return d, j.ways(img), err
}

func (w *workshop) mustPush(img Image, to oci.Ref, o PushOptions) (v1.Descriptor, string) {
	w.Helper()
	d, ways, err := w.push(img, to, o)
	if err != nil {
		w.Fatal(err)
	}
	return d, ways
}

func TestPushSendsEachLayerOnce(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	sink := w.traced()
	img := w.make([]string{"a", "b"}, "app:1")
	d, ways := w.mustPush(img, r.Ref("app:1"), PushOptions{})
	if ways != "Pushed, Pushed" {
		t.Error(ways)
	}
	var m v1.Manifest
	if err := json.Unmarshal(r.Manifest("app:1"), &m); err != nil || oci.Sum(r.Manifest("app:1")) != d.Digest || m.Layers[0].MediaType != oci.MediaTypeLayerGzip || m.Config.Digest != img.ID {
		t.Fatalf("manifest %s: %v", r.Manifest("app:1"), err)
	}
	r.Requests()
	again, ways := w.mustPush(img, r.Ref("app:1"), PushOptions{})
	if ways != "Layer already exists, Layer already exists" || again.Digest != d.Digest {
		t.Error(ways, again)
	}
	for _, req := range r.Requests() {
		if !strings.HasPrefix(req, "HEAD ") && !strings.HasPrefix(req, "PUT /v2/app/manifests/") {
			t.Errorf("the second push asks for more than it needs: %s", req)
		}
	}
	got, err := w.Resolve(w.ctx, r.Host()+"/app@"+string(d.Digest))
	if err != nil || got.ID != img.ID {
		t.Errorf("by its digest in the registry: %v, %v", got.ID, err)
	}
	notes := 0
	for _, e := range sink.events {
		if e.Kind == "image.push.layer" {
			notes++
		}
	}
	if notes != 4 {
		t.Errorf("%d events of layers, want 4", notes)
	}
	w.healthy()
}

// shareNothing makes each repository have only what was pushed to it, mounted there, or put.
func (r remote) shareNothing() (put func(repository string, d digest.Digest)) {
	var mu sync.Mutex
	in := map[string]bool{} // "repository blob"
	r.Before = func(rw http.ResponseWriter, req *http.Request) bool {
		repo, what, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/v2/"), "/blobs/")
		q := req.URL.Query()
		mu.Lock()
		defer mu.Unlock()
		switch {
		case req.Method == http.MethodHead && strings.HasPrefix(what, "sha256:") && !in[repo+" "+what]:
			rw.WriteHeader(http.StatusNotFound)
			return true
		case q.Has("from"):
			if !in[q.Get("from")+" "+q.Get("mount")] {
				return false
			}
			in[repo+" "+q.Get("mount")] = true
			rw.WriteHeader(http.StatusCreated)
			return true
		case req.Method == http.MethodPut && q.Has("digest"):
			in[repo+" "+q.Get("digest")] = true
		}
		return false
	}
	return func(repository string, d digest.Digest) {
		mu.Lock()
		defer mu.Unlock()
		in[repository+" "+string(d)] = true
	}
}

func TestPushMountsFromOtherRepositories(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	sink := w.traced()
	put := r.shareNothing()
	a := layerTar("pulled")
	r.image("lib/base:1", [2][]byte{a, gzipped(a)})
	put("lib/base", oci.Sum(gzipped(a)))
	pulled, err := w.pull(r.Ref("lib/base:1"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, ways := w.mustPush(pulled, r.Ref("team/copy:1"), PushOptions{}); ways != "Mounted from lib/base" {
		t.Error(ways)
	}
	img := w.make([]string{"x"}, "x:1")
	w.mustPush(img, r.Ref("one:1"), PushOptions{})
	if _, ways := w.mustPush(img, r.Ref("two:1"), PushOptions{}); ways != "Mounted from one" {
		t.Error(ways)
	}
	last := sink.last("image.push", trace.End)
	if last.Attr("blobs").Int() != 2 || last.Attr("mounted").Int() != 2 || last.Attr("size_bytes").Int() != 0 {
		t.Errorf("the trace says of the push that mounted all: %v", last.Attrs)
	}
	w.healthy()
}

// What was pulled leaves with the manifest that it came with, whatever its layers are compressed by.
func TestPulledImageKeepsItsDigest(t *testing.T) {
	a, b, c := layerTar("a"), layerTar("b"), layerTar("c")
	from, to := remote{registrytest.New(t)}, remote{registrytest.New(t)}
	w := newWorkshop(t)
	want := from.image("app:1", [2][]byte{a, gzipped(a)}, [2][]byte{b, zstded(b)}, [2][]byte{c, c})
	img, err := w.pull(from.Ref("app:1"), "")
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := w.mustPush(img, to.Ref("app:1"), PushOptions{}); d.Digest != want.Digest || !bytes.Equal(to.Manifest("app:1"), from.Manifest("app:1")) {
		t.Errorf("pulled %s, pushed %s", want.Digest, d.Digest)
	}
}

func TestCompressionOfAPush(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	img := w.make([]string{"a"}, "app:1")
	seen := map[digest.Digest]bool{}
	for kind, mediaType := range map[layer.Compression]string{layer.Gzip: oci.MediaTypeLayerGzip, layer.Zstd: oci.MediaTypeLayerZstd, layer.None: oci.MediaTypeLayer} {
		to := r.Ref("app:" + string(kind))
		d, _ := w.mustPush(img, to, PushOptions{Compression: kind})
		var m v1.Manifest
		if err := json.Unmarshal(r.Manifest("app:"+string(kind)), &m); err != nil || m.Layers[0].MediaType != mediaType || seen[d.Digest] {
			t.Errorf("%s: %+v, %v", kind, m.Layers, err)
		}
		seen[d.Digest] = true
		other := newWorkshop(t)
		if got, err := other.pull(to, ""); err != nil || got.ID != img.ID {
			t.Errorf("%s: pulled %s: %v", kind, got.ID, err)
		}
	}
	// a build that pushes comes to the same bytes
	p := packed(t, w, img, PackOptions{Compression: layer.Gzip})
	if d := oci.Sum(r.Manifest("app:gzip")); p.Manifest().Digest != d {
		t.Errorf("packed as %s, pushed as %s", p.Manifest().Digest, d)
	}
}

func packed(t *testing.T, w *workshop, img Image, o PackOptions) *Parcel {
	t.Helper()
	op, err := w.home.Begin("pack")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = op.End() })
	p, err := w.Pack(w.ctx, op, img, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPushErrorsLeaveNothing(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	img := w.make([]string{"a", "b", "c"}, "app:1")
	for name, c := range map[string]struct {
		method, path string
		status       int
		code, want   string
	}{
		"denied":              {http.MethodPost, "uploads", 403, "DENIED", "forbids"},
		"lost a blob":         {http.MethodPut, "manifests", 404, "MANIFEST_BLOB_UNKNOWN", "blob unknown"},
		"refused a manifest":  {http.MethodPut, "manifests", 400, "MANIFEST_INVALID", "manifest invalid"},
		"too many requests":   {http.MethodHead, "blobs", 429, "TOOMANYREQUESTS", "too many requests"},
		"trouble at the end":  {http.MethodPut, "digest", 500, "UNKNOWN", "trouble of its own"},
		"no name of its kind": {http.MethodPost, "uploads", 404, "NAME_UNKNOWN", "no such"},
	} {
		t.Run(name, func(t *testing.T) {
			r.Before = func(rw http.ResponseWriter, req *http.Request) bool {
				hit := req.Method == c.method && (strings.Contains(req.URL.Path, c.path) || req.URL.Query().Has(c.path))
				if hit {
					registrytest.Refuse(rw, c.status, c.code)
				}
				return hit
			}
			_, _, err := w.push(img, r.Ref("bad:1"), PushOptions{})
			var e *registry.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || r.Manifest("bad:1") != nil {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			w.healthy()
			if left, _ := os.ReadDir(filepath.Join(w.home.Root(), "tmp")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestPushOfADamagedLayer(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	img := w.make([]string{"a"}, "app:1")
	path := w.blobs.Path(img.Layers[0].Descriptor.Digest)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[0] ^= 1
	if err := errors.Join(os.Remove(path), os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.push(img, r.Ref("app:1"), PushOptions{}); err == nil || !strings.Contains(err.Error(), "content has digest") || r.Manifest("app:1") != nil {
		t.Errorf("error = %v", err)
	}
}

func TestPushForAPlatform(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	img := w.make([]string{"a"}, "app:1")
	w.mustPush(img, r.Ref("app:1"), PushOptions{Platform: "linux/" + cmp.Or(img.Config.Architecture, oci.Architecture())})
	if _, _, err := w.push(img, r.Ref("app:2"), PushOptions{Platform: "plan9/mips"}); err == nil || !strings.Contains(err.Error(), "does not provide the specified platform (plan9/mips)") {
		t.Errorf("error = %v", err)
	}
}

// What is remembered is bounded, and a file that is lost or broken only costs work.
func TestKnownBlobs(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	img := w.make([]string{"a"}, "app:1")
	want, _ := w.mustPush(img, r.Ref("app:1"), PushOptions{})
	for _, text := range []string{"", "{", `{"blobs":[{"digest":"../../x"}]}`, `{"blobs":[{"digest":"` + string(want.Digest) + `","diff_id":"x"}]}`, `[]`} {
		if err := os.WriteFile(w.knownPath(), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, _ := w.mustPush(img, r.Ref("app:1"), PushOptions{}); got.Digest != want.Digest {
			t.Errorf("%q: %s", text, got.Digest)
		}
	}
	for i := range 3 {
		var news []knownBlob
		for j := range maxKnown {
			news = append(news, knownBlob{Digest: oci.Sum(fmt.Append(nil, i%2, j))})
		}
		err := w.withOperation("push", func(op *home.Operation) error {
			return w.remember(w.ctx, op, ref(fmt.Sprintf("r.example/repo%d:1", i)), news)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	k := w.readKnown()
	if len(k.Blobs) != maxKnown {
		t.Errorf("%d blobs are remembered", len(k.Blobs))
	}
	for i := range 2 * maxKnownIn {
		k.add(knownBlob{Digest: k.Blobs[0].Digest, Repositories: []string{fmt.Sprintf("r.example/many%d", i)}})
	}
	if n := len(k.Blobs[0].Repositories); n != maxKnownIn {
		t.Errorf("%d repositories are remembered", n)
	}
	if got := k.candidates(k.Blobs[0].Digest, ref("r.example/new:1")); !slices.Contains(got, "many15") || slices.Contains(got, "new") {
		t.Errorf("candidates: %v", got)
	}
	if got := k.candidates(k.Blobs[0].Digest, ref("other.example/new:1")); len(got) > 0 {
		t.Errorf("candidates of another registry: %v", got)
	}
}

func FuzzKnown(f *testing.F) {
	f.Add([]byte(`{"blobs":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","repositories":["x/y","\u0000"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorkshop(t)
		if err := os.WriteFile(w.knownPath(), data, 0o644); err != nil {
			t.Fatal(err)
		}
		k := w.readKnown()
		for _, b := range k.Blobs {
			k.candidates(b.Digest, ref("r.example/x:1"))
			k.compressed(b.DiffID, b.Compression)
		}
		k.add(knownBlob{Digest: oci.Sum(nil), Repositories: []string{"r.example/x"}})
	})
}
