package build

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestParseCache(t *testing.T) {
	hexa := "sha256:" + strings.Repeat("a", 64)
	for spec, want := range map[string]CacheRef{
		"user/app":                            {Type: CacheRegistry, Ref: named(t, "user/app")[0], Tag: "latest"},
		"h.x:5000/app:c":                      {Type: CacheRegistry, Ref: named(t, "h.x:5000/app:c")[0], Tag: "latest"},
		"type=registry,ref=a:1":               {Type: CacheRegistry, Ref: named(t, "a:1")[0], Tag: "latest"},
		"type=registry,ref=a,mode=max":        {Type: CacheRegistry, Ref: named(t, "a")[0], Tag: "latest", Max: true, to: true},
		"type=local,src=d":                    {Type: CacheLocal, Dir: "d", Tag: "latest", from: true},
		"type=local,src=d,tag=x":              {Type: CacheLocal, Dir: "d", Tag: "x", from: true},
		"type=local,src=d,digest=" + hexa:     {Type: CacheLocal, Dir: "d", Tag: "latest", Digest: digest.Digest(hexa), from: true},
		"type=local,dest=d,mode=min":          {Type: CacheLocal, Dir: "d", Tag: "latest", to: true},
		"type=local,dest=d,ignore-error=true": {Type: CacheLocal, Dir: "d", Tag: "latest", IgnoreError: true, to: true},
		"type=local,dest=d,compression=zstd":  {Type: CacheLocal, Dir: "d", Tag: "latest", Compression: compression{kind: layer.Zstd}, to: true},
		"type=local,dest=d,image-manifest=1":  {Type: CacheLocal, Dir: "d", Tag: "latest", to: true},
		"type=inline":                         {Type: CacheInline, Tag: "latest"},
		"type=inline,ref=a":                   {Type: CacheInline, Tag: "latest", Ref: named(t, "a")[0]},
	} {
		got, err := ParseCache(spec)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(CacheRef{}, compression{}), cmpopts.EquateComparable(oci.Ref{})); err != nil || diff != "" {
			t.Errorf("%s: %v%s", spec, err, diff)
		}
	}
}

func TestParseCacheRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                       "expected key=value",
		"x/B":                                    "lowercase",
		"type=gha":                               `type is "gha", expected local, registry or inline`,
		"type=local":                             "needs src=FOLDER or dest=FOLDER",
		"type=registry":                          "needs ref=NAME",
		"type=local,src=a,dest=b":                "keys of --cache-from",
		"type=local,src=a,mode=max":              "keys of --cache-from",
		"type=local,src=a,ref=b":                 `no key "ref": it has src, dest`,
		"type=local,src=a,tag=../x":              "tag is",
		"type=local,src=a,digest=sha256:../../x": "digest",
		"type=registry,ref=a,mode=all":           "expected min or max",
		"type=registry,ref=a,ignore-error=x":     "expected true or false",
		"type=registry,ref=a,image-manifest=0":   "not supported",
		"type=inline,mode=max":                   `no key "mode"`,
		"type=local,dest=a,compression-level=30": "expected 1 to 9",
	} {
		if c, err := ParseCache(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want %q", spec, c, err, want)
		}
	}
	for spec, want := range map[string][2]string{
		"type=local,src=a":                    {"", "belong to --cache-from"},
		"type=local,dest=a":                   {"belong to --cache-to", ""},
		"a":                                   {"", ""},
		"type=inline":                         {"type=registry,ref=NAME", ""},
		"type=inline,ref=a":                   {"", "has no ref"},
		"a@sha256:" + strings.Repeat("a", 64): {"", "no digest"},
	} {
		c, err := ParseCache(spec)
		must(t, err)
		for i, err := range []error{c.CheckFrom(), c.CheckTo()} {
			if (err == nil) != (want[i] == "") || err != nil && !strings.Contains(err.Error(), want[i]) {
				t.Errorf("%s: %v, want %q", spec, err, want[i])
			}
		}
	}
}

