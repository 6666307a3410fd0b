package build

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/opencontainers/go-digest"
)

func named(t testing.TB, names ...string) (refs []oci.Ref) {
	t.Helper()
	for _, n := range names {
		ref, err := oci.ParseRef(n)
		must(t, err)
		refs = append(refs, ref)
	}
	return refs
}

// item is one entry of a tree under test.
type item struct {
	layer.Entry
	data string
}

func fileItem(p, data string, mode uint32) item {
	return item{layer.Entry{Path: p, Kind: layer.File, Mode: mode, Size: int64(len(data)), UID: 1234, GID: 1234, ModTime: time.Unix(1_600_000_000, 0)}, data}
}

func dirItem(p string, mode uint32) item {
	return item{Entry: layer.Entry{Path: p, Kind: layer.Dir, Mode: mode, ModTime: time.Unix(1_500_000_000, 0)}}
}

func linkItem(p, to string) item {
	return item{Entry: layer.Entry{Path: p, Kind: layer.Symlink, Mode: 0o777, Link: to, ModTime: time.Unix(1, 0)}}
}

func kindItem(p string, k layer.Kind, to string) item {
	return item{Entry: layer.Entry{Path: p, Kind: k, Mode: 0o644, Link: to, Major: 1, Minor: 3, ModTime: time.Unix(1, 0)}}
}

// result is an image as a build has it at its end, with no entry in the index. Each list of items is a layer.
func (l *lab) result(layers ...[]item) image.Image {
	l.t.Helper()
	op, err := l.home.Begin("test")
	must(l.t, err)
	defer op.End()
	img := image.Image{Config: oci.Image{Architecture: "amd64", OS: "linux"}}
	for _, items := range layers {
		w, err := l.blobs.NewWriter(op)
		must(l.t, err)
		out := layer.NewWriter(w)
		for _, i := range items {
			must(l.t, out.WriteEntry(i.Entry, strings.NewReader(i.data)))
		}
		must(l.t, out.Close())
		desc, err := w.Commit(context.Background(), "", oci.MediaTypeLayer)
		must(l.t, err)
		must(l.t, w.Close())
		img.Config.RootFS.DiffIDs = append(img.Config.RootFS.DiffIDs, desc.Digest)
		img.Layers = append(img.Layers, image.Layer{Descriptor: desc, DiffID: desc.Digest, Size: desc.Size})
	}
	for i, chain := range oci.ChainIDs(img.Config.RootFS.DiffIDs) {
		img.Layers[i].ChainID = chain
	}
	return img
}

// output writes the image as spec says.
func (l *lab) output(img image.Image, spec string, stdout io.Writer, names ...oci.Ref) error {
	l.t.Helper()
	o, err := ParseOutput(spec)
	must(l.t, err)
	l.images.Registry = registry.New(registry.Config{CredentialsDir: l.t.TempDir()})
	op, err := l.home.Begin("test")
	must(l.t, err)
	return errors.Join(l.builder.write(l.ctx, op, img, names, o, stdout), op.End())
}

// shown is what lies in a folder of the host, by path.
func shown(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		text := fi.Mode().String()
		switch {
		case fi.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text += " " + string(data)
		case fi.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			text = "-> " + to
		}
		out[filepath.ToSlash(rel)] = text
		return nil
	}))
	return out
}

func posix(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("modes and links of Unix don't mean the same here")
	}
}

