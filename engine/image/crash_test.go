package image

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry/registrytest"
	"github.com/opencontainers/go-digest"
)

const crashHome = "LEARN_TEST_CRASH_HOME"

// TestCrashWork is the process that TestKilledAnywhere kills. It does one of everything that changes the store.
func TestCrashWork(t *testing.T) {
	dir := os.Getenv(crashHome)
	if dir == "" {
		t.Skip("only as a child of TestKilledAnywhere")
	}
	w := openWorkshop(t, dir)
	img := w.make([]string{"a", "b"}, "app:1")
	if _, err := w.Unpack(w.ctx, img); err != nil {
		t.Fatal(err)
	}
	plain := layerTar("x")
	archive := tarFiles(file{name: "c", content: configOf(plain)}, file{name: "l", content: string(plain)},
		dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"loaded:1", "app:1"}, Layers: []string{"l"}}))
	if _, err := w.Load(w.ctx, bytes.NewReader(archive), "-"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Import(w.ctx, bytes.NewReader(layerTar("i")), "-", ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	r := remote{registrytest.New(t)}
	r.image("pulled:1", [2][]byte{plain, gzipped(plain)}, [2][]byte{layerTar("p"), layerTar("p")})
	if _, err := w.pull(r.Ref("pulled:1"), ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []oci.Ref{ref("tagged:1"), r.Ref("pushed:1")} {
		if err := w.Tag(w.ctx, "loaded:1", name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.PushName(w.ctx, r.Ref("pushed:1"), PushOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Attach(w.ctx, img, Attachment{Type: "text/plain", Content: strings.NewReader("note")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Remove(w.ctx, string(img.ID), false, unused); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Prune(w.ctx, PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Collect(w.ctx, Roots{}); err != nil {
		t.Fatal(err)
	}
}

// TestKilledAnywhere kills the process at each of its failpoints; what it leaves must verify, hold no half-made image, and be
// clean after one collection; and the same work must then succeed.
func TestKilledAnywhere(t *testing.T) {
	for _, point := range points(t) {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := crashWork(t, dir, point); !killed(err) {
				t.Fatalf("the process was not killed there: %v", err)
			}
			w := openWorkshop(t, dir)
			w.recover()
			list, err := w.List(w.ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, img := range list {
				if img.Damaged != nil {
					t.Errorf("%s is listed and damaged: %v", img.ID, img.Damaged)
				}
			}
			w.healthy()
			w.clean()
			if err := crashWork(t, dir, ""); err != nil {
				t.Errorf("the same work again: %v", err)
			}
		})
	}
}

// recover does what opening an engine does: the claims of the dead are settled and the garbage is collected.
func (w *workshop) recover() {
	w.Helper()
	orphans, err := w.home.Orphans()
	if err != nil {
		w.Fatal(err)
	}
	for i := range orphans {
		if err := orphans[i].Settle(); err != nil {
			w.Error(err)
		}
	}
	if _, err := w.Collect(w.ctx, Roots{}); err != nil {
		w.Error(err)
	}
}

// clean fails if anything is on disk that no image refers to.
func (w *workshop) clean() {
	w.Helper()
	live, err := w.mark(Roots{})
	if err != nil {
		w.Fatal(err)
	}
	_ = w.blobs.Walk(func(d digest.Digest, _ int64) error {
		if !live.blobs[d] {
			w.Errorf("blob %s is left", d)
		}
		return nil
	})
	for _, dir := range []string{"tmp", "images"} {
		entries, err := os.ReadDir(filepath.Join(w.home.Root(), dir))
		if err != nil {
			w.Fatal(err)
		}
		for _, e := range entries {
			if !slices.Contains([]string{"oci-layout", "index.json", "blobs"}, e.Name()) {
				w.Errorf("%s/%s is left", dir, e.Name())
			}
		}
	}
}

// crashWork runs TestCrashWork, whose temporary folders are in one of t's: a process that is killed leaves them.
func crashWork(t *testing.T, dir, point string) error {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashWork$")
	cmd.Env = append(os.Environ(), crashHome+"="+dir, failpoint.Variable+"="+point, "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil && !killed(err) {
		return errors.Join(err, errors.New(string(out)))
	}
	return err
}

func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// points are all failpoints in the source of this package and of package blob.
func points(t *testing.T) []string {
	t.Helper()
	hit := regexp.MustCompile(`failpoint\.Hit\("([^"]+)"\)`)
	var names []string
	for _, pattern := range []string{"*.go", "../blob/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range hit.FindAllSubmatch(data, -1) {
				if !strings.HasPrefix(string(m[1]), "image.drop.") { // whose halves only a driver keeps: cmd/learn kills there
					names = append(names, string(m[1]))
				}
			}
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d failpoints found", len(names))
	}
	return names
}
