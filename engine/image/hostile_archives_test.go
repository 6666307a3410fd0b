package image

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// What has gone wrong in other engines with archives, and the tests that keep it from going wrong here, in load and import both:
//
//	links and dots in a tar write outside (2026-17106)    TestHostileNamesLoad, TestHostileTreesImport, linux: TestHostileLayers
//	root entry that is a link (2021-29136, 2020-10696)    TestHostileTreesImport, linux: TestHostileLayers
//	tar extraction is raced (containerd 2.2.3)            linux: TestConflictingLayersAtOnce
//	bombs (2017-14992)                                    TestBombs, layer: TestDecompressStopsAtBomb, TestDecompressStopsAtBombsOfOtherPrograms
//	JSON without a limit (2023-25153)                     TestHugeDocumentByItsHeader, TestLoadRefuses
//	digest as a path (2024-3727)                          TestHostileDigests
//	a document that is manifest and index (2021-41190)    TestManifestAndIndexAtOnce
//	malformed manifests (2021-21285)                      FuzzArchiveIndex, FuzzLoad
//	names chosen by the archive (2026-50195)              TestLoadTagsOnlyWhatTheArchiveLists
//	duplicates, sparse entries, PAX oddities, garbage     TestOddEntries

// isolated runs do with a store that has a folder beside it, and fails if anything but the store changed, or the store is not whole.
func isolated(t *testing.T, do func(w *workshop, canary string)) {
	t.Helper()
	outside := t.TempDir()
	canary := filepath.Join(outside, "canary")
	if err := os.WriteFile(canary, []byte("alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := openWorkshop(t, filepath.Join(outside, "home"))
	do(w, canary)
	w.healthy()
	if data, err := os.ReadFile(canary); string(data) != "alive" {
		t.Errorf("the file outside holds %q, %v", data, err)
	}
	if names, _ := os.ReadDir(outside); len(names) != 2 {
		t.Errorf("outside are %v", names)
	}
}

// hostileTrees are the entries of trees that try to get out, and whether no layer may have them.
func hostileTrees(canary string) map[string]struct {
	files   []file
	refused bool
} {
	type tree = struct {
		files   []file
		refused bool
	}
	up := strings.Repeat("../", 20)
	dir := filepath.Dir(canary)
	return map[string]tree{
		"dots":                  {[]file{{name: up + canary, content: "evil"}}, true},
		"absolute":              {[]file{{name: canary, content: "evil"}}, false},
		"link then file":        {[]file{{name: "l", link: dir, kind: tar.TypeSymlink}, {name: "l/canary", content: "evil"}}, false},
		"hard link out":         {[]file{{name: "h", link: up + canary, kind: tar.TypeLink}, {name: "h", content: "evil"}}, true},
		"hard link to root":     {[]file{{name: "h", link: "/", kind: tar.TypeLink}}, true},
		"root is a link":        {[]file{{name: ".", link: dir, kind: tar.TypeSymlink}}, true},
		"root is a link, slash": {[]file{{name: "/", link: dir, kind: tar.TypeSymlink}}, true},
		"whiteout of here":      {[]file{{name: "d/.wh.."}}, true},
		"whiteout of above":     {[]file{{name: "d/.wh..."}}, true},
		"whiteout as folder":    {[]file{{name: ".wh.../x", content: "x"}}, true},
		"folder, then link":     {[]file{{name: "d/", kind: tar.TypeDir}, {name: "d", link: dir, kind: tar.TypeSymlink}, {name: "d/canary", content: "evil"}}, false},
	}
}

func TestHostileTreesImport(t *testing.T) {
	for title := range hostileTrees("/c") {
		t.Run(title, func(t *testing.T) {
			isolated(t, func(w *workshop, canary string) {
				tree := hostileTrees(canary)[title]
				for _, pack := range []func([]byte) []byte{slices.Clone[[]byte], gzipped, zstded} {
					_, err := w.Import(w.ctx, bytes.NewReader(pack(tarFiles(tree.files...))), "-", ImportOptions{})
					if (err != nil) != tree.refused {
						t.Errorf("error = %v, refused should be %v", err, tree.refused)
					}
				}
			})
		})
	}
}

// TestHostileNamesLoad: the names of an archive of images are keys. Those of its layers count when they are unpacked, where the driver's tests look at them.
func TestHostileNamesLoad(t *testing.T) {
	for title := range hostileTrees("/c") {
		t.Run(title, func(t *testing.T) {
			isolated(t, func(w *workshop, canary string) {
				files := hostileTrees(canary)[title].files
				if _, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-"); err == nil {
					t.Error("a tree loads as an image")
				}
				plain := layerTar("x")
				for _, f := range files { // in the place of the config and of a layer
					entry := dockerEntry{Config: f.name, Layers: []string{"l"}}
					archive := tarFiles(append(slices.Clone(files), file{name: "l", content: string(plain)}, dockerFiles(entry))...)
					if _, err := w.Load(w.ctx, bytes.NewReader(archive), "-"); err == nil {
						t.Error("a hostile name is a config")
					}
				}
			})
		})
	}
}

// TestBombs: a stream that grows beyond all reason is given up at once, not when the disk is full. What is read of it here grows to a thousandth of the real limit.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 64<<20)
	for title, bomb := range map[string][]byte{"gzip": gzipped(zeros), "zstd": zstded(zeros)} {
		w := newWorkshop(t)
		if _, err := w.Load(w.ctx, bytes.NewReader(bomb), "-"); err == nil || !strings.Contains(err.Error(), "neither manifest.json") {
			t.Errorf("load %s of zeros: %v", title, err)
		}
		if _, err := w.Import(w.ctx, bytes.NewReader(bomb), "-", ImportOptions{}); err == nil {
			t.Errorf("import %s of zeros", title)
		}
		w.healthy()
	}
}

