//go:build linux

package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/home"
)

// lab is a home with one read-only layer that holds busybox.
type lab struct {
	*Snapshots // for folders and trees; the root of a container is the lab's own affair
	home       *home.Home
	mode       Mode
	lower      string
	runtime    *Runtime
	n          int
}

// RootMount implements rootMounter with plain folders.
func (l *lab) RootMount(key string) ([]string, string, string, []digest.Digest, error) {
	dir := filepath.Join(l.home.Snapshots(), key)
	for _, d := range []string{dir, dir + "/upper", dir + "/work"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, "", "", nil, err
		}
	}
	return []string{l.lower}, dir + "/upper", dir + "/work", []digest.Digest{digest.FromString("busybox")}, nil
}

func newLab(t testing.TB) *lab {
	t.Helper()
	mode := Detect()
	if mode.NeedsReexec {
		lacks(t, "needs root, or a user namespace around it (unshare -Ur)")
	}
	busybox, err := os.ReadFile("/usr/bin/busybox")
	if err != nil {
		lacks(t, "needs /usr/bin/busybox, statically linked (Debian: busybox-static)")
	}
	h, err := home.Open(filepath.Join(t.TempDir(), "home"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{home: h, mode: mode, lower: filepath.Join(h.Snapshots(), "busybox")}
	l.Snapshots = NewSnapshots(h, mode, NewLayers(h, mode))
	l.runtime = NewRuntime(h, mode, l)
	must(t, os.MkdirAll(l.lower+"/bin", 0o755))
	must(t, os.MkdirAll(l.lower+"/etc", 0o755))
	must(t, os.MkdirAll(l.lower+"/tmp", 0o1777))
	must(t, os.WriteFile(l.lower+"/bin/busybox", busybox, 0o755))
	must(t, os.WriteFile(l.lower+"/bin/broken", []byte("no program"), 0o755))
	must(t, os.WriteFile(l.lower+"/etc/passwd", []byte("root:x:0:0::/:/bin/sh\n"), 0o644))
	for _, name := range []string{"sh", "true", "cat", "ls", "id", "sleep", "echo", "grep", "mount", "unshare", "hostname", "ps",
		"stat", "mknod", "wc", "seq", "tr", "dd", "head", "pwd", "readlink", "kill", "touch", "stty", "env", "chmod", "yes", "tail"} {
		must(t, os.Symlink("busybox", l.lower+"/bin/"+name))
	}
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// spec is a container that runs args and may be changed by the test before it is created.
func (l *lab) spec(t testing.TB, args ...string) driver.Spec {
	t.Helper()
	l.n++
	id := fmt.Sprintf("%s%04d", digest.FromString(t.Name() + fmt.Sprint(os.Getpid())).Encoded()[:12], l.n)
	dir := filepath.Join(l.home.Containers(), id)
	must(t, os.MkdirAll(dir, 0o700))
	return driver.Spec{ID: id, Dir: dir, Key: id, Hostname: "lab", Ephemeral: true,
		Process: driver.Process{Args: args, Env: []string{"PATH=/bin"}, Cwd: "/"}}
}

// create makes the task and sees to it that it is gone when the test ends.
func (l *lab) create(t testing.TB, spec driver.Spec) driver.Task {
	t.Helper()
	tk, err := l.runtime.Create(context.Background(), spec)
	must(t, err)
	t.Cleanup(func() {
		if err := tk.Delete(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tk
}

// run runs a container to its end and gives what it printed.
func (l *lab) run(t testing.TB, spec driver.Spec) (out string, exit driver.Exit) {
	t.Helper()
	tk := l.create(t, spec)
	var buf bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), drivertest.Patience())
	defer cancel()
	must(t, tk.Start(ctx, driver.Streams{Stdout: &buf, Stderr: &buf}))
	exit, err := tk.Wait(ctx)
	must(t, err)
	return buf.String(), exit
}

func (l *lab) sh(t testing.TB, script string) (string, driver.Exit) {
	t.Helper()
	return l.run(t, l.spec(t, "sh", "-c", script))
}

func TestRunPrintsAndExits(t *testing.T) {
	l := newLab(t)
	out, exit := l.sh(t, "echo out; echo err >&2; exit 7")
	if exit.Code != 7 || exit.Signal != 0 {
		t.Errorf("exit = %+v, want code 7", exit)
	}
	if !strings.Contains(out, "out\n") || !strings.Contains(out, "err\n") {
		t.Errorf("output = %q", out)
	}
}

func TestCommandErrors(t *testing.T) {
	l := newLab(t)
	for _, tc := range []struct {
		arg  string
		code int
		msg  string
	}{
		{"foo", 127, `exec: "foo": executable file not found in $PATH`},
		{"/x", 127, `exec: "/x": stat /x: no such file or directory`},
		{"/etc/passwd", 126, `exec: "/etc/passwd": permission denied`},
		{"/bin/broken", 126, `exec /bin/broken: exec format error`},
	} {
		t.Run(tc.arg, func(t *testing.T) {
			tk := l.create(t, l.spec(t, tc.arg))
			err := tk.Start(context.Background(), driver.Streams{})
			var cmd *driver.CommandError
			if !errors.As(err, &cmd) || cmd.Code != tc.code || cmd.Msg != tc.msg {
				t.Errorf("error = %v, want %d %s", err, tc.code, tc.msg)
			}
			if st, err := tk.Status(context.Background()); err != nil || st.State != driver.Ready {
				t.Errorf("status = %+v, %v, want ready", st, err)
			}
		})
	}
}
