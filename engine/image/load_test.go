package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"pgregory.net/rapid"
)

func layerTar(content string) []byte { return tarOf(map[string]string{"file": content}) }

func configOf(layers ...[]byte) string {
	img := map[string]any{"architecture": "amd64", "os": "linux", "docker_version": "20.10", "config": map[string]any{"Cmd": []string{"sh"}}}
	var diffIDs []digest.Digest
	for _, l := range layers {
		diffIDs = append(diffIDs, oci.Sum(l))
	}
	img["rootfs"] = v1.RootFS{Type: "layers", DiffIDs: diffIDs}
	return asJSON(img)
}

func descriptor(mediaType string, data []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: oci.Sum(data), Size: int64(len(data))}
}

func blobFile(data []byte) file {
	return file{name: "blobs/sha256/" + oci.Sum(data).Encoded(), content: string(data)}
}

// ociFiles makes an OCI layout of one image whose layers are stored as given.
func ociFiles(annotations map[string]string, layerType string, plain, stored []byte) []file {
	config := []byte(configOf(plain))
	manifest := []byte(asJSON(v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeManifest,
		Config: descriptor(oci.MediaTypeConfig, config), Layers: []v1.Descriptor{descriptor(layerType, stored)}}))
	d := descriptor(oci.MediaTypeManifest, manifest)
	d.Annotations = annotations
	index := asJSON(v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []v1.Descriptor{d}})
	return []file{{name: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}`}, {name: "index.json", content: index},
		blobFile(manifest), blobFile(config), blobFile(stored)}
}

func dockerFiles(entries ...dockerEntry) file {
	return file{name: "manifest.json", content: asJSON(entries)}
}

func TestLoadVariants(t *testing.T) {
	a, b := layerTar("a"), layerTar("b")
	config := configOf(a, b)
	id := oci.Sum([]byte(config))
	legacy := []file{
		{name: "aaa/", kind: tar.TypeDir},
		{name: "aaa/VERSION", content: "1.0"},
		{name: "aaa/layer.tar", content: string(a)},
		{name: "bbb/layer.tar", link: "../ccc/layer.tar", kind: tar.TypeSymlink},
		{name: "ccc/layer.tar", link: "real.tar", kind: tar.TypeLink},
		{name: "real.tar", content: string(b)},
		{name: "cfg.json", content: config},
		{name: "repositories", content: "{}"},
		dockerFiles(dockerEntry{Config: "cfg.json", RepoTags: []string{"app:1", "example.com/app:1"}, Layers: []string{"aaa/layer.tar", "bbb/layer.tar"}}),
	}
	reversed := slices.Clone(legacy)
	slices.Reverse(reversed)
	packed := []file{{name: "./c", content: config}, {name: "1", content: string(gzipped(a))}, {name: "2", content: string(zstded(b))},
		dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"app:1", "example.com/app:1"}, Layers: []string{"1", "2"}})}
	for title, archive := range map[string][]byte{
		"legacy":        tarFiles(legacy...),
		"index first":   tarFiles(reversed...),
		"gzip":          gzipped(tarFiles(legacy...)),
		"zstd":          zstded(tarFiles(legacy...)),
		"packed layers": tarFiles(packed...),
	} {
		t.Run(title, func(t *testing.T) {
			w := newWorkshop(t)
			loaded, err := w.Load(w.ctx, bytes.NewReader(archive), "x.tar")
			if err != nil {
				t.Fatal(err)
			}
			if len(loaded) != 1 || loaded[0].Image.ID != id {
				t.Fatalf("loaded %+v", loaded)
			}
			img, err := w.Resolve(w.ctx, "app:1")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"app:1", "example.com/app:1"}, w.names(img)); diff != "" {
				t.Error(diff)
			}
			if img.Size != int64(len(a)+len(b)) || !slices.Equal(img.DiffIDs(), []digest.Digest{oci.Sum(a), oci.Sum(b)}) {
				t.Errorf("size %d, layers %v", img.Size, img.DiffIDs())
			}
			if diff := cmp.Diff(loaded[0].Image, img); diff != "" {
				t.Errorf("what Load gives and what Resolve gives differ: %s", diff)
			}
			if _, err := w.Unpack(w.ctx, img); err != nil {
				t.Error(err)
			}
			w.healthy()
		})
	}
}

func TestLoadOCI(t *testing.T) {
	plain := layerTar("x")
	for title, stored := range map[string][]byte{oci.MediaTypeLayer: plain, oci.MediaTypeLayerGzip: gzipped(plain), oci.DockerLayerGzip: gzipped(plain), oci.MediaTypeLayerZstd: zstded(plain)} {
		t.Run(title, func(t *testing.T) {
			w := newWorkshop(t)
			files := ociFiles(map[string]string{oci.AnnotationRefName: "1", oci.AnnotationContainerName: "docker.io/library/app:1"}, title, plain, stored)
			loaded, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-")
			if err != nil {
				t.Fatal(err)
			}
			if got := loaded[0].Refs; len(got) != 1 || got[0].Familiar() != "app:1" {
				t.Errorf("names %v", got)
			}
			if got := loaded[0].Image.Manifest.Digest.Encoded(); !strings.HasSuffix(files[2].name, got) {
				t.Errorf("the manifest was changed: %s", got)
			}
			if got := loaded[0].Image.Size; got != int64(len(plain)) {
				t.Errorf("size %d, want %d", got, len(plain))
			}
			w.healthy()
		})
	}
}

func TestLoadPrefersManifestJSONToAnIncompleteLayout(t *testing.T) {
	w := newWorkshop(t)
	plain := layerTar("x")
	files := ociFiles(nil, oci.MediaTypeLayer, plain, plain)
	entry := dockerFiles(dockerEntry{Config: files[3].name, RepoTags: []string{"app:1"}, Layers: []string{files[4].name}})
	both := append(slices.Clone(files), entry)
	for title, archive := range map[string][]file{"complete": both, "manifest missing": slices.Delete(slices.Clone(both), 2, 3)} {
		loaded, err := w.Load(w.ctx, bytes.NewReader(tarFiles(archive...)), "-")
		if err != nil || len(loaded) != 1 || len(loaded[0].Refs) != 1 || loaded[0].Refs[0].Familiar() != "app:1" {
			t.Errorf("%s: %+v, %v", title, loaded, err)
		}
	}
	w.healthy()
}

func TestLoadNestedIndexChoosesThisMachine(t *testing.T) {
	w := newWorkshop(t)
	files := ociFiles(nil, oci.MediaTypeLayer, layerTar("x"), layerTar("x"))
	var x v1.Index
	if err := json.Unmarshal([]byte(files[1].content), &x); err != nil {
		t.Fatal(err)
	}
	mine := x.Manifests[0]
	mine.Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
	absent := descriptor(oci.MediaTypeManifest, []byte("absent"))
	absent.Platform = &v1.Platform{OS: "linux", Architecture: "arm64"}
	note := mine
	note.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	list := []byte(asJSON(v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeIndex, Manifests: []v1.Descriptor{note, absent, mine}}))
	top := descriptor(oci.MediaTypeIndex, list)
	top.Annotations = map[string]string{oci.AnnotationRefName: "multi:1"}
	files[1].content = asJSON(v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []v1.Descriptor{top}})
	loaded, err := w.Load(w.ctx, bytes.NewReader(tarFiles(append(files, blobFile(list))...)), "-")
	if err != nil || loaded[0].Image.Manifest.Digest != mine.Digest || loaded[0].Refs[0].Familiar() != "multi:1" {
		t.Fatalf("%+v, %v", loaded, err)
	}
	w.healthy()
}

func TestLoadRefuses(t *testing.T) {
	a := layerTar("a")
	good := []file{{name: "c", content: configOf(a)}, {name: "1", content: string(a)}, dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"app"}, Layers: []string{"1"}})}
	with := func(i int, f file) []byte {
		files := slices.Clone(good)
		files[i] = f
		return tarFiles(files...)
	}
	manifest := func(e dockerEntry) []byte { return with(2, dockerFiles(e)) }
	bent := ociFiles(nil, oci.MediaTypeLayer, a, a)
	bent[3].content = strings.Replace(bent[3].content, "sh", "rm", 1)
	sha512 := strings.ReplaceAll(bent[1].content, "sha256:", "sha512:")
	whole := tarFiles(good...)
	for title, tc := range map[string]struct {
		archive []byte
		want    string
	}{
		"nothing":           {nil, "neither manifest.json nor index.json"},
		"no archive":        {[]byte(strings.Repeat("hello", 500)), "read the archive at its beginning"},
		"cut in an entry":   {whole[:700], `truncated in entry "c"`},
		"cut in a layer":    {whole[:2000], `truncated in entry "1"`},
		"cut between":       {whole[:1024], "neither manifest.json"},
		"changed layer":     {with(1, file{name: "1", content: string(layerTar("b"))}), `layer "1" was changed`},
		"layer missing":     {with(1, file{name: "9", content: string(a)}), `no entry "1"`},
		"broken gzip":       {with(1, file{name: "1", content: string(gzipped(a)[:40])}), `layer "1"`},
		"link in a circle":  {with(1, file{name: "1", link: "1", kind: tar.TypeSymlink}), "links lead on"},
		"link out":          {with(1, file{name: "1", link: "../../../etc/passwd", kind: tar.TypeSymlink}), `no entry "1"`},
		"config is no json": {with(0, file{name: "c", content: "x"}), "parse image config"},
		"config too big":    {with(0, file{name: "c", content: strings.Repeat(" ", oci.MaxJSON+1)}), "at most"},
		"index too big":     {tarFiles(file{name: "manifest.json", content: strings.Repeat(" ", oci.MaxJSON+1)}), "at most"},
		"too many layers":   {manifest(dockerEntry{Config: "c", Layers: []string{"1", "1"}}), "lists 2"},
		"bad name":          {manifest(dockerEntry{Config: "c", RepoTags: []string{"../x"}, Layers: []string{"1"}}), `name "../x"`},
		"no images":         {with(2, dockerFiles()), "lists no image"},
		"twice":             {tarFiles(append(good, file{name: "1", content: "other"})...), "twice"},
		"bent config":       {tarFiles(bent...), "content has digest"},
		"other algorithm":   {tarFiles(file{name: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}`}, file{name: "index.json", content: sha512}), "only sha256"},
		"no layout version": {tarFiles(file{name: "oci-layout", content: `{}`}, bent[1]), "version"},
	} {
		t.Run(title, func(t *testing.T) {
			w := newWorkshop(t)
			_, err := w.Load(w.ctx, bytes.NewReader(tc.archive), "x.tar")
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "load images from x.tar: ") {
				t.Errorf("error = %v, want one with %q", err, tc.want)
			}
			if list, _ := w.List(w.ctx); len(list) != 0 {
				t.Errorf("%d images entered", len(list))
			}
			if _, err := w.Collect(w.ctx, Roots{}); err != nil {
				t.Error(err)
			}
			_ = w.blobs.Walk(func(d digest.Digest, _ int64) error { t.Errorf("%s is left", d); return nil })
			w.healthy()
		})
	}
}

