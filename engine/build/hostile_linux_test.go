package build_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/driver/drivertest"
)

// canary is a folder outside every container with one file, an empty one, and one folder. It fails the test if anything of it changes.
func canary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "b/c"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "ptmx"), nil, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "b/secret"), []byte("outside"), 0o600))
	before := listing(t, dir)
	t.Cleanup(func() {
		if after := listing(t, dir); after != before {
			t.Errorf("outside the container changed:\n%s\nwas\n%s", after, before)
		}
	})
	return dir
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	check(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		b.WriteString(fi.Mode().String() + " " + fi.ModTime().String() + " " + p + "\n")
		return nil
	}))
	return b.String()
}

// TestMountTargetsThatMove lets a command put a link to a folder of the host in place of the parent of what was made to mount on
// (CVE-2024-23652): nothing may be made or removed there, and the layer holds what the command did and nothing else.
func TestMountTargetsThatMove(t *testing.T) {
	k := newKernel(t)
	dir := canary(t)
	res, err := k.build(context.Background(), "FROM bb\nRUN --mount=type=tmpfs,target=/a/b/c --mount=type=tmpfs,target=/d/ptmx busybox mv /a /was; busybox rm -rf /a; busybox ln -s "+dir+" /a; busybox mv /d /gone; busybox rm -rf /d; busybox ln -s "+dir+" /d; true\n")
	if err != nil {
		t.Fatalf("%v\n%s", err, k.out.String())
	}
	k.clean()
	if n := len(res.Image.Layers); n != 2 {
		t.Errorf("the image has %d layers, want the base's and one", n)
	}
}

// TestMountSourcesThatLeadOut has sources that are links to the root, and to a folder of the host (CVE-2024-1753).
func TestMountSourcesThatLeadOut(t *testing.T) {
	k := newKernel(t)
	dir := canary(t)
	_, err := k.build(context.Background(), "FROM bb AS evil\nRUN busybox mkdir /mine && busybox ln -s / /root-link && busybox ln -s "+dir+" /host-link && busybox touch /inside\n"+
		"FROM bb\nRUN --mount=type=bind,from=evil,source=/root-link,target=/m,rw busybox test -e /m/inside && busybox touch /m/written\n")
	if err != nil {
		t.Fatalf("a link to / stays in the stage: %v\n%s", err, k.out.String())
	}
	_, err = k.build(context.Background(), "FROM bb AS evil\nRUN busybox ln -s "+dir+" /host-link\nFROM bb\nRUN --mount=type=bind,from=evil,source=/host-link,target=/m,rw busybox ls /m/b\n")
	if err == nil || !strings.Contains(err.Error(), "/host-link") {
		t.Errorf("a link to the host's %s: %v, want an error that names it\n%s", dir, err, k.out.String())
	}
	k.write("inside", "x")
	check(t, os.Symlink(dir, filepath.Join(k.dir, "link")))
	_, err = k.build(context.Background(), "FROM bb\nRUN --mount=type=bind,source=link,target=/m busybox ls /m/b\n")
	if err == nil {
		t.Errorf("a link in the context to the host's %s can be mounted:\n%s", dir, k.out.String())
	}
	k.clean()
}

// TestMountedFilesStayOutOfTheLayer looks for what was seen through mounts in the layer of the step (CVE-2025-4953).
func TestMountedFilesStayOutOfTheLayer(t *testing.T) {
	k := newKernel(t)
	k.write("part/marker-in-context", "marker of the context\n")
	res, err := k.build(context.Background(), "FROM bb AS other\nRUN echo marker of the stage >/marker-in-stage\n"+
		"FROM bb\nRUN --mount=target=/x,source=part --mount=from=other,target=/y,rw busybox cat /x/marker-in-context /y/marker-in-stage && echo more >>/y/marker-in-stage && busybox touch /own\n")
	if err != nil {
		t.Fatalf("%v\n%s", err, k.out.String())
	}
	last := res.Image.Layers[len(res.Image.Layers)-1]
	text, err := os.ReadFile(filepath.Join(k.home.Images(), "blobs/sha256", last.DiffID.Encoded()))
	check(t, err)
	if strings.Contains(string(text), "marker") || !strings.Contains(string(text), "own") {
		t.Errorf("the layer holds %q", text)
	}
}

// TestWorkdirOfADescriptor asks for the folders that the engine's own descriptors might be open on (CVE-2024-21626): wherever such a folder
// leads, the host can't be reached from it.
func TestWorkdirOfADescriptor(t *testing.T) {
	k := newKernel(t)
	dir := canary(t)
	for n := range 12 {
		_, err := k.build(context.Background(), fmt.Sprintf("FROM bb\nWORKDIR /proc/self/fd/%d\nRUN if busybox test -e ../../../../../../../..%s/b/secret; then exit 42; fi\n", n, dir))
		var failed *build.RunError
		if errors.As(err, &failed) && failed.Code == 42 {
			t.Errorf("descriptor %d leads to the host", n)
		}
	}
	k.clean()
}

// TestStagesThatRace lets one stage swap a folder of a cache for a link to the host while stages beside it mount that very folder
// (CVE-2024-11218, CVE-2024-9675). A mount may fail; what lies outside must not be reached.
func TestStagesThatRace(t *testing.T) {
	k := newKernel(t)
	k.builder.Folders = k.snapshots
	dir := canary(t)
	var text strings.Builder
	fmt.Fprintf(&text, "FROM bb AS evil\nRUN --mount=type=cache,id=x,target=/c i=0; while busybox test $i -lt 150; do busybox rm -rf /c/a; busybox ln -s %s /c/a; busybox rm -f /c/a; busybox mkdir -p /c/a; i=$((i+1)); done\n", dir)
	for i := range 4 {
		fmt.Fprintf(&text, "FROM bb AS v%d\nRUN --mount=type=cache,id=x,source=a,target=/m busybox touch /m/written%d /m/b/written; if busybox test -e /m/b/secret; then exit 42; fi; true\n", i, i)
	}
	text.WriteString("FROM bb\nCOPY --from=evil /etc/passwd /e\n")
	for i := range 4 {
		fmt.Fprintf(&text, "COPY --from=v%d /etc/passwd /p%d\n", i, i)
	}
	worked, rounds := 0, drivertest.Times(4, 10)
	if testing.Short() {
		rounds = 2 // what races is programs in containers
	}
	for range rounds {
		k.write("Dockerfile", text.String())
		_, err := k.builder.Build(context.Background(), build.Options{ContextDir: k.dir, NoCache: true, Offline: true})
		var failed *build.RunError
		if errors.As(err, &failed) && failed.Code == 42 {
			t.Fatal("a step sees the host through the mount")
		}
		if err == nil {
			worked++
		}
	}
	k.clean()
	t.Logf("%d of %d builds found a folder each time", worked, rounds)
}
