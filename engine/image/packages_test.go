package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// entries is an archive of what is given as "path", "content"; a content that begins with "->" is a link, "|" a pipe.
func entries(list ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(list); i += 2 {
		h := &tar.Header{Name: list[i], Mode: 0o755, Typeflag: tar.TypeReg, Size: int64(len(list[i+1]))}
		switch {
		case strings.HasPrefix(list[i+1], "->"):
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, list[i+1][2:], 0
		case list[i+1] == "|":
			h.Typeflag, h.Size = tar.TypeFifo, 0
		}
		_ = w.WriteHeader(h)
		if h.Size > 0 {
			_, _ = w.Write([]byte(list[i+1]))
		}
	}
	_ = w.Close()
	return b.Bytes()
}

// stacked makes an image of archives, gzipped but for the first.
func (w *workshop) stacked(archives ...[]byte) Image {
	w.Helper()
	var img Image
	err := w.withOperation("make", func(op *home.Operation) error {
		for i, a := range archives {
			kind, data := oci.MediaTypeLayer, a
			if i > 0 {
				kind, data = oci.MediaTypeLayerGzip, gzipped(a)
			}
			d, err := w.blobs.Put(w.ctx, op, data, kind)
			if err != nil {
				return err
			}
			img.Layers = append(img.Layers, Layer{Descriptor: v1.Descriptor{MediaType: kind, Digest: d.Digest, Size: d.Size}, DiffID: oci.Sum(a), Size: int64(len(a))})
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return img
}

func apkOf(names ...string) string {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "P:%s\nV:1\nA:x\n\n", n)
	}
	return b.String()
}

// Links lead inside the image, whatever they say; a package belongs to the layer that brought it; what a container does not see is not listed.
func TestPackages(t *testing.T) {
	pkg := func(name string) string { return fmt.Sprintf(`{"name":%q,"version":"1"}`, name) }
	for _, tc := range []struct {
		name   string
		layers [][]byte
		want   []string
	}{
		{"a list that grows", [][]byte{entries("lib/apk/db/installed", apkOf("a", "b")), entries("x", "y"), entries("lib/apk/db/installed", apkOf("a", "b", "c")), entries("lib/apk/db/installed", apkOf("a", "c", "d"))},
			[]string{"a 0", "c 2", "d 3"}},
		{"one that went and came back", [][]byte{entries("lib/apk/db/installed", apkOf("a", "b")), entries("lib/apk/db/installed", apkOf("b")), entries("lib/apk/db/installed", apkOf("a", "b"))},
			[]string{"a 2", "b 0"}},
		{"a folder that is a link", [][]byte{entries("usr/lib/apk/db/installed", apkOf("a"), "lib", "->usr/lib")}, []string{"a 0"}},
		{"a link that leads out", [][]byte{entries("lib/apk/db/installed", "->../../../../../../real/installed", "real/installed", apkOf("a"))}, []string{"a 0"}},
		{"an absolute link", [][]byte{entries("lib/apk/db/installed", "->/real/installed", "real/installed", apkOf("a")), entries("real/installed", apkOf("a", "b"))}, []string{"a 0", "b 1"}},
		{"links in circles", [][]byte{entries("lib/apk/db/installed", "->installed2", "lib/apk/db/installed2", "->installed")}, nil},
		{"a pipe", [][]byte{entries("lib/apk/db/installed", "|", "var/lib/dpkg/status", "|", "etc/os-release", "|")}, nil},
		{"a deleted list", [][]byte{entries("lib/apk/db/installed", apkOf("a")), entries("lib/apk/db/.wh.installed", "")}, nil},
		{"hidden packages", [][]byte{entries("node_modules/a/package.json", pkg("a"), "node_modules/b/package.json", pkg("b")), entries("node_modules/.wh.a", "", "node_modules/c/package.json", pkg("c"))},
			[]string{"b 0", "c 1"}},
		{"an opaque folder", [][]byte{entries("node_modules/a/package.json", pkg("a")), entries("node_modules/.wh..wh..opq", "", "node_modules/c/package.json", pkg("c"))}, []string{"c 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorkshop(t)
			inv, err := w.Packages(w.ctx, w.stacked(tc.layers...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range inv.Packages {
				got = append(got, fmt.Sprint(p.Name, " ", p.Layer))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A layer with other bytes than its digest says is an error, not a list.
func TestPackagesOfADamagedLayer(t *testing.T) {
	w := newWorkshop(t)
	img := w.stacked(entries("lib/apk/db/installed", apkOf("a")))
	if err := os.WriteFile(w.blobs.Path(img.Layers[0].Descriptor.Digest), entries("lib/apk/db/installed", apkOf("b")), 0o644); err != nil {
		t.Fatal(err)
	}
	if inv, err := w.Packages(w.ctx, img); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("%v, %v", inv, err)
	}
}
