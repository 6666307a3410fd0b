package image

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// remote is a registry and what a test puts into it.
type remote struct{ *registrytest.Server }

// image makes an image of the blobs in the registry: each is an archive, compressed or not, of the plain one beside it.
func (r remote) image(name string, layers ...[2][]byte) v1.Descriptor {
	var plain [][]byte
	m := manifestOf(nil)
	for _, l := range layers {
		plain = append(plain, l[0])
		m.Layers = append(m.Layers, r.AddBlob(oci.MediaTypeLayerGzip, l[1]))
	}
	m.Config = r.AddBlob(oci.MediaTypeConfig, []byte(configOf(plain...)))
	return r.AddManifest(name, oci.MediaTypeManifest, m)
}

func manifestOf(config []byte, layers ...v1.Descriptor) v1.Manifest {
	m := v1.Manifest{MediaType: oci.MediaTypeManifest, Config: descriptor(oci.MediaTypeConfig, config), Layers: layers}
	m.SchemaVersion = 2
	return m
}

func indexOf(manifests ...v1.Descriptor) v1.Index {
	x := v1.Index{MediaType: oci.MediaTypeIndex, Manifests: manifests}
	x.SchemaVersion = 2
	return x
}

func on(d v1.Descriptor, os, arch, variant string) v1.Descriptor {
	d.Platform = &v1.Platform{OS: os, Architecture: arch, Variant: variant}
	return d
}

// useRegistry talks to registries without anybody's credentials.
func (w *workshop) useRegistry() {
	w.Registry = registry.New(registry.Config{CredentialsDir: w.TempDir()})
}

func (w *workshop) pull(r oci.Ref, platform string) (img Image, err error) {
	w.Helper()
	w.useRegistry()
	unlock, err := w.home.Lock(w.ctx, "gc", false)
	if err != nil {
		w.Fatal(err)
	}
	defer unlock()
	err = w.withOperation("pull", func(op *home.Operation) error {
		got, err := w.Pull(w.ctx, op, r, PullOptions{Platform: platform})
		img = got.Image
		return err
	})
	return img, err
}

func TestPull(t *testing.T) {
	a, b := layerTar("a"), layerTar("b")
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	sink := w.traced()
	d := r.image("team/app:1", [2][]byte{a, gzipped(a)}, [2][]byte{b, zstded(b)}, [2][]byte{a, gzipped(a)})
	img, err := w.pull(r.Ref("team/app:1"), "")
	if err != nil {
		t.Fatal(err)
	}
	if img.Manifest.Digest != d.Digest || img.ID != oci.Sum([]byte(configOf(a, b, a))) || img.Size != int64(len(a)+len(b)+len(a)) {
		t.Errorf("got %+v", img)
	}
	found, err := w.Resolve(w.ctx, r.Host()+"/team/app:1")
	if err != nil || found.ID != img.ID || found.Size != img.Size {
		t.Errorf("resolve: %v, %v", found.ID, err)
	}
	if diff := cmp.Diff([]string{r.Host() + "/team/app:1"}, w.names(found)); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Unpack(w.ctx, found); err != nil {
		t.Error(err)
	}
	w.healthy()
	want := []string{"image.pull begin", "image.digests note", "blob.write note", "blob.fetch note", "blob.write note", "blob.fetch note", "blob.write note", "blob.write note", "image.create note", "image.tag note", "image.pull end"}
	if diff := cmp.Diff(want, sink.kinds()[:len(want)]); diff != "" {
		t.Error(diff)
	}
	r.Requests()
	if _, err := w.pull(r.Ref("team/app:1"), ""); err != nil {
		t.Fatal(err)
	}
	for _, req := range r.Requests() {
		if !strings.HasPrefix(req, "HEAD /v2/team/app/manifests/1") {
			t.Errorf("the second pull asks for what is here: %s", req)
		}
	}
}

// What is pulled by the digest of a list of manifests has no tag, and is found by that digest.
func TestPullByDigest(t *testing.T) {
	a := layerTar("a")
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	d := r.image("app:1", [2][]byte{a, a})
	x := r.AddManifest("app:list", oci.MediaTypeIndex, indexOf(on(d, "linux", oci.Architecture(), "")))
	name := r.Ref("app@" + string(x.Digest))
	img, err := w.pull(name, "")
	if err != nil || len(img.Refs) != 0 {
		t.Fatalf("names %v, %v", img.Refs, err)
	}
	for _, n := range []string{name.String(), r.Host() + "/app:other@" + string(x.Digest)} {
		if found, err := w.Resolve(w.ctx, n); err != nil || found.ID != img.ID {
			t.Errorf("resolve %s: %v, %v", n, found.ID, err)
		}
	}
	if _, err := w.Resolve(w.ctx, r.Host()+"/other@"+string(x.Digest)); err == nil {
		t.Error("another repository has it too")
	}
	// The same image again, now by a tag: both ways lead to it.
	if _, err := w.pull(r.Ref("app:list"), ""); err != nil {
		t.Fatal(err)
	}
	if found, err := w.Resolve(w.ctx, name.String()); err != nil || found.ID != img.ID {
		t.Errorf("by digest after the tag: %v", err)
	}
	w.healthy()
}