func TestLoadTagsNothingIfOneImageIsBad(t *testing.T) {
	w := newWorkshop(t)
	a := layerTar("a")
	files := []file{{name: "c", content: configOf(a)}, {name: "1", content: string(a)}, {name: "2", content: "bad"},
		dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"good"}, Layers: []string{"1"}}, dockerEntry{Config: "c", RepoTags: []string{"bad"}, Layers: []string{"2"}})}
	if _, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-"); err == nil {
		t.Error("loaded")
	}
	if list, _ := w.List(w.ctx); len(list) != 0 {
		t.Errorf("entered %v", list)
	}
}

func TestLoadTakesANameOver(t *testing.T) {
	w := newWorkshop(t)
	old := w.make([]string{"old"}, "app:1")
	files := ociFiles(map[string]string{oci.AnnotationRefName: "app:1"}, oci.MediaTypeLayer, layerTar("x"), layerTar("x"))
	if _, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-"); err != nil {
		t.Fatal(err)
	}
	if img, err := w.Resolve(w.ctx, string(old.ID)); err != nil || len(img.Refs) != 0 {
		t.Errorf("%v, %v", img.Refs, err)
	}
}

// TestSaveThenLoadIsIdentity: what is saved and loaded elsewhere is the same images under the same names.
func TestSaveThenLoadIsIdentity(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorkshop(t)
		n := rapid.IntRange(1, 4).Draw(rt, "images")
		var names []string
		for i := range n {
			contents := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", ""}), 0, 4).Draw(rt, "layers")
			name := fmt.Sprintf("app:%d", i)
			names = append(names, name)
			w.make(contents, name)
		}
		format := rapid.SampledFrom([]string{FormatDocker, FormatOCI}).Draw(rt, "format")
		var one, two bytes.Buffer
		if err := w.Save(w.ctx, &one, names, format); err != nil {
			rt.Fatal(err)
		}
		other := newWorkshop(t)
		if _, err := other.Load(w.ctx, bytes.NewReader(one.Bytes()), "-"); err != nil {
			rt.Fatal(err)
		}
		for _, name := range names {
			a, _ := w.Resolve(w.ctx, name)
			b, err := other.Resolve(w.ctx, name)
			slices.SortFunc(a.Refs, compareRefs)
			slices.SortFunc(b.Refs, compareRefs)
			if err != nil || !cmp.Equal(a, b) {
				rt.Fatalf("%s: %v\n%s", name, err, cmp.Diff(a, b))
			}
		}
		if err := other.Save(w.ctx, &two, []string{"app"}, format); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
			rt.Fatalf("saved again it is another archive: %v", err)
		}
		other.healthy()
	})
}