func TestOutputLocal(t *testing.T) {
	posix(t)
	l := newLab(t)
	dir := filepath.Join(t.TempDir(), "new", "out")
	img := l.result([]item{dirItem("bin", 0o755), fileItem("bin/su", "su", 0o4755), kindItem("bin/two", layer.HardLink, "bin/su"), dirItem("closed", 0o555),
		fileItem("closed/f", "f", 0o400), linkItem("etc", "/etc"), linkItem("up", "../../..")})
	for range 2 { // into a new folder, and over what is there
		must(t, l.output(img, "type=local,dest="+dir, nil))
		want := map[string]string{"bin": "drwxr-xr-x", "bin/su": "urwxr-xr-x su", "bin/two": "urwxr-xr-x su", "closed": "dr-xr-xr-x", "closed/f": "-r-------- f",
			"etc": "-> /etc", "up": "-> ../../.."}
		if diff := cmp.Diff(want, shown(t, dir)); diff != "" {
			t.Error(diff)
		}
	}
	for p, at := range map[string]int64{"bin": 1_500_000_000, "bin/su": 1_600_000_000, "closed": 1_500_000_000} {
		if fi, err := os.Stat(filepath.Join(dir, p)); err != nil || fi.ModTime().Unix() != at {
			t.Errorf("%s has time %v, want %d", p, fi.ModTime(), at)
		}
	}
	su, _ := os.Stat(filepath.Join(dir, "bin/su"))
	if hard, err := os.Stat(filepath.Join(dir, "bin/two")); err != nil || !os.SameFile(su, hard) {
		t.Error("the hard link is another file")
	}
}

// Whatever lies in the destination is merged with or replaced, and never followed.
func TestOutputLocalOverHostileFolder(t *testing.T) {
	posix(t)
	l := newLab(t)
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "canary"), []byte("canary"), 0o600))
	must(t, os.MkdirAll(filepath.Join(outside, "d"), 0o700))
	before := shown(t, outside)
	dir := t.TempDir()
	must(t, os.Symlink(filepath.Join(outside, "canary"), filepath.Join(dir, "file")))
	must(t, os.Symlink(outside, filepath.Join(dir, "folder")))
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	must(t, os.MkdirAll(filepath.Join(dir, "was-folder", "deep"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "kept"), []byte("mine"), 0o640))
	must(t, os.MkdirAll(filepath.Join(dir, "both"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "both", "mine"), []byte("mine"), 0o640))
	img := l.result([]item{fileItem("file", "new", 0o644), dirItem("folder", 0o755), fileItem("folder/canary", "new", 0o644), dirItem("folder/d", 0o711),
		linkItem("link", "elsewhere"), fileItem("was-folder", "file", 0o600), dirItem("both", 0o755), fileItem("both/theirs", "t", 0o600)})
	must(t, l.output(img, dir, nil))
	want := map[string]string{"file": "-rw-r--r-- new", "folder": "drwxr-xr-x", "folder/canary": "-rw-r--r-- new", "folder/d": "drwx--x--x", "link": "-> elsewhere",
		"was-folder": "-rw------- file", "kept": "-rw-r----- mine", "both": "drwxr-xr-x", "both/mine": "-rw-r----- mine", "both/theirs": "-rw------- t"}
	if diff := cmp.Diff(want, shown(t, dir)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, shown(t, outside)); diff != "" {
		t.Errorf("outside of the destination: %s", diff)
	}
}

// A tree that no file system could hold, because a driver is wrong or somebody changed its files, does not lead out either.
func TestOutputLocalOfHostileTree(t *testing.T) {
	posix(t)
	for name, tc := range map[string]struct {
		items []item
		want  string
	}{
		"through a link":     {[]item{linkItem("a", "/"), fileItem("a/canary", "x", 0o644)}, "escapes"},
		"link out and up":    {[]item{linkItem("a", ".."), fileItem("a/canary", "x", 0o644)}, "escapes"},
		"hard link through":  {[]item{linkItem("a", "/etc"), kindItem("b", layer.HardLink, "a/passwd")}, "escapes"},
		"hard link to none":  {[]item{kindItem("b", layer.HardLink, "none")}, "write b"},
		"device":             {[]item{kindItem("dev", layer.Char, "")}, "a char can't be made"},
		"pipe":               {[]item{kindItem("pipe", layer.Fifo, "")}, "use type=tar"},
		"file in a file":     {[]item{fileItem("a", "x", 0o644), fileItem("a/b", "x", 0o644)}, "write a/b"},
		"name of a whiteout": {[]item{fileItem(".wh.x", "", 0o644)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			outer := t.TempDir()
			root, err := os.OpenRoot(outer)
			must(t, err)
			defer root.Close()
			must(t, root.Mkdir("out", 0o755))
			inner, err := root.OpenRoot("out")
			must(t, err)
			defer inner.Close()
			var n int64
			tree := files{}
			for i, it := range tc.items {
				tree[fmt.Sprintf("%d", i)] = file(it) // by number, so that the order is ours
			}
			err = (&unpacker{root: inner, written: &n}).tree(context.Background(), fakeTree{tree})
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
			for p := range shown(t, outer) {
				if p != "out" && !strings.HasPrefix(p, "out/") {
					t.Errorf("%s is outside", p)
				}
				if strings.Contains(p, ".tmp-") {
					t.Errorf("%s is left", p)
				}
			}
		})
	}
}