func TestPullChoosesPlatform(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	ids := map[string]digest.Digest{}
	var list []v1.Descriptor
	for i, p := range []v1.Platform{{OS: "linux", Architecture: "386"}, {OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm", Variant: "v6"},
		{OS: "linux", Architecture: "arm", Variant: "v7"}, {OS: "linux", Architecture: "arm64", Variant: "v8"}, {OS: "unknown", Architecture: "unknown"}} {
		a := layerTar(fmt.Sprint(i))
		d := r.image(fmt.Sprintf("app:%d", i), [2][]byte{a, a})
		list = append(list, on(d, p.OS, p.Architecture, p.Variant))
		ids[platformText(p)] = d.Digest
	}
	r.AddManifest("app:all", oci.DockerManifestList, []byte(strings.ReplaceAll(asJSON(indexOf(list...)), oci.MediaTypeIndex, oci.DockerManifestList)))
	for ask, want := range map[string]string{"linux/amd64": "linux/amd64", "linux/x86_64": "linux/amd64", "linux/amd64/v3": "linux/amd64", "linux/arm64": "linux/arm64/v8",
		"linux/aarch64": "linux/arm64/v8", "linux/arm": "linux/arm/v7", "linux/arm/v6": "linux/arm/v6", "linux/arm/v8": "linux/arm/v7", "linux/386": "linux/386", "Linux/AMD64": "linux/amd64"} {
		img, err := w.pull(r.Ref("app:all"), ask)
		if err != nil || img.Manifest.Digest != ids[want] {
			t.Errorf("%s: got %s, %v; want %s", ask, img.Manifest.Digest, err, want)
		}
	}
	if _, err := w.pull(r.Ref("app:all"), "linux/s390x"); err == nil || !strings.Contains(err.Error(), "no matching manifest for linux/s390x in the manifest list entries") || !strings.Contains(err.Error(), "linux/arm/v6") {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"linux", "linux/", "/amd64", "linux/a/b/c", "linux/amd64/", strings.Repeat("x/", 100)} {
		if _, err := w.pull(r.Ref("app:all"), bad); err == nil || !strings.Contains(err.Error(), "expected os/architecture") {
			t.Errorf("platform %q: %v", bad, err)
		}
	}
	w.healthy()
}

func TestHostilePulls(t *testing.T) {
	a := layerTar("a")
	for _, tc := range []struct {
		name string
		make func(r remote)
		want string
	}{
		{"both", func(r remote) {
			r.AddManifest("app:1", oci.MediaTypeManifest, map[string]any{"schemaVersion": 2, "layers": []any{}, "manifests": []any{}, "config": descriptor("", nil)})
		}, "list"},
		{"both, as a list", func(r remote) {
			r.AddManifest("app:1", oci.MediaTypeIndex, map[string]any{"schemaVersion": 2, "layers": []any{}, "manifests": []any{}})
		}, "manifest"},
		{"type in the document differs", func(r remote) {
			m := manifestOf(nil)
			m.MediaType = oci.DockerManifest
			r.AddManifest("app:1", oci.MediaTypeManifest, m)
		}, "the registry says"},
		{"type in the list differs", func(r remote) {
			r.AddManifest("app:1", oci.DockerManifestList, indexOf())
		}, "the registry says"},
		{"schema 1", func(r remote) {
			r.AddManifest("app:1", "application/vnd.docker.distribution.manifest.v1+prettyjws", manifestOf(nil))
		}, "schema 1"},
		{"artifact", func(r remote) {
			m := manifestOf(nil)
			m.Config.MediaType = "application/vnd.cncf.helm.config.v1+json"
			r.AddManifest("app:1", oci.MediaTypeManifest, m)
		}, "artifact"},
		{"foreign layer", func(r remote) {
			d := descriptor(oci.DockerForeignLayer, a)
			d.URLs = []string{"http://169.254.169.254/latest"}
			r.AddManifest("app:1", oci.MediaTypeManifest, manifestOf(nil, d))
		}, "169.254.169.254"},
		{"layer is no archive", func(r remote) {
			r.AddManifest("app:1", oci.MediaTypeManifest, manifestOf(nil, descriptor("text/plain", a)))
		}, "text/plain"},
		{"huge config", func(r remote) {
			m := manifestOf(nil)
			m.Config.Size = 5 << 30
			r.AddManifest("app:1", oci.MediaTypeManifest, m)
		}, "at most"},
		{"layers lack", func(r remote) {
			m := manifestOf(nil)
			m.Config = r.AddBlob(oci.MediaTypeConfig, []byte(configOf(a)))
			r.AddManifest("app:1", oci.MediaTypeManifest, m)
		}, "0 layers"},
		{"other system", func(r remote) {
			m := manifestOf(nil)
			m.Config = r.AddBlob(oci.MediaTypeConfig, []byte(strings.Replace(configOf(), "linux", "windows", 1)))
			r.AddManifest("app:1", oci.MediaTypeManifest, m)
		}, "windows"},
		{"layer is not the config's", func(r remote) { r.image("app:1", [2][]byte{a, gzipped(layerTar("other"))}) }, "the config says"},
		{"layer can't be decompressed", func(r remote) { r.image("app:1", [2][]byte{a, gzipped(a)[:40]}) }, "gzip"},
		{"layer has another digest", func(r remote) {
			r.image("app:1", [2][]byte{a, gzipped(a)})
			bad := slices.Clone(gzipped(a))
			bad[9] ^= 1
			r.SetBlob(oci.Sum(gzipped(a)), bad)
		}, "content has digest"},
		{"layer is gone", func(r remote) {
			r.image("app:1", [2][]byte{a, gzipped(a)})
			r.SetBlob(oci.Sum(gzipped(a)), nil)
		}, "no such manifest or blob"},
		{"lists without end", func(r remote) {
			d := r.image("app:0", [2][]byte{a, a})
			for range 6 {
				d = r.AddManifest("app:1", oci.MediaTypeIndex, indexOf(on(d, "linux", oci.Architecture(), "")))
			}
		}, "nested"},
		{"empty list", func(r remote) { r.AddManifest("app:1", oci.MediaTypeIndex, indexOf()) }, "names no image"},
		{"digest is a path", func(r remote) {
			r.AddManifest("app:1", oci.MediaTypeManifest, []byte(strings.ReplaceAll(asJSON(manifestOf(nil)), string(oci.Sum(nil)), "sha256:../../../x")))
		}, "digest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, r := newWorkshop(t), remote{registrytest.New(t)}
			tc.make(r)
			_, err := w.pull(r.Ref("app:1"), "")
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error = %v, want one with %q", err, tc.want)
			}
			if !strings.Contains(err.Error(), r.Host()+"/app") {
				t.Errorf("%q doesn't name the image", err)
			}
			if list, err := w.List(w.ctx); err != nil || len(list) != 0 {
				t.Errorf("images %v, %v", list, err)
			}
			w.healthy()
		})
	}
}

