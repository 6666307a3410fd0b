package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestResolve(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a", "b"}, "debian:12", "other/name")
	other := w.make([]string{"c"}, "busybox")
	for _, name := range []string{"debian:12", "docker.io/library/debian:12", "other/name", "other/name:latest", string(img.ID), img.ID.Encoded(),
		oci.ShortID(img.ID), "sha256:" + oci.ShortID(img.ID), "debian@" + string(img.Manifest.Digest), string(img.Manifest.Digest)} {
		got, err := w.Resolve(w.ctx, name)
		if err != nil || got.ID != img.ID {
			t.Errorf("Resolve(%q) = %s, %v", name, got.ID, err)
			continue
		}
		if diff := cmp.Diff(img.Layers, got.Layers); diff != "" {
			t.Errorf("Resolve(%q): %s", name, diff)
		}
	}
	for name, want := range map[string]string{"foo": "No such image: foo:latest", "debian": "No such image: debian:latest", "0123456789ab": "No such image: 0123456789ab:latest",
		"busybox@" + string(img.Manifest.Digest): "No such image: busybox@" + string(img.Manifest.Digest)} {
		if _, err := w.Resolve(w.ctx, name); err == nil || err.Error() != want || !IsNotFound(err) {
			t.Errorf("Resolve(%q) error = %v, want %q", name, err, want)
		}
	}
	if got, _ := w.Resolve(w.ctx, "busybox"); got.ID != other.ID {
		t.Errorf("busybox is %s", got.ID)
	}
	w.healthy()
}

func TestResolveAmbiguous(t *testing.T) {
	w := newWorkshop(t)
	seen := map[byte]bool{}
	var prefix string
	for i := 0; prefix == ""; i++ {
		img := w.make([]string{strings.Repeat("x", i)})
		if c := img.ID.Encoded()[0]; seen[c] {
			prefix = string(c)
		} else {
			seen[c] = true
		}
	}
	var ambiguous *AmbiguousError
	if _, err := w.Resolve(w.ctx, prefix); !errors.As(err, &ambiguous) {
		t.Errorf("error = %v", err)
	}
}