func TestOutputTar(t *testing.T) {
	l := newLab(t)
	img := l.result([]item{dirItem("d", 0o755), fileItem("d/f", "content", 0o600), kindItem("pipe", layer.Fifo, "")}, []item{fileItem("g", "g", 0o644)})
	var out bytes.Buffer
	must(t, l.output(img, "-", &out))
	path := filepath.Join(t.TempDir(), "x.tar")
	must(t, os.WriteFile(path, []byte("old"), 0o600))
	must(t, l.output(img, "type=tar,dest="+path, nil))
	data, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(data, out.Bytes()) {
		t.Error("file and standard output differ")
	}
	if diff := cmp.Diff([]string{"d/", "d/f", "g", "pipe"}, tarNames(t, data)); diff != "" {
		t.Error(diff)
	}
	if fi, _ := os.Stat(path); runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("the file that was replaced had mode 600, now %v", fi.Mode())
	}
}

func tarNames(t *testing.T, data []byte) (names []string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return names
		}
		must(t, err)
		names = append(names, h.Name)
	}
}

// An image of no layers has an empty tree, for which nothing has to run.
func TestOutputOfNothing(t *testing.T) {
	l := newLab(t)
	img, dir := l.result(), filepath.Join(t.TempDir(), "out")
	must(t, l.output(img, dir, nil))
	if got := shown(t, dir); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	var out bytes.Buffer
	must(t, l.output(img, "-", &out))
	if names := tarNames(t, out.Bytes()); len(names) != 0 {
		t.Errorf("got %v", names)
	}
	if len(l.machine.runs) != 0 {
		t.Error("something ran")
	}
}