// A pull that broke off goes on with the blobs that came whole.
func TestPullGoesOn(t *testing.T) {
	a, b, c := layerTar("a"), layerTar("b"), layerTar("c")
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	// Slow layers hold all slots but one, so that a, b and c come one after the other.
	layers, slow := [][2][]byte{{a, gzipped(a)}}, map[string]bool{}
	for i := range atOnce - 1 {
		l := layerTar(fmt.Sprintf("slow%d", i))
		layers = append(layers, [2][]byte{l, gzipped(l)})
		slow[string(oci.Sum(gzipped(l)))] = true
	}
	r.image("app:1", append(layers, [2][]byte{b, gzipped(b)}, [2][]byte{c, gzipped(c)})...)
	lacking := oci.Sum(gzipped(c))
	r.Before = func(w http.ResponseWriter, req *http.Request) bool {
		if slow[path.Base(req.URL.Path)] {
			<-req.Context().Done()
			return true
		}
		if !strings.HasSuffix(req.URL.Path, string(lacking)) {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(gzipped(c))))
		_, _ = w.Write(gzipped(c)[:10])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	if _, err := w.pull(r.Ref("app:1"), ""); err == nil || !strings.Contains(err.Error(), "10 of") {
		t.Fatalf("error = %v", err)
	}
	if list, _ := w.List(w.ctx); len(list) != 0 {
		t.Errorf("half an image is listed: %v", list)
	}
	r.Before = nil
	r.Requests()
	if _, err := w.pull(r.Ref("app:1"), ""); err != nil {
		t.Fatal(err)
	}
	for _, req := range r.Requests() {
		if strings.HasSuffix(req, string(oci.Sum(gzipped(a)))) || strings.HasSuffix(req, string(oci.Sum(gzipped(b)))) {
			t.Errorf("fetched again: %s", req)
		}
	}
	w.healthy()
}

func TestCanceledPullStops(t *testing.T) {
	a := layerTar("a")
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	r.image("app:1", [2][]byte{a, gzipped(a)})
	ctx, cancel := context.WithCancel(w.ctx)
	w.ctx = ctx
	r.Before = func(_ http.ResponseWriter, req *http.Request) bool {
		if strings.Contains(req.URL.Path, "/blobs/") {
			cancel()
			<-req.Context().Done()
		}
		return false
	}
	if _, err := w.pull(r.Ref("app:1"), ""); err == nil || !strings.Contains(err.Error(), "cancel") {
		t.Errorf("error = %v", err)
	}
	w.ctx = context.Background()
	w.healthy()
}

func FuzzParsePlatform(f *testing.F) {
	for _, s := range []string{"", "linux/amd64", "linux/arm/v7", "linux/arm64/v8", "a/b/c", "linux/arm/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlatform(s)
		if err != nil {
			return
		}
		again, err := ParsePlatform(platformText(p))
		if err != nil || platformText(again) != platformText(p) {
			t.Fatalf("%q is %q, and that again %q, %v", s, platformText(p), platformText(again), err)
		}
		if list := runnable(p); len(list) > 40 || platformText(list[0]) != platformText(p) {
			t.Fatalf("%q runs %v", s, list)
		}
	})
}