// TestHugeDocumentByItsHeader: a manifest.json of 5 GB is refused when its size is known, before anything of it is read.
func TestHugeDocumentByItsHeader(t *testing.T) {
	for _, name := range []string{"manifest.json", "index.json", "oci-layout"} {
		var b bytes.Buffer
		out := tar.NewWriter(&b)
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 5 << 30, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		w := newWorkshop(t)
		_, err := w.Load(w.ctx, bytes.NewReader(b.Bytes()), "-")
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("entry %q has 5368709120 bytes, at most", name)) {
			t.Errorf("%s: %v", name, err)
		}
		w.healthy()
	}
}

func TestHostileDigests(t *testing.T) {
	plain := layerTar("x")
	good := ociFiles(nil, oci.MediaTypeLayer, plain, plain)
	manifest, config := good[2].content, good[3].content
	hex := oci.Sum([]byte(manifest)).Encoded()
	for title, digest := range map[string]string{
		"path": "sha256:../../../../etc/passwd", "short": "sha256:" + hex[:63], "long": "sha256:" + hex + "0", "upper case": "sha256:" + strings.ToUpper(hex),
		"other algorithm": "md5:" + hex[:32], "no algorithm": hex, "zero byte": "sha256:" + hex[:63] + "\\u0000", "empty": "",
	} {
		isolated(t, func(w *workshop, _ string) {
			index := strings.ReplaceAll(good[1].content, "sha256:"+hex, digest)
			files := append(slices.Clone(good[:1]), file{name: "index.json", content: index}, good[2], good[3], good[4])
			if _, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-"); err == nil {
				t.Errorf("%s: loaded by index.json", title)
			}
			layer := oci.Sum(plain).Encoded()
			inner := strings.ReplaceAll(manifest, "sha256:"+layer, digest)
			d := descriptor(oci.MediaTypeManifest, []byte(inner))
			files = []file{good[0], {name: "index.json", content: asJSON(v1.Index{Manifests: []v1.Descriptor{d}})}, blobFile([]byte(inner)), blobFile([]byte(config)), good[4]}
			if _, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-"); err == nil {
				t.Errorf("%s: loaded by a manifest", title)
			}
		})
	}
}

func TestManifestAndIndexAtOnce(t *testing.T) {
	plain := layerTar("x")
	good := ociFiles(nil, oci.MediaTypeLayer, plain, plain)
	for _, mediaType := range []string{oci.MediaTypeManifest, oci.MediaTypeIndex} {
		both := []byte(strings.TrimSuffix(good[2].content, "}") + `,"manifests":[]}`)
		d := descriptor(mediaType, both)
		files := []file{good[0], {name: "index.json", content: asJSON(v1.Index{Manifests: []v1.Descriptor{d}})}, blobFile(both), good[3], good[4]}
		w := newWorkshop(t)
		if _, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-"); err == nil || !strings.Contains(err.Error(), "parse ") {
			t.Errorf("as %s: %v", mediaType, err)
		}
		w.healthy()
	}
}

func TestLoadTagsOnlyWhatTheArchiveLists(t *testing.T) {
	w := newWorkshop(t)
	old := w.make([]string{"old"}, "app:1")
	w.make([]string{"mine"}, "mine:1")
	plain := layerTar("new")
	files := []file{{name: "c", content: configOf(plain)}, {name: "l", content: string(plain)}, {name: "repositories", content: `{"mine":{"1":"l"},"evil":{"1":"l"}}`},
		dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"app:1"}, Layers: []string{"l"}})}
	loaded, err := w.Load(w.ctx, bytes.NewReader(tarFiles(files...)), "-")
	if err != nil || len(loaded) != 1 {
		t.Fatal(loaded, err)
	}
	if l := loaded[0]; len(l.Refs) != 1 || l.Refs[0] != ref("app:1") || len(l.Moved) != 1 || l.Moved[0] != (Moved{ref("app:1"), old.ID}) {
		t.Errorf("it says %v, moved %v", l.Refs, l.Moved)
	}
	var names []string
	list, _ := w.List(w.ctx)
	for _, img := range list {
		names = append(names, w.names(img)...)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"app:1", "mine:1"}) {
		t.Errorf("names %v", names)
	}
}

