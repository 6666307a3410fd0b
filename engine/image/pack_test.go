package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// packed calls do with img packed.
func (w *workshop) packed(img Image, o PackOptions, do func(*Parcel)) {
	w.Helper()
	err := w.withOperation("pack", func(op *home.Operation) error {
		p, err := w.Pack(w.ctx, op, img, o)
		if err == nil {
			do(p)
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}

var packings = map[string]PackOptions{
	"as it is":    {},
	"annotations": {Annotations: map[string]string{"a": "b"}},
	"gzip":        {Compression: layer.Gzip},
	"zstd":        {Compression: layer.Zstd, Level: 9},
}

// Every form of a packed image is loaded again as the same image, and written twice it is the same to the byte.
func TestPackedArchives(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a", "b", "a"}, "app:1")
	for name, o := range packings {
		for _, format := range []string{FormatDocker, FormatOCI} {
			var out [2]bytes.Buffer
			var manifest v1.Descriptor
			for i := range out {
				w.packed(img, o, func(p *Parcel) {
					manifest = p.Manifest()
					if err := p.WriteArchive(w.ctx, &out[i], format, []oci.Ref{ref("out:1"), ref("out:2")}); err != nil {
						t.Fatal(err)
					}
				})
			}
			if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
				t.Errorf("%s, %s: written twice it is not the same", name, format)
			}
			if changed := manifest.Digest != img.Manifest.Digest; changed != (name != "as it is") {
				t.Errorf("%s: manifest %s, that of the image is %s", name, manifest.Digest, img.Manifest.Digest)
			}
			other := newWorkshop(t)
			loaded, err := other.Load(w.ctx, &out[0], "-")
			if err != nil {
				t.Fatalf("%s, %s: %v", name, format, err)
			}
			got := loaded[0].Image
			if got.ID != img.ID || got.Manifest.Digest != manifest.Digest || got.Size != img.Size {
				t.Errorf("%s, %s: loaded %s (%s)", name, format, got.ID, got.Manifest.Digest)
			}
			if diff := cmp.Diff([]string{"out:1", "out:2"}, other.names(got)); diff != "" {
				t.Errorf("%s, %s: %s", name, format, diff)
			}
		}
	}
	w.healthy()
}

// An image of a build that has neither id nor manifest yet can leave as well.
func TestPackWithoutManifest(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a"}, "app:1")
	bare := Image{Config: img.Config, Layers: img.Layers}
	w.packed(bare, PackOptions{}, func(p *Parcel) {
		if p.image.ID != img.ID || p.Manifest().Digest != img.Manifest.Digest {
			t.Errorf("packed %s (%s), want %s (%s)", p.image.ID, p.Manifest().Digest, img.ID, img.Manifest.Digest)
		}
	})
}

func TestPackDamagedLayer(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a"}, "app:1")
	path := w.blobs.Path(img.Layers[0].Descriptor.Digest)
	data, _ := os.ReadFile(path)
	data[3] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	w.packed(img, PackOptions{}, func(p *Parcel) {
		if err := p.WriteArchive(w.ctx, io.Discard, FormatOCI, nil); err == nil || !strings.Contains(err.Error(), "has digest") {
			t.Errorf("error = %v", err)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := p.WriteLayout(w.ctx, dir, nil); err == nil {
			t.Error("a damaged layer was written")
		}
		if _, err := os.Stat(filepath.Join(dir, "index.json")); err == nil {
			t.Error("the layout lists something")
		}
		r := registrytest.New(t)
		if _, err := w.Push(w.ctx, p, r.Ref("app:1")); err == nil || r.Manifest("app:1") != nil {
			t.Errorf("pushed: %v", err)
		}
	})
	if err := w.withOperation("pack", func(op *home.Operation) error {
		_, err := w.Pack(w.ctx, op, img, PackOptions{Compression: layer.Gzip})
		return err
	}); err == nil {
		t.Error("a damaged layer was compressed")
	}
}

func TestLayoutFolder(t *testing.T) {
	w := newWorkshop(t)
	dir := filepath.Join(t.TempDir(), "new", "layout")
	one, two := w.make([]string{"a", "b"}, "app:1"), w.make([]string{"a", "c"}, "app:2")
	write := func(img Image, names ...string) (n int64) {
		t.Helper()
		var refs []oci.Ref
		for _, n := range names {
			refs = append(refs, ref(n))
		}
		w.packed(img, PackOptions{}, func(p *Parcel) {
			var err error
			if n, err = p.WriteLayout(w.ctx, dir, refs); err != nil {
				t.Fatal(err)
			}
		})
		return n
	}
	write(one, "x:1", "x:latest")
	before := snapshotOf(t, dir)
	if n := write(one, "x:1", "x:latest"); n != 0 {
		t.Errorf("%d bytes written again", n)
	}
	if diff := cmp.Diff(before, snapshotOf(t, dir)); diff != "" {
		t.Error(diff)
	}
	write(two, "x:latest")
	if got := layoutNames(t, dir); !maps.Equal(got, map[string]string{"x:1": string(one.Manifest.Digest), "x:latest": string(two.Manifest.Digest)}) {
		t.Errorf("names %v", got)
	}
	l, err := OpenLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if data, err := l.ReadAll(two.Manifest, oci.MaxJSON); err != nil || oci.Sum(data) != two.Manifest.Digest {
		t.Errorf("manifest: %v", err)
	}
}

func layoutNames(t *testing.T, dir string) map[string]string {
	t.Helper()
	var x v1.Index
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err == nil {
		err = json.Unmarshal(data, &x)
	}
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, d := range x.Manifests {
		names[d.Annotations[oci.AnnotationRefName]] = string(d.Digest)
	}
	return names
}

func snapshotOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		files[p] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestHostileLayouts(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	if err := os.WriteFile(canary, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := v1.Descriptor{Digest: oci.Sum([]byte("canary")), Size: 6}
	for _, tc := range []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"not a layout", func(dir string) error { return os.Remove(filepath.Join(dir, "oci-layout")) }, "oci-layout"},
		{"other version", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"9"}`), 0o644)
		}, "expected"},
		{"blob is a link out", func(dir string) error {
			return os.Symlink(canary, filepath.Join(dir, "blobs/sha256", d.Digest.Encoded()))
		}, "escapes"},
		{"blobs is a link out", func(dir string) error {
			_ = os.RemoveAll(filepath.Join(dir, "blobs"))
			return os.Symlink(filepath.Dir(canary), filepath.Join(dir, "blobs"))
		}, "escapes"},
		{"blob is a folder", func(dir string) error { return os.Mkdir(filepath.Join(dir, "blobs/sha256", d.Digest.Encoded()), 0o755) }, "not a regular file"},
		{"blob is other content", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "blobs/sha256", d.Digest.Encoded()), []byte("cuckoo"), 0o644)
		}, "digest"},
		{"blob is longer", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "blobs/sha256", d.Digest.Encoded()), []byte("canary!"), 0o644)
		}, "longer"},
	} {
		dir := t.TempDir()
		l, err := MakeLayout(dir)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if err := tc.make(dir); err != nil {
			t.Fatal(err)
		}
		if l, err = OpenLayout(dir); err == nil {
			_, err = l.ReadAll(d, 100)
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeLayout(full); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder with other files: %v", err)
	}
	huge := t.TempDir()
	l, err := MakeLayout(huge)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.WriteFile(filepath.Join(huge, "index.json"), bytes.Repeat([]byte(" "), oci.MaxJSON+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Index(); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a huge index: %v", err)
	}
}

// What a killed process left of a blob goes, once it is old.
func TestLayoutSweeps(t *testing.T) {
	dir := t.TempDir()
	l, err := MakeLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	old, fresh := filepath.Join(dir, blobFolder, tmpPrefix+"old"), filepath.Join(dir, blobFolder, tmpPrefix+"fresh")
	for _, f := range []string{old, fresh} {
		if err := os.WriteFile(f, []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-2 * abandoned)
	if err := os.Chtimes(old, then, then); err != nil {
		t.Fatal(err)
	}
	if l, err = MakeLayout(dir); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Stat(old); err == nil {
		t.Error("the old one is still there")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error("the fresh one, which may be somebody's work, is gone")
	}
}

func TestPushAndPull(t *testing.T) {
	for name, o := range packings {
		w, r := newWorkshop(t), registrytest.New(t)
		sink := w.traced()
		img := w.make([]string{"a", "b"}, "app:1")
		var manifest v1.Descriptor
		w.packed(img, o, func(p *Parcel) {
			manifest = p.Manifest()
			for i := range 2 {
				size, err := w.Push(w.ctx, p, r.Ref("team/app:1"), r.Ref("team/app:latest"))
				if err != nil || (size == 0) != (i == 1) {
					t.Fatalf("push %d: %d bytes, %v", i, size, err)
				}
			}
		})
		if n := countEnds(sink, "image.push"); n != 4 {
			t.Errorf("%s: %d pushes told", name, n)
		}
		other := newWorkshop(t)
		got, err := other.pull(r.Ref("team/app:latest"), "linux/amd64")
		if err != nil || got.ID != img.ID || got.Manifest.Digest != manifest.Digest {
			t.Errorf("%s: pulled %s, %v", name, got.ID, err)
		}
		other.healthy()
	}
}

// TestPackedImageLeavesAsAnyOther: what a build pushes is asked for first, mounted if it can be, and sent only if it must be.
func TestPackedImageLeavesAsAnyOther(t *testing.T) {
	w, r := newWorkshop(t), remote{registrytest.New(t)}
	r.shareNothing()
	img := w.make([]string{"a", "b", "c"}, "app:1")
	p := packed(t, w, img, PackOptions{Compression: layer.Gzip})
	push := func(name string) (sent int64, asked map[string]int) {
		t.Helper()
		r.Requests()
		sent, err := w.Push(w.ctx, p, r.Ref(name))
		if err != nil || oci.Sum(r.Manifest(name)) != p.Manifest().Digest {
			t.Fatalf("push %s: %v", name, err)
		}
		asked = map[string]int{}
		for _, req := range r.Requests() {
			method, _, _ := strings.Cut(req, " ")
			asked[method]++
		}
		return sent, asked
	}
	for _, step := range []struct {
		name, what string
		sends      bool
		want       map[string]int // three layers, a config, a manifest
	}{
		{"one:1", "nothing is there", true, map[string]int{"HEAD": 4, "POST": 4, "PATCH": 4, "PUT": 5}},
		{"one:2", "all is there", false, map[string]int{"HEAD": 4, "PUT": 1}},
		{"two:1", "all is in another repository", false, map[string]int{"HEAD": 4, "POST": 4, "PUT": 1}},
	} {
		sent, asked := push(step.name)
		if diff := cmp.Diff(step.want, asked); diff != "" || (sent > 0) != step.sends {
			t.Errorf("%s: %d bytes sent, %s", step.what, sent, diff)
		}
	}
	r.Requests()
	if d, ways := w.mustPush(img, r.Ref("one:3"), PushOptions{}); d.Digest != p.Manifest().Digest || strings.Count(ways, "already exists") != 3 {
		t.Errorf("a push after that of a build: %s, %s", d.Digest, ways)
	}
}

// TestPackedLayersLeaveSideBySide: no upload is answered before all three are under way.
func TestPackedLayersLeaveSideBySide(t *testing.T) {
	w, r := newWorkshop(t), registrytest.New(t)
	p := packed(t, w, w.make([]string{"a", "b", "c"}, "app:1"), PackOptions{Compression: layer.Gzip})
	var under atomic.Int32
	all := make(chan struct{})
	r.Before = func(_ http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodPatch {
			return false
		}
		if under.Add(1) == 3 {
			close(all)
		}
		select {
		case <-all:
		case <-time.After(time.Minute):
			t.Error("the layers leave one after the other")
		}
		return false
	}
	if _, err := w.Push(w.ctx, p, r.Ref("app:1")); err != nil {
		t.Fatal(err)
	}
}

func countEnds(c *collector, kind string) (n int) {
	for _, k := range c.kinds() {
		if k == kind+" end" {
			n++
		}
	}
	return n
}

// Other tools read what we write.
func TestSkopeoReadsIt(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a", "b"}, "app:1")
	dir := t.TempDir()
	for name, o := range packings {
		w.packed(img, o, func(p *Parcel) {
			layout, archive := filepath.Join(dir, "layout "+name), filepath.Join(dir, name+".tar")
			if _, err := p.WriteLayout(w.ctx, layout, []oci.Ref{ref("out:1")}); err != nil {
				t.Fatal(err)
			}
			for _, format := range []string{FormatDocker, FormatOCI} {
				f, err := os.Create(archive + format)
				if err != nil {
					t.Fatal(err)
				}
				if err := p.WriteArchive(w.ctx, f, format, []oci.Ref{ref("out:1")}); err != nil {
					t.Fatal(err)
				}
				f.Close()
			}
			for _, source := range []string{"oci:" + layout + ":out:1", "oci-archive:" + archive + FormatOCI + ":out:1", "docker-archive:" + archive + FormatDocker} {
				if out := skopeo(t, "inspect", "--config", source); !strings.Contains(string(out), string(img.Layers[0].DiffID)) {
					t.Errorf("%s: %s", source, out)
				}
				to := filepath.Join(dir, fmt.Sprint(len(source), name))
				skopeo(t, "copy", "-q", source, "dir:"+to)
				_ = os.RemoveAll(to)
			}
		})
	}
}

func TestArchiveOrderIsFixed(t *testing.T) {
	w := newWorkshop(t)
	var b bytes.Buffer
	w.packed(w.make([]string{"a", "b"}, "app:1"), PackOptions{}, func(p *Parcel) {
		if err := p.WriteArchive(w.ctx, &b, FormatDocker, nil); err != nil {
			t.Fatal(err)
		}
	})
	var names []string
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 {
			t.Errorf("%s: %v", h.Name, h)
		}
		names = append(names, h.Name)
	}
	if !slices.IsSorted(names) {
		t.Errorf("order %v", names)
	}
}
