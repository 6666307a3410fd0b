package image

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// tool runs a program of another maker. Where it isn't installed the test is skipped, but not in continuous integration.
func tool(t *testing.T, argv ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", argv[0])
		}
		t.Skipf("%s is not installed", argv[0])
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, errs.Bytes())
	}
	return out
}

// skopeo runs skopeo with a policy that accepts everything.
func skopeo(t *testing.T, args ...string) []byte {
	t.Helper()
	return tool(t, append([]string{"skopeo", "--insecure-policy"}, args...)...)
}

func TestSkopeoReadsTheStoreAsItIs(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a", "b"}, "debian:12", "learn/base")
	for _, name := range []string{"debian:12", "learn/base:latest"} {
		var got struct {
			Digest digest.Digest
			Layers []digest.Digest
		}
		if err := json.Unmarshal(skopeo(t, "inspect", "oci:"+w.home.Images()+":"+name), &got); err != nil {
			t.Fatal(err)
		}
		if got.Digest != img.Manifest.Digest || len(got.Layers) != 2 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestUmociReadsTheStoreAsItIs(t *testing.T) {
	w := newWorkshop(t)
	w.make([]string{"a", "b"}, "busybox:1")
	out := tool(t, "umoci", "list", "--layout", w.home.Images())
	if !slices.Contains(strings.Fields(string(out)), "busybox:1") {
		t.Errorf("umoci lists %q", out)
	}
	tool(t, "umoci", "stat", "--image", w.home.Images()+":busybox:1")
}

// TestSkopeoRoundTrips: archives go both ways, in each format, and keep configs and layers.
func TestSkopeoRoundTrips(t *testing.T) {
	w := newWorkshop(t)
	img := w.make([]string{"a", "b"}, "debian:12")
	dir := t.TempDir()
	from := "oci:" + w.home.Images() + ":debian:12"
	for _, kind := range []string{"docker-archive", "oci-archive"} {
		theirs := filepath.Join(dir, kind+".tar")
		skopeo(t, "copy", from, kind+":"+theirs+":debian:12")
		other := newWorkshop(t)
		got := other.loadFile(theirs)
		if !slices.Equal(got.DiffIDs(), img.DiffIDs()) || !slices.Contains(other.names(got), "debian:12") {
			t.Errorf("from %s: %v %v", kind, got.DiffIDs(), got.Refs)
		}
		if kind == "oci-archive" && got.ID != img.ID {
			t.Errorf("from %s: id %s, want %s", kind, got.ID, img.ID)
		}
		other.healthy()
		ours := filepath.Join(dir, "ours-"+kind+".tar")
		w.saveFile(ours, "debian:12", strings.TrimSuffix(kind, "-archive"))
		var config oci.Image
		if err := json.Unmarshal(skopeo(t, "inspect", "--config", kind+":"+ours+":debian:12"), &config); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(config.RootFS.DiffIDs, img.DiffIDs()) {
			t.Errorf("to %s: %v", kind, config.RootFS.DiffIDs)
		}
		skopeo(t, "copy", kind+":"+ours+":debian:12", "dir:"+filepath.Join(dir, "dir-"+kind))
	}
}

func (w *workshop) loadFile(name string) Image {
	w.Helper()
	f, err := os.Open(name)
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	loaded, err := w.Load(w.ctx, f, name)
	if err != nil {
		w.Fatal(err)
	}
	img, err := w.Resolve(w.ctx, string(loaded[0].Image.ID))
	if err != nil {
		w.Fatal(err)
	}
	return img
}

func (w *workshop) saveFile(name, image, format string) {
	w.Helper()
	f, err := os.Create(name)
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	if err := w.Save(w.ctx, f, []string{image}, format); err != nil {
		w.Fatal(err)
	}
}