// TestOddEntries: what is merely odd loads; what means different things to different readers does not.
func TestOddEntries(t *testing.T) {
	plain := layerTar("x")
	layer, config := file{name: "l", content: string(plain)}, file{name: "c", content: configOf(plain)}
	list := dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"app:1"}, Layers: []string{"l"}})
	whole := tarFiles(layer, config, list)
	pax := func(records map[string]string) []byte {
		var b bytes.Buffer
		out := tar.NewWriter(&b)
		_ = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "odd", Size: 3, Mode: 0o644, Format: tar.FormatPAX, PAXRecords: records})
		_, _ = out.Write([]byte("odd"))
		_ = out.Flush()
		return append(b.Bytes(), whole...)
	}
	huge := slices.Clone(whole) // the first entry's size, in base 256: 2^62
	huge[124] = 0x80
	binary.BigEndian.PutUint64(huge[128:136], 1<<62)
	checksum(huge)
	sparse := tarFiles(file{name: "odd"})[:512] // as old GNU tar marked them
	sparse[156] = tar.TypeGNUSparse
	copy(sparse[257:], "ustar  \x00")
	checksum(sparse)
	for title, tc := range map[string]struct {
		archive []byte
		want    string // of the error; empty: it loads
	}{
		"the same twice":      {tarFiles(layer, layer, config, list), ""},
		"two contents":        {tarFiles(layer, config, file{name: "l", content: "other"}, list), "twice"},
		"two lists":           {tarFiles(layer, config, list, list), "twice"},
		"garbage behind":      {append(slices.Clone(whole), bytes.Repeat([]byte("garbage"), 1000)...), ""},
		"garbage behind gzip": {append(gzipped(whole), "garbage"...), ""},
		"unknown record":      {pax(map[string]string{"VENDOR.odd": "x"}), ""},
		"sparse":              {append(sparse, whole...), "is sparse"},
		"entry of 2^62 bytes": {huge, "invalid tar header"},
		"fifo and device":     {append(tarFiles(file{name: "p", kind: tar.TypeFifo}, file{name: "d", kind: tar.TypeChar})[:1024], whole...), ""},
	} {
		t.Run(title, func(t *testing.T) {
			isolated(t, func(w *workshop, _ string) {
				_, err := w.Load(w.ctx, bytes.NewReader(tc.archive), "-")
				if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
					t.Errorf("error = %v, want %q", err, tc.want)
				}
			})
		})
	}
}

// checksum makes the first header of a tar valid again.
func checksum(archive []byte) {
	copy(archive[148:156], "        ")
	sum := 0
	for _, b := range archive[:512] {
		sum += int(b)
	}
	copy(archive[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

// TestPlatforms: what is for another platform than the one asked for is neither loaded nor saved.
func TestPlatforms(t *testing.T) {
	w := newWorkshop(t)
	plain := layerTar("x")
	w.loadFiles([]file{{name: "c", content: configOf(plain)}, {name: "l", content: string(plain)}, dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"app:1"}, Layers: []string{"l"}})})
	arm, amd := v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}, v1.Platform{OS: "linux", Architecture: "amd64"}
	var archive bytes.Buffer
	if err := w.SaveWith(w.ctx, &archive, []string{"app:1"}, SaveOptions{Platforms: []v1.Platform{arm, amd}}); err != nil {
		t.Error(err)
	}
	const want = "image with reference app:1 was found but does not provide the specified platform (linux/arm64): it is for linux/amd64"
	if err := w.SaveWith(w.ctx, &bytes.Buffer{}, []string{"app:1"}, SaveOptions{Platforms: []v1.Platform{arm}}); err == nil || err.Error() != want {
		t.Errorf("save: %v", err)
	}
	other := newWorkshop(t)
	if _, err := other.LoadWith(w.ctx, bytes.NewReader(archive.Bytes()), "-", LoadOptions{Platform: arm}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("load: %v", err)
	}
	if loaded, err := other.LoadWith(w.ctx, bytes.NewReader(archive.Bytes()), "-", LoadOptions{Platform: amd}); err != nil || len(loaded) != 1 {
		t.Errorf("load: %v, %v", loaded, err)
	}
}
