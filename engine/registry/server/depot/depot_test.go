package depot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

func open(t *testing.T, dir string) *Depot {
	t.Helper()
	d, err := Open(dir, Options{Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func put(t *testing.T, d *Depot, repo, data string) digest.Digest {
	t.Helper()
	g := oci.Sum([]byte(data))
	u := d.NewUpload("u" + g.Encoded())
	if err := u.Append(strings.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Commit(t.Context(), repo, g); err != nil {
		t.Fatal(err)
	}
	return g
}

func manifestOf(config string, layers ...string) string {
	desc := func(s string) string {
		return fmt.Sprintf(`{"mediaType":"x","digest":%q,"size":%d}`, oci.Sum([]byte(s)), len(s))
	}
	list := make([]string, len(layers))
	for i, l := range layers {
		list[i] = desc(l)
	}
	return fmt.Sprintf(`{"schemaVersion":2,"config":%s,"layers":[%s]}`, desc(config), strings.Join(list, ","))
}

func putImage(t *testing.T, d *Depot, repo, tag, config string, layers ...string) digest.Digest {
	t.Helper()
	for _, b := range append([]string{config}, layers...) {
		put(t, d, repo, b)
	}
	m := manifestOf(config, layers...)
	g := oci.Sum([]byte(m))
	if _, err := d.Put(t.Context(), repo, g, oci.MediaTypeManifest, []byte(m), tag); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOneServerAtATime(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one opens: %v", err)
	}
	r, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	putImage(t, d, "a", "1", "{}")
	if m, err := r.Find("a", "1"); err != nil || m.Size == 0 {
		t.Errorf("what the one writes the other does not see: %v", err)
	}
}

func TestLostIndexIsNoEmptyDepot(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	putImage(t, d, "a", "1", "{}")
	if err := errors.Join(d.Close(), os.Remove(filepath.Join(dir, indexFile))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("opens without its index: %v", err)
	}
}

// What a killed server left of uploads goes when the next one begins.
func TestLeftoverUploads(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if err := d.NewUpload("half").Append(strings.NewReader("bytes")); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	open(t, dir)
	if left, _ := os.ReadDir(filepath.Join(dir, "uploads")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestCollect(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	putImage(t, d, "a", "1", "{}", "kept", "shared")
	gone := putImage(t, d, "b", "1", "{ }", "only b's", "shared")
	stray := put(t, d, "a", "stray")
	if err := d.Delete(t.Context(), "b", gone); err != nil {
		t.Fatal(err)
	}
	collect := func(o CollectOptions) Collected {
		t.Helper()
		o.Now = time.Now()
		c, err := Collect(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(c.Blobs)
		return c
	}
	if c := collect(CollectOptions{Grace: -1}); len(c.Blobs) != 0 || c.Kept != 4 || !c.Served {
		t.Errorf("while a server runs young blobs are kept: %+v", c)
	}
	want := []digest.Digest{gone, stray, oci.Sum([]byte("{ }")), oci.Sum([]byte("only b's"))}
	slices.Sort(want)
	if c := collect(CollectOptions{DryRun: true}); !slices.Equal(c.Blobs, want) {
		t.Errorf("dry run: %+v, expected %v", c, want)
	}
	if c := collect(CollectOptions{}); !slices.Equal(c.Blobs, want) || c.Size == 0 {
		t.Errorf("%+v, expected %v", c, want)
	}
	if _, err := d.Stat("a", oci.Sum([]byte("shared"))); err != nil {
		t.Error(err)
	}
	if _, err := d.Stat("b", oci.Sum([]byte("shared"))); !errors.Is(err, ErrNotFound) {
		t.Errorf("b still has the blob of a manifest that it lost: %v", err)
	}
	if c := collect(CollectOptions{}); len(c.Blobs) != 0 {
		t.Errorf("a second time: %+v", c)
	}
	putImage(t, d, "b", "2", "{ }", "only b's", "shared") // and all of it can be pushed again
}

// A manifest that can't be read ends a collection: what it needs is not known.
func TestDamageEndsCollection(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	g := putImage(t, d, "a", "1", "{}", "layer")
	if err := os.WriteFile(d.blobPath(g), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Collect(t.Context(), dir, CollectOptions{Now: time.Now()})
	var bad *DigestError
	if !errors.As(err, &bad) {
		t.Errorf("error = %v", err)
	}
	if _, err := d.Stat("a", oci.Sum([]byte("layer"))); err != nil {
		t.Error(err)
	}
}

// What another tool puts into the folder under REPOSITORY:TAG is served, survives a collection, and is ours after the next push.
func TestEntriesOfOtherTools(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	g := putImage(t, d, "team/app", "1", "{}", "layer")
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":"other/app:2"}},
{"mediaType":%q,"digest":%q,"size":3}]}`, oci.MediaTypeManifest, g, len(manifestOf("{}", "layer")), oci.MediaTypeManifest, g)
	if err := os.WriteFile(filepath.Join(dir, indexFile), []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "repositories", "team")); err != nil {
		t.Fatal(err)
	}
	if m, err := d.Find("other/app", "2"); err != nil || m.Digest != g {
		t.Fatal(m, err)
	}
	if _, err := Collect(t.Context(), dir, CollectOptions{Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Stat("other/app", oci.Sum([]byte("layer"))); err != nil {
		t.Fatal(err)
	}
	putImage(t, d, "other/app", "3", "{}", "layer")
	if tags, err := d.Tags("other/app"); err != nil || !slices.Equal(tags, []string{"2", "3"}) {
		t.Error(tags, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil || strings.Count(string(data), "other/app:2") != 1 || strings.Count(string(data), "\n{") != 3 {
		t.Errorf("%s %v", data, err)
	}
}

func TestHostilePlaces(t *testing.T) {
	d := open(t, t.TempDir())
	good := oci.Sum(nil)
	for repo, g := range map[string]digest.Digest{"..": good, "a/../b": good, "_blobs": good, "": good, "a": "sha256:../x", "b": "sha256:", "c": "x", "d": ""} {
		_, err := d.Stat(repo, g)
		_, err2 := d.Mount(t.Context(), repo, "", g)
		_, err3 := d.Put(t.Context(), repo, g, oci.MediaTypeManifest, nil)
		_, err4 := d.NewUpload("x").Commit(t.Context(), repo, g)
		if err == nil || err2 == nil || err3 == nil || err4 == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%q %q: %v, %v, %v, %v", repo, g, err, err2, err3, err4)
		}
	}
}

// Ten thousand blobs are looked through without opening any: what counts is how often the disk is asked.
func BenchmarkCollect(b *testing.B) {
	dir := b.TempDir()
	d, err := Open(dir, Options{Volatile: true})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := errors.Join(d.makeDurable(filepath.Join(d.marks("a"), "sha256"))); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		for i := range 10_000 {
			g := oci.Sum(fmt.Append(nil, i))
			if err := errors.Join(os.WriteFile(d.blobPath(g), nil, 0o600), d.mark("a", g)); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		if c, err := Collect(b.Context(), dir, CollectOptions{Now: time.Now()}); err != nil || len(c.Blobs) != 10_000 {
			b.Fatal(len(c.Blobs), err)
		}
	}
}