func TestResolveReadsNoOtherImage(t *testing.T) {
	w := newWorkshop(t)
	other := w.make([]string{"other"}, "other")
	w.make([]string{"mine"}, "mine")
	for _, d := range []digest.Digest{other.ID, other.Manifest.Digest} {
		if err := os.Remove(w.blobs.Path(d)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Resolve(w.ctx, "mine"); err != nil {
		t.Error(err)
	}
	if list, err := w.List(w.ctx); err != nil || len(list) != 2 {
		t.Errorf("List gives %d, %v", len(list), err)
	}
	if len(w.Verify(w.ctx)) == 0 {
		t.Error("Verify finds nothing wrong")
	}
}

func TestProvide(t *testing.T) {
	w := newWorkshop(t)
	w.Provide = func(_ context.Context, r oci.Ref) (bool, error) {
		if r.Familiar() != "learn/base:latest" {
			return false, nil
		}
		w.make([]string{"base"}, r.String())
		return true, nil
	}
	if _, err := w.Resolve(w.ctx, "learn/base"); err != nil {
		t.Error(err)
	}
	if _, err := w.Resolve(w.ctx, "learn/other"); !IsNotFound(err) {
		t.Error(err)
	}
}

func TestTagMovesAndLeavesDangling(t *testing.T) {
	w := newWorkshop(t)
	old := w.make([]string{"old"}, "app")
	fresh := w.make([]string{"new"}, "app")
	list, err := w.List(w.ctx)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	got, _ := w.Resolve(w.ctx, string(old.ID))
	if len(got.Refs) != 0 {
		t.Errorf("the old image still has names %v", got.Refs)
	}
	if err := w.Tag(w.ctx, string(old.ID), ref("app:old")); err != nil {
		t.Fatal(err)
	}
	if err := w.Tag(w.ctx, "app", ref("app:new")); err != nil {
		t.Fatal(err)
	}
	a, _ := w.Resolve(w.ctx, string(old.ID))
	b, _ := w.Resolve(w.ctx, string(fresh.ID))
	if diff := cmp.Diff([][]string{{"app:old"}, {"app:latest", "app:new"}}, [][]string{w.names(a), w.names(b)}); diff != "" {
		t.Error(diff)
	}
	if err := w.Tag(w.ctx, "nothing", ref("x")); !IsNotFound(err) {
		t.Error(err)
	}
	w.healthy()
}

func TestSameImageTwiceIsOne(t *testing.T) {
	w := newWorkshop(t)
	w.make([]string{"a"})
	w.make([]string{"a"}, "x")
	w.make([]string{"a"})
	list, err := w.List(w.ctx)
	if err != nil || len(list) != 1 || len(list[0].Refs) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestForeignIndexEntriesAreUnderstoodAndKept(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a"}, "x")
	artifact := v1.Descriptor{MediaType: "application/vnd.example+json", Digest: oci.Sum([]byte("z")), Size: 1}
	err := w.withOperation("test", func(op *home.Operation) error {
		return w.changeIndex(w.ctx, op, func(x *index) error {
			x.Manifests[0].Annotations = map[string]string{oci.AnnotationRefName: "from-skopeo"}
			x.Manifests = append(x.Manifests, artifact)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Resolve(w.ctx, oci.ShortID(img.ID))
	if err != nil || !slices.Contains(got.Refs, ref("from-skopeo")) {
		t.Errorf("%v, %v", got.Refs, err)
	}
	if err := w.Tag(w.ctx, "from-skopeo", ref("y")); err != nil {
		t.Fatal(err)
	}
	x, _ := w.readIndex()
	if !slices.ContainsFunc(x.Manifests, func(d v1.Descriptor) bool { return d.Digest == artifact.Digest }) {
		t.Error("an artifact was dropped from the index")
	}
}

func TestManyWritersAtOnce(t *testing.T) {
	w := newWorkshop(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			own := openWorkshop(t, w.home.Root())
			own.make([]string{"shared", strings.Repeat("x", i)}, "app:"+strings.Repeat("v", i+1))
		})
	}
	all.Wait()
	if list, err := w.List(w.ctx); err != nil || len(list) != 16 {
		t.Errorf("%d images, %v", len(list), err)
	}
	w.healthy()
}

func TestHistory(t *testing.T) {
	created := time.Unix(1000, 0)
	img := Image{ID: oci.Sum(nil), Layers: []Layer{{Size: 10}, {Size: 20}}, Config: oci.Image{History: []v1.History{
		{CreatedBy: "ADD", Created: &created}, {CreatedBy: "ENV", EmptyLayer: true}, {CreatedBy: "RUN", Comment: "c"}}}}
	want := []HistoryRow{
		{ID: string(img.ID), CreatedBy: "RUN", Size: 20, Comment: "c"},
		{ID: "<missing>", CreatedBy: "ENV"},
		{ID: "<missing>", CreatedBy: "ADD", Size: 10, Created: created},
	}
	if diff := cmp.Diff(want, History(img)); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkResolveAmongThousand(b *testing.B) {
	w := newWorkshop(b)
	img := w.make([]string{"a"}, "app:0")
	err := w.withOperation("test", func(op *home.Operation) error {
		return w.changeIndex(w.ctx, op, func(x *index) error {
			d := x.Manifests[0]
			for i := range 1000 {
				x.Manifests = append(x.Manifests, named(d, ref("app:"+strings.Repeat("x", i%100+1)+string(rune('a'+i%26)))))
			}
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := w.Resolve(w.ctx, oci.ShortID(img.ID)); err != nil {
			b.Fatal(err)
		}
	}
}

// The quick way through an index must find what the slow way finds, and leave to it what it can't judge.
func TestResolveByNameAgreesWithWholeIndex(t *testing.T) {
	w := newWorkshop(t)
	w.make([]string{"a"}, "app:1", "app:2")
	w.make([]string{"b"}, "app:10", "other/app:1")
	data, err := os.ReadFile(w.blobs.IndexPath())
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app:1", "app:2", "app:10", "other/app:1", "docker.io/library/app:1"} {
		if _, _, ok := excerpt(data, ref(name)); !ok {
			t.Errorf("%s: the quick way does not find it", name)
		}
		quick, err := w.Resolve(w.ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.blobs.IndexPath(), compact.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		slow, err := w.Resolve(w.ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.blobs.IndexPath(), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(fmt.Sprintf("%+v", slow), fmt.Sprintf("%+v", quick)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, name := range []string{"app:3", "ap:1", "app"} {
		if _, _, ok := excerpt(data, ref(name)); ok {
			t.Errorf("%s: found", name)
		}
	}
}
