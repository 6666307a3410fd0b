//go:build linux

package bundle_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	// The test binary stands in for the engine's: its stages, and under the name of the runtime its command line, are this binary again.
	_ "github.com/learn-containers/learn/cmd/learn/boot"
	_ "github.com/learn-containers/learn/cmd/learn/boot/watch"
	"github.com/learn-containers/learn/engine/driver/linux/bundle"
)

// lab is a bundle with the programs of busybox, and a runtime with a state folder of its own.
type lab struct {
	t     testing.TB
	dir   string // the bundle
	state string
	spec  *specs.Spec
	env   []string // of the runtime
}

func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func newLab(t testing.TB) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		lacks(t, "containers of bundles need root here")
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		lacks(t, "busybox, statically linked, is not installed")
	}
	l := &lab{t: t, dir: t.TempDir(), state: t.TempDir()}
	must(t, os.Chmod(filepath.Dir(l.dir), 0o755))
	must(t, os.Chmod(l.dir, 0o755))
	bin := filepath.Join(l.dir, "rootfs", "bin")
	must(t, os.MkdirAll(bin, 0o755))
	copyFile(t, busybox, filepath.Join(bin, "busybox"))
	for _, name := range strings.Fields("sh cat id ls mount grep echo sleep kill stat touch hostname env ps true false mkdir uname mkfifo readlink cut tr wc rm tty dd date test") {
		must(t, os.Symlink("busybox", filepath.Join(bin, name)))
	}
	for _, name := range strings.Fields("proc sys dev etc tmp") {
		must(t, os.Mkdir(filepath.Join(l.dir, "rootfs", name), 0o755))
	}
	l.spec = bundle.Example(false, 0, 0)
	l.spec.Process.Terminal, l.spec.Root.Readonly, l.spec.Process.Rlimits = false, false, nil
	t.Cleanup(l.clear)
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, errors.Join(err, out.Close()))
}

func (l *lab) clear() {
	out, _ := l.command("list", "-q").Output()
	for _, id := range strings.Fields(string(out)) {
		_ = l.command("delete", "--force", id).Run()
	}
}

// command is one command of the runtime.
func (l *lab) command(words ...string) *exec.Cmd {
	self, err := os.Executable()
	must(l.t, err)
	cmd := exec.Command(self)
	cmd.Args = append([]string{"learn-runtime", "--root", l.state}, words...)
	cmd.Dir, cmd.Env = l.dir, append([]string{"PATH=/usr/bin:/bin"}, l.env...)
	return cmd
}

// config writes the config for a shell script.
func (l *lab) config(script string) {
	l.t.Helper()
	l.spec.Process.Args = []string{"/bin/sh", "-c", script}
	l.write()
}

func (l *lab) write() {
	l.t.Helper()
	data, err := json.Marshal(l.spec)
	must(l.t, err)
	must(l.t, os.WriteFile(filepath.Join(l.dir, "config.json"), data, 0o644))
}

// ok runs a command of the runtime, which has to succeed, and gives its output. Output goes through a file: a container may outlive it.
func (l *lab) ok(words ...string) string {
	l.t.Helper()
	out, err := l.try(words...)
	if err != nil {
		l.t.Fatalf("%v: %v\n%s", words, err, out)
	}
	return out
}

// fails is ok's opposite; the message has to hold want.
func (l *lab) fails(want string, words ...string) {
	l.t.Helper()
	out, err := l.try(words...)
	if err == nil {
		l.t.Errorf("%v: no error; output: %s", words, out)
	} else if !strings.Contains(out, want) {
		l.t.Errorf("%v: the message lacks %q: %s", words, want, out)
	}
}

func (l *lab) try(words ...string) (string, error) {
	f, err := os.CreateTemp(l.t.TempDir(), "out")
	must(l.t, err)
	defer f.Close()
	cmd := l.command(words...)
	cmd.Stdout, cmd.Stderr = f, f
	err = cmd.Run()
	data, rerr := os.ReadFile(f.Name())
	must(l.t, rerr)
	return string(bytes.TrimSpace(data)), err
}

// run runs a script in a container to its end and gives its output.
func (l *lab) run(script string) string {
	l.t.Helper()
	l.config(script)
	return l.ok("run", "c")
}

func (l *lab) runtimeState(id string) specs.State {
	l.t.Helper()
	var s specs.State
	must(l.t, json.Unmarshal([]byte(l.ok("state", id)), &s))
	return s
}

func (l *lab) status(id string) specs.ContainerState { return l.runtimeState(id).Status }

// mountAt adds a mount.
func (l *lab) mountAt(m specs.Mount) { l.spec.Mounts = append(l.spec.Mounts, m) }

// file writes a file of the root.
func (l *lab) file(name, content string, mode os.FileMode) {
	l.t.Helper()
	p := filepath.Join(l.dir, "rootfs", name)
	must(l.t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(l.t, os.WriteFile(p, []byte(content), mode))
	must(l.t, os.Chmod(p, mode))
}
