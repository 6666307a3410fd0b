package sim

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/trace"
)

const patience = 20 * time.Second

// lab is a home with one read-only layer that holds learn's programs.
type lab struct {
	*Driver
	home   *home.Home
	base   digest.Digest
	serial atomic.Int64
}

// bothPlaces runs a test with containers in this process and in supervisors.
func bothPlaces(t *testing.T, test func(t *testing.T, l *lab)) {
	for name, inProcess := range map[string]bool{"in process": true, "supervisor": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newLab(t, inProcess))
		})
	}
}

func newLab(t testing.TB, inProcess bool) *lab {
	t.Helper()
	h, err := home.Open(filepath.Join(t.TempDir(), "home"))
	must(t, err)
	l := openLab(t, h, inProcess)
	data := baseTar(t)
	l.base = digest.FromBytes(data)
	must(t, l.Layers.Apply(t.Context(), l.base, "", l.base, bytes.NewReader(data)))
	return l
}

// openLab is what a further command on the same home has.
func openLab(t testing.TB, h *home.Home, inProcess bool) *lab {
	t.Helper()
	d, err := Open(h, Options{InProcess: inProcess})
	must(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return &lab{Driver: d, home: h}
}

func baseTar(t testing.TB) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(h tar.Header, content string) {
		h.Size, h.Format = int64(len(content)), tar.FormatPAX
		must(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, content)
		must(t, err)
	}
	for _, d := range []string{"bin/", "etc/", "tmp/", "sub/"} {
		mode := int64(0o755)
		if d == "tmp/" {
			mode = 0o1777
		}
		add(tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: mode}, "")
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/learn", Mode: 0o755}, "#!learn\n")
	for _, name := range userland.Names() {
		if name != "learn" {
			add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "learn", Mode: 0o777}, "")
		}
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/broken", Mode: 0o755}, "no program")
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, "root:x:0:0::/:/bin/sh\n")
	must(t, w.Close())
	return buf.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within %v", what, patience)
}

// spec is a container that runs args and may be changed by the test before it is created.
func (l *lab) spec(t testing.TB, args ...string) driver.Spec {
	t.Helper()
	id := fmt.Sprintf("%s%06d", digest.FromString(t.Name()).Encoded()[:12], l.serial.Add(1))
	dir := filepath.Join(l.home.Containers(), id)
	must(t, os.MkdirAll(dir, 0o700))
	must(t, l.Snapshots.PrepareVolatile(t.Context(), id, l.base))
	return driver.Spec{ID: id, Dir: dir, Key: id, Hostname: "lab", Ephemeral: true,
		Process: driver.Process{Args: args, Env: []string{"PATH=/bin"}, Cwd: "/"}}
}

// create makes the task and sees to it that it is gone when the test ends.
func (l *lab) create(t testing.TB, spec driver.Spec) *task {
	t.Helper()
	tk, err := l.Runtime.Create(t.Context(), spec)
	must(t, err)
	t.Cleanup(func() {
		if err := tk.Delete(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tk.(*task)
}

func limited(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// run runs a container to its end and gives what it printed.
func (l *lab) run(t testing.TB, spec driver.Spec) (string, driver.Exit) {
	t.Helper()
	return l.runIn(t, limited(t), spec)
}

func (l *lab) runIn(t testing.TB, ctx context.Context, spec driver.Spec) (string, driver.Exit) {
	t.Helper()
	tk := l.create(t, spec)
	var out buffer
	must(t, tk.Start(ctx, driver.Streams{Stdout: &out, Stderr: &out}))
	exit, err := tk.Wait(ctx)
	must(t, err)
	return out.String(), exit
}

func (l *lab) sh(t testing.TB, script string) (string, driver.Exit) {
	t.Helper()
	return l.run(t, l.spec(t, "sh", "-c", script))
}

// background starts a container that nobody listens to.
func (l *lab) background(t testing.TB, script string) *task {
	t.Helper()
	tk := l.create(t, l.spec(t, "sh", "-c", script))
	must(t, tk.Start(limited(t), driver.Streams{}))
	return tk
}

// buffer is a bytes.Buffer for two writers.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// traced records the events of what is done with the context.
func traced(ctx context.Context) (context.Context, *trace.Collect) {
	c := &trace.Collect{}
	return trace.With(ctx, trace.New(c)), c
}

func kinds(c *trace.Collect) []string {
	var list []string
	for _, e := range c.Events() {
		list = append(list, e.Kind)
	}
	return list
}

func isNotRunning(err error) bool { return errors.Is(err, driver.ErrNotRunning) }
