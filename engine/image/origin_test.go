package image

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/opencontainers/go-digest"
)

// away is a home with an image of two layers, the lower one compressed by another program, the upper one not at all, whose archives were dropped.
type away struct {
	*workshop
	r       remote
	image   Image
	foreign digest.Digest
	blob    []byte // of foreign
	saved   []byte
}

func newAway(t *testing.T) *away {
	a, b := layerTar(string(random(200_000))), layerTar(strings.Repeat("b", 50_000))
	w := &away{workshop: kept(t, new([]digest.Digest)), r: remote{registrytest.New(t)}, blob: gzipped(a)}
	w.r.image("lib/base:1", [2][]byte{a, w.blob}, [2][]byte{b, b})
	img, err := w.pull(w.r.Ref("lib/base:1"), "")
	if err != nil {
		t.Fatal(err)
	}
	w.image, w.foreign = img, oci.Sum(w.blob)
	w.saved = w.workshop.saved(w.name())
	w.drop(2)
	return w
}

func (w *away) name() string { return w.r.Host() + "/lib/base:1" }

// drop drops archives, of which there are n, and forgets what was asked of the registry.
func (w *away) drop(n int) {
	w.Helper()
	report, err := w.DropArchives(w.ctx)
	if err != nil || len(report.Layers) != n || len(report.Kept) > 0 || report.FreedBytes <= 0 {
		w.Fatalf("%+v, %v", report, err)
	}
	w.r.Requests()
}

// blobsAsked are the blobs that the registry was asked for since the last call.
func (w *away) blobsAsked() (list []string) {
	for _, req := range w.r.Requests() {
		if what, ok := strings.CutPrefix(req, "GET "); ok && strings.Contains(what, "/blobs/") {
			list = append(list, what)
		}
	}
	return list
}

// askedOnce fails unless the registry was asked for the foreign blob, once, and for no other.
func (w *away) askedOnce() {
	w.Helper()
	if got := w.blobsAsked(); !slices.Equal(got, []string{"/v2/lib/base/blobs/" + string(w.foreign)}) {
		w.Errorf("asked for %v, want the one layer that can't be made here", got)
	}
}

func (w *away) askedNothing(after string) {
	w.Helper()
	if got := w.r.Requests(); len(got) > 0 {
		w.Errorf("%s asks for %v", after, got)
	}
}

func (w *away) saveAgain() error {
	var b bytes.Buffer
	err := w.Save(w.ctx, &b, []string{w.name()}, "")
	if err != nil && b.Len() > 0 {
		w.Error("a save that failed wrote something")
	}
	if err == nil && !bytes.Equal(b.Bytes(), w.saved) {
		w.Error("it saves as another archive")
	}
	return err
}

// TestFilesAreReadWithoutTheArchive: only who wants the very bytes needs a registry.
func TestFilesAreReadWithoutTheArchive(t *testing.T) {
	w := newAway(t)
	if _, err := w.blobs.Stored(w.foreign); err == nil {
		t.Fatal("the archive is still there")
	}
	lens, err := w.Look(w.ctx, w.image)
	if err != nil || len(lens.Layers) != 2 || lens.Layers[0].FromCache {
		t.Fatalf("%+v, %v", lens, err)
	}
	if tar, err := io.ReadAll(w.OpenLayer(w.image.Layers[0])); err != nil || oci.Sum(tar) != w.image.Layers[0].DiffID {
		t.Errorf("the archive that was put together is another one: %v", err)
	}
	w.unpackAll(w.name())
	w.collect()
	w.healthy()
	w.askedNothing("reading")
	w.mem.data[w.image.Layers[0].ChainID] = layerTar("changed")
	if len(w.Verify(w.ctx)) == 0 {
		t.Error("a changed tree verifies")
	}
}

func TestSaveFetchesAForeignArchive(t *testing.T) {
	w := newAway(t)
	if err := w.saveAgain(); err != nil {
		t.Fatal(err)
	}
	w.askedOnce()
	if err := w.saveAgain(); err != nil {
		t.Fatal(err)
	}
	w.askedNothing("the second save")
	w.collect()
	w.healthy()
	if _, err := w.skeletons.record(w.foreign); err == nil {
		t.Error("the skeleton stays beside the archive")
	}
	w.drop(1) // the other one is still dropped
	if err := w.saveAgain(); err != nil {
		t.Fatal(err)
	}
	w.askedOnce()
}

// TestPushFetchesAForeignArchiveIfItMust: not where it is, but for another registry.
func TestPushFetchesAForeignArchiveIfItMust(t *testing.T) {
	w, to := newAway(t), remote{registrytest.New(t)}
	w.mustPush(w.image, w.r.Ref("lib/other:1"), PushOptions{})
	if got := w.blobsAsked(); len(got) > 0 {
		t.Errorf("a push to where it is asks for %v", got)
	}
	w.mustPush(w.image, to.Ref("app:1"), PushOptions{})
	w.askedOnce()
	if !bytes.Equal(to.Blob(w.foreign), w.blob) || !bytes.Equal(to.Manifest("app:1"), w.r.Manifest("lib/base:1")) {
		t.Error("it arrives as another image")
	}
	w.drop(1)
	p, dir := packed(t, w.workshop, w.image, PackOptions{}), t.TempDir()
	w.askedNothing("packing")
	if _, err := p.WriteLayout(w.ctx, dir, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, blobFolder, w.foreign.Encoded())); err != nil || !bytes.Equal(got, w.blob) {
		t.Errorf("what a build writes is another blob: %v", err)
	}
}