func FuzzParseCache(f *testing.F) {
	for _, s := range []string{"a/b:c", "type=local,src=x", "type=registry,ref=a,mode=max", "type=inline", `type=local,"dest=a,b",tag=x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		c, err := ParseCache(spec)
		if err != nil {
			return
		}
		if c.Type == CacheLocal && c.Dir == "" || c.Type == CacheRegistry && c.Ref.IsZero() || c.Tag == "" || c.String() == "" {
			t.Fatalf("%q: %+v", spec, c)
		}
		if c.CheckFrom() != nil && c.CheckTo() != nil {
			t.Fatalf("%q is good for nothing: %v, %v", spec, c.CheckFrom(), c.CheckTo())
		}
	})
}

const cachedBuild = "FROM base\nRUN write a one\nRUN echo nothing changes\nRUN write b two\n"

// trader is a lab with results to give away.
func trader(t *testing.T) (*lab, []digest.Digest) {
	t.Helper()
	l := newLab(t)
	l.images.Registry = registry.New(registry.Config{CredentialsDir: t.TempDir()})
	l.build(cachedBuild, Options{})
	keys, err := openCache(l.home.Cache()).keys()
	must(t, err)
	if len(keys) != 3 {
		t.Fatalf("%d results", len(keys))
	}
	return l, keys
}

func cacheOf(t *testing.T, spec string) CacheRef {
	t.Helper()
	c, err := ParseCache(spec)
	must(t, err)
	return c
}

// customer is a lab without results, and what it found in caches.
type customer struct {
	*lab
	cache    *importedCache
	warnings []error
	op       *home.Operation
}

func newCustomer(t *testing.T, specs ...string) *customer {
	t.Helper()
	c := &customer{lab: newLab(t)}
	c.images.Registry = registry.New(registry.Config{CredentialsDir: t.TempDir()})
	var refs []CacheRef
	for _, s := range specs {
		refs = append(refs, cacheOf(t, s))
	}
	c.cache, c.warnings = c.builder.importCache(c.ctx, refs)
	var err error
	c.op, err = c.home.Begin("test")
	must(t, err)
	t.Cleanup(func() { _ = c.op.End() })
	return c
}

// hits looks all keys up and counts hits; every hit must be the trader's record, and its layer must be there, whole.
func (c *customer) hits(l *lab, keys []digest.Digest) (n int, warnings []error) {
	c.t.Helper()
	for _, key := range keys {
		want, err := openCache(l.home.Cache()).read(key)
		must(c.t, err)
		rec, hit, err := c.cache.lookUp(c.ctx, c.op, key)
		if err != nil {
			warnings = append(warnings, err)
		}
		if !hit {
			continue
		}
		n++
		if diff := cmp.Diff(want, rec); diff != "" {
			c.t.Error(diff)
		}
		if !rec.Empty {
			data, err := c.blobs.ReadAll(rec.Layer.Digest, 1<<20)
			if err != nil || int64(len(data)) != rec.Layer.Size {
				c.t.Errorf("layer %s: %v", rec.Layer.Digest, err)
			}
		}
	}
	return n, warnings
}

func TestCacheRoundTrips(t *testing.T) {
	r := registrytest.New(t)
	l, keys := trader(t)
	dir := t.TempDir()
	for to, from := range map[string]string{
		"type=local,dest=" + dir + "/a":                                       "type=local,src=" + dir + "/a",
		"type=local,tag=x,dest=" + dir + "/b":                                 "type=local,tag=x,src=" + dir + "/b",
		"type=local,dest=" + dir + "/c,compression=gzip":                      "type=local,src=" + dir + "/c",
		"type=local,dest=" + dir + "/d,compression=zstd":                      "type=local,src=" + dir + "/d",
		"type=registry,mode=max,ref=" + r.Ref("c:1").String():                 r.Ref("c:1").String(),
		"type=registry,compression=uncompressed,ref=" + r.Ref("c:2").String(): "type=registry,ref=" + r.Ref("c:2").String(),
	} {
		must(t, l.builder.exportCache(l.ctx, cacheOf(t, to), append(keys, keys[0], oci.Sum([]byte("no such result")), "sha256:../x")))
		c := newCustomer(t, from)
		n, warnings := c.hits(l, keys)
		if n != len(keys) || len(warnings)+len(c.warnings) != 0 {
			t.Errorf("%s: %d hits of %d, warnings %v %v", to, n, len(keys), warnings, c.warnings)
		}
		if _, hit, err := c.cache.lookUp(c.ctx, c.op, oci.Sum([]byte("no such result"))); hit || err != nil {
			t.Errorf("%s: a hit of a key that isn't there, %v", to, err)
		}
		if events := ofKind(c.lab, vocab.CacheImport); events != 2 {
			t.Errorf("%s: %d events", to, events)
		}
	}
	c := newCustomer(t, "type=local,src="+dir+"/a")
	for _, key := range keys {
		rec, ok := c.cache.knows(key)
		if _, err := c.blobs.Stat(rec.Layer.Digest); !ok || err == nil && !rec.Empty {
			t.Errorf("%s: known %v, and fetched %v", key, ok, err == nil)
		}
	}
	var nobody *importedCache
	if _, ok := nobody.knows(keys[0]); ok {
		t.Error("no cache knows a key")
	}
	if _, hit, err := nobody.lookUp(l.ctx, nil, keys[0]); hit || err != nil {
		t.Error("no cache has a hit")
	}
}

func ofKind(l *lab, kind string) (n int) {
	for _, e := range l.trace.Events() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// The same results give the same cache, and a second export writes nothing.
func TestCacheExportIsReproducible(t *testing.T) {
	l, keys := trader(t)
	dir := t.TempDir()
	var before map[string]string
	for i := range 2 {
		must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,compression=gzip,dest="+dir), keys))
		slices.Reverse(keys)
		now := shown(t, dir)
		if diff := cmp.Diff(before, now); i > 0 && diff != "" {
			t.Error(diff)
		}
		before = now
	}
	must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,tag=other,dest="+dir), nil))
	if c := newCustomer(t, "type=local,src="+dir); len(c.warnings) != 0 {
		t.Errorf("after an export under another tag: %v", c.warnings)
	}
	if c := newCustomer(t, "type=local,tag=other,src="+dir); len(c.warnings) != 0 || len(c.cache.sources[0].entries) != 0 {
		t.Errorf("an empty cache: %v", c.warnings)
	}
}

// Only those results are in a cache that were asked for.
func TestCacheExportOfSome(t *testing.T) {
	l, keys := trader(t)
	dir := t.TempDir()
	must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,dest="+dir), keys[:1]))
	if n, _ := newCustomer(t, "type=local,src="+dir).hits(l, keys); n != 1 {
		t.Errorf("%d hits", n)
	}
}

func TestInlineCache(t *testing.T) {
	l, r := newLab(t), registrytest.New(t)
	l.images.Registry = registry.New(registry.Config{CredentialsDir: t.TempDir()})
	res := l.build(cachedBuild, Options{})
	keys, err := openCache(l.home.Cache()).keys()
	must(t, err)
	annotations, err := l.builder.inlineCache(res.Image, keys)
	must(t, err)
	for _, spec := range []string{"type=registry,name=" + r.Ref("app:1").String(), "type=registry,compression=uncompressed,name=" + r.Ref("app:2").String()} {
		o, err := ParseOutput(spec)
		must(t, err)
		o.Annotations = annotations
		op, err := l.home.Begin("test")
		must(t, err)
		must(t, l.builder.write(l.ctx, op, res.Image, nil, o, nil))
		must(t, op.End())
		c := newCustomer(t, "type=registry,ref="+o.Names[0].String())
		n, warnings := c.hits(l, keys)
		if n != len(keys) || len(warnings)+len(c.warnings) != 0 {
			t.Errorf("%s: %d hits, warnings %v %v", spec, n, warnings, c.warnings)
		}
	}
	must(t, l.output(res.Image, "type=registry", nil, r.Ref("plain:1")))
	if c := newCustomer(t, r.Ref("plain:1").String()); len(c.warnings) != 1 || !strings.Contains(c.warnings[0].Error(), "without --cache-to type=inline") {
		t.Errorf("an image without a cache: %v", c.warnings)
	}
	d := v1.Descriptor{MediaType: oci.MediaTypeManifest, Digest: oci.Sum(r.Manifest("app:1")), Size: int64(len(r.Manifest("app:1")))}
	d.Platform = &v1.Platform{OS: "linux", Architecture: oci.Architecture()}
	x := v1.Index{MediaType: oci.MediaTypeIndex, Manifests: []v1.Descriptor{d}}
	x.SchemaVersion = 2
	r.AddManifest("app:list", oci.MediaTypeIndex, x)
	if n, _ := newCustomer(t, r.Ref("app:list").String()).hits(l, keys); n != len(keys) {
		t.Errorf("%d hits through a list of manifests", n)
	}
}

// The first cache that has a result gives it; one that turns out damaged is passed over.
func TestCachesStandInForEachOther(t *testing.T) {
	r := registrytest.New(t)
	l, keys := trader(t)
	dir := t.TempDir()
	must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,dest="+dir), keys))
	must(t, l.builder.exportCache(l.ctx, cacheOf(t, r.Ref("c:1").String()), keys))
	layers := 0
	for _, key := range keys {
		if rec, _ := openCache(l.home.Cache()).read(key); !rec.Empty {
			layers++
			must(t, os.Remove(filepath.Join(dir, "blobs/sha256", rec.Layer.Digest.Encoded())))
		}
	}
	c := newCustomer(t, "type=local,src="+dir, "type=local,src="+dir+"/none", r.Ref("c:1").String(), "127.0.0.1:1/none")
	if len(c.warnings) != 2 {
		t.Errorf("warnings %v", c.warnings)
	}
	n, warnings := c.hits(l, keys)
	if n != len(keys) || len(warnings) != layers {
		t.Errorf("%d hits, warnings %v", n, warnings)
	}
	if n, warnings = c.hits(l, keys); n != len(keys) || len(warnings) != 0 {
		t.Errorf("again: %d hits, warnings %v", n, warnings)
	}
}

// A layer is fetched once, however many steps ask for it at a time, and not at all if it is here.
func TestCacheFetchesOnce(t *testing.T) {
	r := registrytest.New(t)
	l, keys := trader(t)
	must(t, l.builder.exportCache(l.ctx, cacheOf(t, r.Ref("c:1").String()), keys))
	c := newCustomer(t, r.Ref("c:1").String())
	r.Requests()
	var wg sync.WaitGroup
	for range 8 {
		for _, key := range keys {
			wg.Go(func() {
				if _, hit, err := c.cache.lookUp(c.ctx, c.op, key); !hit || err != nil {
					t.Errorf("%s: %v, %v", key, hit, err)
				}
			})
		}
	}
	wg.Wait()
	seen := map[string]int{}
	for _, req := range r.Requests() {
		if seen[req]++; seen[req] > 1 {
			t.Errorf("asked %d times: %s", seen[req], req)
		}
	}
	layers := map[digest.Digest]bool{}
	for _, key := range keys {
		if rec, _ := openCache(l.home.Cache()).read(key); !rec.Empty {
			layers[rec.DiffID] = true
		}
	}
	if len(seen) != len(layers) {
		t.Errorf("%d requests, expected one for each of %d layers", len(seen), len(layers))
	}
}

// A build that is stopped while it waits for a cache stops.
func TestCacheLookUpStops(t *testing.T) {
	r := registrytest.New(t)
	l, keys := trader(t)
	must(t, l.builder.exportCache(l.ctx, cacheOf(t, r.Ref("c:1").String()), keys))
	c := newCustomer(t, r.Ref("c:1").String())
	ctx, cancel := context.WithCancel(c.ctx)
	r.Before = func(w http.ResponseWriter, req *http.Request) bool {
		cancel()
		<-req.Context().Done()
		return true
	}
	for _, key := range keys {
		rec, hit, err := c.cache.lookUp(ctx, c.op, key)
		if !rec.Empty && (hit || !errors.Is(err, context.Canceled)) {
			t.Errorf("hit %v, %v", hit, err)
		}
	}
}

func TestCacheExportErrors(t *testing.T) {
	r := registrytest.New(t)
	l, keys := trader(t)
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o644))
	r.Before = func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/") {
			registrytest.Refuse(w, http.StatusForbidden, "DENIED")
			return true
		}
		return false
	}
	for spec, want := range map[string]string{
		"type=local,dest=" + file:               "not a directory",
		"type=local,dest=" + filepath.Dir(file): "not empty",
		r.Ref("c:1").String():                   "forbids it",
		"type=inline":                           "goes into the image",
		"type=local,src=x":                      "belong to --cache-from",
	} {
		if err := l.builder.exportCache(l.ctx, cacheOf(t, spec), keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
	if left, err := l.home.Orphans(); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if r.Manifest("c:1") != nil {
		t.Error("the cache has a name though it was refused")
	}
}

// Any tool can copy a cache, and what it copied is one.
func TestSkopeoCopiesACache(t *testing.T) {
	if _, err := exec.LookPath("skopeo"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("skopeo is not installed")
		}
		lacks(t, "skopeo is not installed")
	}
	r := registrytest.New(t)
	l, keys := trader(t)
	dir := t.TempDir()
	must(t, l.builder.exportCache(l.ctx, cacheOf(t, "type=local,dest="+dir+"/a"), keys))
	skopeo := func(args ...string) {
		t.Helper()
		out, err := exec.Command("skopeo", append([]string{"--insecure-policy"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo %v: %v\n%s", args, err, out)
		}
	}
	skopeo("inspect", "--raw", "oci:"+dir+"/a:latest")
	skopeo("copy", "oci:"+dir+"/a:latest", "oci:"+dir+"/b:copied")
	skopeo("copy", "--dest-tls-verify=false", "oci:"+dir+"/b:copied", "docker://"+r.Ref("c:1").String())
	skopeo("copy", "--src-tls-verify=false", "docker://"+r.Ref("c:1").String(), "oci:"+dir+"/c:latest")
	for _, spec := range []string{"type=local,tag=copied,src=" + dir + "/b", r.Ref("c:1").String(), "type=local,src=" + dir + "/c"} {
		c := newCustomer(t, spec)
		if n, warnings := c.hits(l, keys); n != len(keys) || len(warnings)+len(c.warnings) != 0 {
			t.Errorf("%s: %d hits, warnings %v %v", spec, n, warnings, c.warnings)
		}
	}
}

// The values of a record survive the way through a document.
func TestCacheDocumentKeepsRecords(t *testing.T) {
	layerDigest := oci.Sum([]byte("layer"))
	rec := Record{Key: Key{Instruction: "RUN x", Env: []string{"A=\u2028<b>"}, Inputs: oci.Sum(nil)}, Created: time.Unix(1, 2000).UTC(), DiffID: layerDigest, Chain: layerDigest,
		Layer: v1.Descriptor{MediaType: oci.MediaTypeLayer, Digest: layerDigest, Size: 7}, Seconds: 1.5, Bytes: 7}
	key, err := rec.Key.Digest()
	must(t, err)
	data, err := cacheDocument{1, []cacheEntry{{Key: key, Record: rec, Blob: &rec.Layer}}}.encode()
	must(t, err)
	d, err := parseCacheDocument(data)
	must(t, err)
	must(t, d.Entries[0].check())
	if diff := cmp.Diff(rec, d.Entries[0].Record); diff != "" {
		t.Error(diff)
	}
}
