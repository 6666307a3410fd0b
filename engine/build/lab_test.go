package build

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
	"github.com/learn-containers/learn/trace/vocab"
)

// lab is a home with an image called base, a fake machine and a context folder.
type lab struct {
	t       *testing.T
	machine *machine
	home    *home.Home
	blobs   *blob.Store
	images  *image.Store
	builder *Builder
	dir     string
	out     bytes.Buffer
	trace   *tracetest.Checker
	seen    int // events before the last build
	ctx     context.Context
}

func newLab(t *testing.T) *lab {
	t.Helper()
	h, err := home.Open(t.TempDir())
	must(t, err)
	blobs, err := blob.Open(h.Images())
	must(t, err)
	m := newMachine()
	images := image.New(h, blobs, fakeLayers{m})
	l := &lab{t: t, machine: m, home: h, blobs: blobs, images: images, dir: t.TempDir(), trace: tracetest.NewChecker(t)}
	l.builder = New(h, images, fakeLayers{m}, fakeSnapshots{m}, m, fakeRuntime{m})
	l.ctx = trace.With(context.Background(), trace.New(l.trace))
	l.base("base", map[string]string{
		"bin/": "", "etc/": "", "etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\nbig:x:4294967296:0::/:/x\n4294967296:x:0:0::/:/x\n",
		"etc/group": "root:x:0:\napp:x:1001:\nextra:x:1002:app\n", "usr/": "", "usr/lib/": "", "lib@": "usr/lib", "data/": "", "data/old": "old",
	}, oci.ImageConfig{Env: []string{"PATH=/bin", "LANG=C"}, Cmd: []string{"sh"}})
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// base makes an image of one layer. A name that ends in / is a folder, in @ a link.
func (l *lab) base(name string, tree map[string]string, cfg oci.ImageConfig) image.Image {
	l.t.Helper()
	op, err := l.home.Begin("test")
	must(l.t, err)
	defer op.End()
	w, err := l.blobs.NewWriter(op)
	must(l.t, err)
	defer w.Close()
	out := layer.NewWriter(w)
	for _, p := range sortedKeys(tree) {
		e := layer.Entry{Path: strings.TrimRight(p, "/@"), Kind: layer.File, Mode: 0o644, Size: int64(len(tree[p]))}
		switch p[len(p)-1] {
		case '/':
			e.Kind, e.Mode = layer.Dir, 0o755
		case '@':
			e.Kind, e.Link, e.Size = layer.Symlink, tree[p], 0
		}
		must(l.t, out.WriteEntry(e, strings.NewReader(tree[p])))
	}
	must(l.t, out.Close())
	desc, err := w.Commit(context.Background(), "", oci.MediaTypeLayer)
	must(l.t, err)
	ref, err := oci.ParseRef(name)
	must(l.t, err)
	created := time.Unix(1700000000, 0).UTC()
	img, err := l.images.Create(context.Background(), op, oci.Image{Architecture: "amd64", OS: "linux", Created: &created, Config: cfg},
		[]image.Layer{{Descriptor: desc, DiffID: desc.Digest}}, []oci.Ref{ref}, "import")
	must(l.t, err)
	return img
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	for i := range keys { // a tree of a few names
		for j := range keys[:i] {
			if keys[i] < keys[j] {
				keys[i], keys[j] = keys[j], keys[i]
			}
		}
	}
	return keys
}

// write puts a file into the context.
func (l *lab) write(name, text string) {
	l.t.Helper()
	p := filepath.Join(l.dir, name)
	must(l.t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(l.t, os.WriteFile(p, []byte(text), 0o644))
}

// try builds the context with the Dockerfile.
func (l *lab) try(dockerfile string, o Options) (Result, error) {
	l.t.Helper()
	l.write("Dockerfile", dockerfile)
	l.out.Reset()
	l.seen = len(l.trace.Events())
	o.ContextDir, o.Progress, o.Offline = l.dir, NewPlain(&l.out), true
	return l.builder.Build(l.ctx, o)
}

func (l *lab) build(dockerfile string, o Options) Result {
	l.t.Helper()
	res, err := l.try(dockerfile, o)
	if err != nil {
		l.t.Fatalf("build: %v\n%s", err, l.out.String())
	}
	return res
}

// tree is what the image holds besides the base.
func (l *lab) tree(res Result) map[string]string {
	l.t.Helper()
	layers := res.Image.Layers
	if len(layers) == 0 {
		return map[string]string{}
	}
	tree := l.machine.tree(l.t, layers[len(layers)-1].ChainID)
	base, err := l.images.Resolve(context.Background(), "base")
	must(l.t, err)
	chain, err := l.images.Unpack(context.Background(), base)
	must(l.t, err)
	for p, v := range l.machine.tree(l.t, chain) {
		if tree[p] == v {
			delete(tree, p)
		}
	}
	return tree
}

func (l *lab) prune(o PruneOptions) []PrunedEntry {
	l.t.Helper()
	gone, err := l.builder.Prune(l.ctx, o)
	must(l.t, err)
	return gone
}

// reasons lists why steps missed the cache in the last build.
func (l *lab) reasons() []string {
	var out []string
	for _, e := range l.trace.Events()[l.seen:] {
		if e.Kind == vocab.CacheMiss {
			out = append(out, e.Attr("reason").Str())
		}
	}
	return out
}

// lacks skips for want of something that the machine does not have; under CI that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