func TestOutputDestinations(t *testing.T) {
	l := newLab(t)
	img := l.result([]item{fileItem("f", "x", 0o644)})
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), []byte("mine"), 0o644))
	for spec, want := range map[string]string{
		"type=local,dest=" + dir + "/file": "is a file, expected a folder",
		"type=tar,dest=" + dir:             "is a folder, expected a file",
		"type=tar,dest=" + dir + "/none/x": "there is no folder for it",
		"type=oci,tar=false,dest=" + dir:   "not empty",
		"type=registry":                    "without a name",
	} {
		if err := l.output(img, spec, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
	if got := shown(t, dir); len(got) != 1 || !strings.HasSuffix(got["file"], " mine") {
		t.Errorf("left behind: %v", got)
	}
}

// brokenTrees are trees whose export ends early.
type brokenTrees struct{ driver.Trees }

func (b brokenTrees) OpenChain(ctx context.Context, chain digest.Digest) (driver.Tree, error) {
	t, err := b.Trees.OpenChain(ctx, chain)
	return brokenTree{t}, err
}

type brokenTree struct{ driver.Tree }

func (b brokenTree) Export(_ context.Context, w io.Writer) error {
	_, _ = w.Write(make([]byte, 100))
	return errors.New("the disk is broken")
}

// An output that can't be finished leaves the file that was there.
func TestBrokenOutputKeepsTheOldFile(t *testing.T) {
	l := newLab(t)
	img := l.result([]item{fileItem("f", "x", 0o644)})
	l.builder.trees = brokenTrees{l.builder.trees}
	path := filepath.Join(t.TempDir(), "x.tar")
	must(t, os.WriteFile(path, []byte("old"), 0o644))
	for _, spec := range []string{"type=tar,dest=" + path, "type=local,dest=" + filepath.Join(filepath.Dir(path), "out")} {
		if err := l.output(img, spec, nil); err == nil || !strings.Contains(err.Error(), "the disk is broken") {
			t.Errorf("%s: %v", spec, err)
		}
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("the file has %d bytes", len(data))
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 2 {
		t.Errorf("left: %v", entries)
	}
}

func TestOutputArchives(t *testing.T) {
	l := newLab(t)
	img := l.result([]item{fileItem("f", "x", 0o644)}, []item{fileItem("g", "y", 0o644)})
	dir := t.TempDir()
	for _, spec := range []string{"type=oci,name=a:1", "type=docker,name=a:1", "type=oci,name=a:1,compression=gzip", "type=docker,name=a:1,compression=zstd",
		"type=oci,name=a:1,annotation.x=y"} {
		var first []byte
		for i := range 2 {
			path := filepath.Join(dir, fmt.Sprint(len(spec), i))
			must(t, l.output(img, spec+",dest="+path, nil, named(t, "not:used")...))
			data, err := os.ReadFile(path)
			must(t, err)
			if i > 0 && !bytes.Equal(first, data) {
				t.Errorf("%s: twice is not the same", spec)
			}
			first = data
		}
		other := newLab(t)
		loaded, err := other.images.Load(other.ctx, bytes.NewReader(first), "-")
		must(t, err)
		if got := loaded[0]; got.Image.Config.RootFS.DiffIDs[1] != img.Layers[1].DiffID || !slices.Equal(got.Refs, named(t, "a:1")) {
			t.Errorf("%s: loaded %+v", spec, got)
		}
	}
	must(t, l.output(img, "type=oci,tar=false,dest="+dir+"/layout", nil, named(t, "b:1")...))
	layout, err := image.OpenLayout(dir + "/layout")
	must(t, err)
	defer layout.Close()
	x, err := layout.Index()
	must(t, err)
	if len(x.Manifests) != 1 || x.Manifests[0].Annotations[oci.AnnotationRefName] != "b:1" {
		t.Errorf("index %v", x)
	}
}

func TestOutputRegistry(t *testing.T) {
	l, r := newLab(t), registrytest.New(t)
	img := l.result([]item{fileItem("f", strings.Repeat("x", 10_000), 0o644)})
	must(t, l.output(img, "type=registry", nil, r.Ref("app:1"), r.Ref("app:2")))
	must(t, l.output(img, "type=image,push=true,push-by-digest=true,name="+r.Ref("app:none").String(), nil))
	m, err := oci.ParseManifest(r.Manifest("app:1"))
	must(t, err)
	if m.Layers[0].MediaType != oci.MediaTypeLayerGzip || m.Layers[0].Size >= img.Layers[0].Size {
		t.Errorf("the layer went as %v", m.Layers[0])
	}
	if !bytes.Equal(r.Manifest("app:1"), r.Manifest("app:2")) || r.Manifest("app:none") != nil {
		t.Error("the tags are wrong")
	}
	op, err := l.home.Begin("test")
	must(t, err)
	defer op.End()
	got, err := l.images.Pull(l.ctx, op, r.Ref("app:2"), image.PullOptions{Platform: "linux/amd64"})
	must(t, err)
	if !slices.Equal(got.DiffIDs(), img.DiffIDs()) {
		t.Errorf("pulled %v", got.DiffIDs())
	}
}

// Writing a result makes no image in the home.
func TestOutputNeedsNoImage(t *testing.T) {
	l := newLab(t)
	img := l.result([]item{fileItem("f", "x", 0o644)})
	must(t, l.output(img, "type=oci,dest="+filepath.Join(t.TempDir(), "x"), nil))
	must(t, l.output(img, "type=cacheonly", nil))
	must(t, l.output(img, "type=image", nil))
	must(t, l.output(img, "type=docker", nil))
	list, err := l.images.List(l.ctx)
	must(t, err)
	if len(list) != 1 { // the lab's base
		t.Errorf("%d images", len(list))
	}
}