// TestForeignArchiveThatIsGone: the error says what is missing, where it was looked for, and how to mend it; that mends it.
func TestForeignArchiveThatIsGone(t *testing.T) {
	w := newAway(t)
	w.r.SetBlob(w.foreign, nil)
	for range 2 {
		err := w.saveAgain()
		var gone *AwayError
		if !errors.As(err, &gone) || gone.Digest != w.foreign {
			t.Fatalf("error = %v", err)
		}
		for _, want := range []string{string(w.foreign), "of " + w.name(), "looked for in " + w.r.Host() + "/lib/base", "docker pull " + w.name()} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
	w.healthy()
	w.r.SetBlob(w.foreign, []byte("something else")) // of another length
	if err := w.saveAgain(); err == nil {
		t.Error("what has another digest is taken")
	}
	w.r.SetBlob(w.foreign, w.blob)
	w.r.Requests()
	if _, err := w.pull(w.r.Ref("lib/base:1"), ""); err != nil {
		t.Fatal(err)
	}
	w.askedOnce()
	if err := w.saveAgain(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.pull(w.r.Ref("lib/base:1"), ""); err != nil {
		t.Fatal(err)
	}
	if got := w.blobsAsked(); len(got) > 0 {
		t.Errorf("asked for %v, though all is here", got)
	}
	w.healthy()
}

// TestForeignArchiveIsGoneOnWith: what an earlier try left is not sent again, and thrown away if it is wrong.
func TestForeignArchiveIsGoneOnWith(t *testing.T) {
	for name, c := range map[string]struct {
		left func(blob []byte) []byte
		want []string // ranges asked for
	}{
		"half of it":      {func(b []byte) []byte { return b[:100_000] }, []string{"bytes=100000-"}},
		"something wrong": {func([]byte) []byte { return make([]byte, 100_000) }, []string{"bytes=100000-", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newAway(t)
			dir := filepath.Join(w.home.Downloads(), w.foreign.Encoded())
			if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "blob"), c.left(w.blob), 0o600)); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var ranges []string
			w.r.Before = func(_ http.ResponseWriter, req *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				ranges = append(ranges, req.Header.Get("Range"))
				return false
			}
			if err := w.saveAgain(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(ranges, c.want) {
				t.Errorf("asked for %q, want %q", ranges, c.want)
			}
			w.healthy()
		})
	}
}

// TestOriginOutlivesTheName: the image that was pulled goes, one that stands on its layers stays.
func TestOriginOutlivesTheName(t *testing.T) {
	w := newAway(t)
	if err := w.Tag(w.ctx, string(w.image.ID), ref("mine:1")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Remove(w.ctx, w.name(), false, unused); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Remove(w.ctx, w.r.Host()+"/lib/base@"+string(w.image.Manifest.Digest), false, unused); err != nil {
		t.Log(err) // it may have gone with the name
	}
	if err := os.Remove(w.knownPath()); err != nil {
		t.Fatal(err)
	}
	w.collect()
	var b bytes.Buffer
	if err := w.Save(w.ctx, &b, []string{"mine:1"}, ""); err != nil {
		t.Fatal(err)
	}
	w.askedOnce()
	if _, _, err := w.Remove(w.ctx, "mine:1", false, unused); err != nil {
		t.Fatal(err)
	}
	w.collect()
	if names, _ := os.ReadDir(w.home.Skeletons()); len(names) > 0 {
		t.Errorf("the images are gone, left of them: %v", names)
	}
}

// TestOwnCompressionIsMadeAgain: what a home of ours pushed needs no registry to come back.
func TestOwnCompressionIsMadeAgain(t *testing.T) {
	r, maker := remote{registrytest.New(t)}, newWorkshop(t)
	maker.mustPush(maker.make([]string{strings.Repeat("text ", 20_000) + string(random(5_000))}, "app:1"), r.Ref("app:1"), PushOptions{})
	w := kept(t, new([]digest.Digest))
	img, err := w.pull(r.Ref("app:1"), "")
	if err != nil {
		t.Fatal(err)
	}
	name := r.Host() + "/app:1"
	before := w.saved(name)
	if report, err := w.DropArchives(w.ctx); err != nil || len(report.Layers) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	r.Requests()
	if !bytes.Equal(w.saved(name), before) || len(r.Requests()) > 0 {
		t.Error("it is not made again here, or is another one")
	}
	if _, err := w.pull(r.Ref("app:1"), ""); err != nil {
		t.Fatal(err)
	}
	for _, req := range r.Requests() {
		if strings.HasPrefix(req, "GET") {
			t.Errorf("a pull asks for what can be made here: %s", req)
		}
	}
	if _, err := w.blobs.Stored(img.Layers[0].Descriptor.Digest); err == nil {
		t.Error("the archive is back though nobody needed it")
	}
	w.healthy()
}
