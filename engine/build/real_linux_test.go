package build_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/driver/linux"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/linux/uplink"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
)

// TestMain lets the test binary stand in for the engine's: its supervisors and stages are this binary again.
func TestMain(m *testing.M) {
	if stage, ok := os.LookupEnv(shim.StageVariable); ok {
		uplink.Main(stage)
	}
	if root := os.Getenv(crashHome); root != "" {
		os.Exit(buildHere(root, os.Getenv(crashContext)))
	}
	os.Exit(m.Run())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// kernel is a builder on the real driver, with an image bb that holds busybox.
type kernel struct {
	t         *testing.T
	home      *home.Home
	images    *image.Store
	snapshots *linux.Snapshots
	builder   *build.Builder
	dir       string
	out       bytes.Buffer
}

func newKernel(t *testing.T) *kernel {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil || os.Getuid() != 0 {
		lacks(t, "needs root and a static /bin/busybox")
	}
	h, err := home.Open(t.TempDir())
	check(t, err)
	k := &kernel{t: t, home: h, dir: t.TempDir()}
	check(t, k.open())
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	file := func(h tar.Header, data []byte) {
		h.Size = int64(len(data))
		check(t, w.WriteHeader(&h))
		_, err := w.Write(data)
		check(t, err)
	}
	for _, d := range []string{"usr/", "usr/bin/", "etc/", "tmp/"} {
		file(tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755}, nil)
	}
	file(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin", Linkname: "usr/bin", Mode: 0o777}, nil)
	file(tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/busybox", Mode: 0o755}, busybox)
	for _, p := range []string{"sh", "id", "cat", "ls", "rm", "sleep", "hostname", "env", "stat"} {
		file(tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/" + p, Linkname: "busybox", Mode: 0o777}, nil)
	}
	file(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"))
	check(t, w.Close())
	ref, err := oci.ParseRef("bb")
	check(t, err)
	_, err = k.images.Import(context.Background(), &b, "-", image.ImportOptions{Ref: &ref})
	check(t, err)
	return k
}

func (k *kernel) write(name, text string) {
	k.t.Helper()
	p := filepath.Join(k.dir, name)
	check(k.t, os.MkdirAll(filepath.Dir(p), 0o755))
	check(k.t, os.WriteFile(p, []byte(text), 0o644))
}

func (k *kernel) build(ctx context.Context, dockerfile string) (build.Result, error) {
	k.t.Helper()
	k.write("Dockerfile", dockerfile)
	k.out.Reset()
	return k.builder.Build(ctx, build.Options{ContextDir: k.dir, Progress: build.NewPlain(&k.out)})
}

// clean checks that a build left nothing under way.
func (k *kernel) clean() {
	k.t.Helper()
	for _, dir := range []string{k.home.Containers(), filepath.Join(k.home.Root(), "tmp")} {
		entries, err := os.ReadDir(dir)
		check(k.t, err)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "build-") || strings.HasPrefix(e.Name(), "op-") {
				k.t.Errorf("%s is left in %s", e.Name(), dir)
			}
		}
	}
	keys, err := k.snapshots.List(context.Background())
	check(k.t, err)
	if len(keys) != 0 {
		k.t.Errorf("writable layers are left: %v", keys)
	}
}

func TestRealBuild(t *testing.T) {
	k := newKernel(t)
	const df = `FROM bb AS made
RUN echo made > /made; hostname; id -u
FROM bb
ENV GREETING=hello
WORKDIR /app
COPY --chown=app src /bin/src
COPY --from=made /made .
USER app
RUN cat made /bin/src/a; echo "$GREETING $HOME"; id; stat -c %U:%a /bin/src/a
USER root
RUN rm /etc/passwd
`
	k.write("src/a", "content\n")
	first, err := k.build(context.Background(), df)
	if err != nil {
		t.Fatalf("%v\n%s", err, k.out.String())
	}
	for _, want := range []string{"buildkitsandbox\n", " made\n", " content\n", " hello /home/app\n", " uid=1000(app) gid=1000", " app:644\n"} {
		if !strings.Contains(k.out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, k.out.String())
		}
	}
	check(t, os.Chtimes(filepath.Join(k.dir, "src/a"), time.Now(), time.Unix(1, 0)))
	second, err := k.build(context.Background(), df)
	check(t, err)
	if second.Misses != 0 || second.Image.ID != first.Image.ID {
		t.Errorf("touched: %d misses, image %s, want none and %s", second.Misses, second.Image.ID, first.Image.ID)
	}
	k.write("src/a", "other\n")
	third, err := k.build(context.Background(), df)
	check(t, err)
	if third.Hits != 2 || third.Misses != 4 {
		t.Errorf("one file changed: %d hits, %d misses, want 2 and 4", third.Hits, third.Misses)
	}
	k.clean()
	tree, err := k.snapshots.OpenChain(context.Background(), third.Image.Layers[len(third.Image.Layers)-1].ChainID)
	check(t, err)
	defer tree.Close()
	if _, err := tree.Stat("/etc/passwd"); err == nil {
		t.Error("/etc/passwd was removed by the last RUN and is there")
	}
	if _, err := tree.Stat("/usr/bin/src/a"); err != nil {
		t.Errorf("COPY through the link /bin: %v", err)
	}
}

func TestRealBuildFailsCleanly(t *testing.T) {
	k := newKernel(t)
	_, err := k.build(context.Background(), "FROM bb\nRUN exit 3\n")
	var run *build.RunError
	if !errors.As(err, &run) || run.Code != 3 {
		t.Errorf("error %v, want a RunError with code 3", err)
	}
	if _, err = k.build(context.Background(), "FROM bb\nRUN [\"/nope\"]\n"); !errors.As(err, &run) || run.Code != 127 {
		t.Errorf("error %v, want a RunError with code 127", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if _, err = k.build(ctx, "FROM bb\nRUN sleep 60\n"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled build: %v", err)
	}
	k.clean()
}

// lacks skips a test for what the machine does not have or allow; under CI, where it must, that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