func TestSaveDamaged(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a"}, "a")
	damage(t, w.blobs.Path(img.Layers[0].Descriptor.Digest))
	if err := w.Save(w.ctx, &bytes.Buffer{}, []string{"a"}, ""); err == nil {
		t.Error("a damaged layer is saved")
	}
	if err := w.Save(w.ctx, &bytes.Buffer{}, []string{"nothing"}, ""); !IsNotFound(err) {
		t.Error(err)
	}
}

func TestImport(t *testing.T) {
	tree := layerTar("x")
	for title, in := range map[string][]byte{"plain": tree, "gzip": gzipped(tree), "zstd": zstded(tree)} {
		t.Run(title, func(t *testing.T) {
			w := newWorkshop(t)
			name := ref("tree:1")
			img, err := w.Import(w.ctx, bytes.NewReader(in), "x.tar", ImportOptions{Ref: &name, Changes: func(c *oci.ImageConfig) error {
				c.Cmd = []string{"sh"}
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := w.Resolve(w.ctx, "tree:1")
			if err != nil || got.ID != img.ID || got.DiffIDs()[0] != oci.Sum(tree) || got.Size != int64(len(tree)) || got.Layers[0].Descriptor.Digest != oci.Sum(in) {
				t.Errorf("%+v, %v", got, err)
			}
			if got.Config.History[0].Comment != "Imported from x.tar" || got.Config.Config.Cmd[0] != "sh" {
				t.Errorf("%+v", got.Config)
			}
			w.healthy()
		})
	}
}

func TestImportRefuses(t *testing.T) {
	for title, in := range map[string][]byte{
		"hostile name": tarFiles(file{name: "../../etc/passwd", content: "x"}),
		"truncated":    layerTar(strings.Repeat("x", 5000))[:3000],
		"empty":        nil,
		"no archive":   bytes.Repeat([]byte("x"), 2000),
	} {
		w := newWorkshop(t)
		if _, err := w.Import(w.ctx, bytes.NewReader(in), "-", ImportOptions{}); err == nil {
			t.Errorf("%s: imported", title)
		}
		w.healthy()
	}
}

func FuzzArchiveIndex(f *testing.F) {
	f.Add([]byte(asJSON([]dockerEntry{{Config: "c", RepoTags: []string{"a:1"}, Layers: []string{"1"}}})), []byte(`{"manifests":[]}`))
	f.Add([]byte(`[{}]`), []byte(ociFiles(nil, oci.MediaTypeLayer, layerTar("x"), layerTar("x"))[1].content))
	f.Fuzz(func(t *testing.T, docker, index []byte) {
		a := &archive{index: map[string][]byte{"manifest.json": docker, "index.json": index, "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)},
			files: map[string]*staged{}, links: map[string]string{}}
		if found, err := a.images(); err == nil {
			t.Fatalf("an archive without files has images: %v", found)
		}
	})
}

// FuzzLoad changes bytes of good archives: whatever comes of it, the store stays whole and nothing half is entered.
func FuzzLoad(f *testing.F) {
	plain := layerTar("x")
	oci1 := ociFiles(map[string]string{oci.AnnotationRefName: "a:1"}, oci.MediaTypeLayerGzip, plain, gzipped(plain))
	f.Add(tarFiles(oci1...), uint16(0), byte(0))
	f.Add(tarFiles(append(oci1, dockerFiles(dockerEntry{Config: oci1[3].name, Layers: []string{oci1[4].name}}))...), uint16(600), byte('x'))
	f.Add(gzipped(tarFiles(file{name: "c", content: configOf(plain)}, file{name: "l", content: string(plain)},
		dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"b"}, Layers: []string{"l"}}))), uint16(3), byte(1))
	w := newWorkshop(f)
	f.Fuzz(func(t *testing.T, data []byte, at uint16, change byte) {
		data = slices.Clone(data)
		if int(at) < len(data) {
			data[at] ^= change
		}
		loaded, err := w.Load(w.ctx, bytes.NewReader(data), "-")
		if err != nil && len(loaded) > 0 {
			t.Fatal("images in spite of an error")
		}
		for _, p := range w.Verify(w.ctx) {
			t.Fatal(p)
		}
		for _, l := range loaded {
			if _, _, err := w.Remove(w.ctx, string(l.Image.ID), true, unused); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Collect(w.ctx, Roots{}); err != nil {
			t.Fatal(err)
		}
	})
}
