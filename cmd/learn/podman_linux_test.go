package main

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// podman is a podman with stores of its own that runs its containers by this program.
type podman struct {
	t       *testing.T
	dir     string
	runtime string
}

func newPodman(t *testing.T) *podman {
	t.Helper()
	needRoot(t)
	for _, program := range []string{"podman", "conmon"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks(t, program+" is not installed")
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &podman{t: t, dir: t.TempDir()}
	p.runtime = filepath.Join(p.dir, "learn-runtime")
	if err := os.Symlink(self, p.runtime); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"storage.conf": "[storage]\ndriver = \"vfs\"\ngraphroot = \"" + p.dir + "/root\"\nrunroot = \"" + p.dir + "/run\"\n", "containers.conf": "[containers]\ndefault_ulimits = []\n"} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = p.try("rm", "--all", "--force", "--time", "0") })
	return p
}

func (p *podman) try(words ...string) (string, int) {
	at := func(name string) string { return filepath.Join(p.dir, name) }
	cmd := exec.Command("podman", append([]string{"--root", at("root"), "--runroot", at("run"), "--tmpdir", at("tmp"), "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
		"--events-backend", "file", "--runtime", p.runtime}, words...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "CONTAINERS_CONF=" + at("containers.conf"), "CONTAINERS_STORAGE_CONF=" + at("storage.conf")}
	cmd.WaitDelay = 30 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run()
	var lines []string
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, "level=warning") { // of plugins that this podman has not
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "")), cmd.ProcessState.ExitCode()
}

func (p *podman) ok(words ...string) string {
	p.t.Helper()
	out, code := p.try(words...)
	if code != 0 {
		p.t.Fatalf("podman %s: exit code %d\n%s", strings.Join(words, " "), code, out)
	}
	return out
}

// image imports busybox as the image box.
func (p *podman) image() {
	p.t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		lacks(p.t, "busybox, statically linked, is not installed")
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		p.t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h *tar.Header, data []byte) {
		h.Size = int64(len(data))
		if err := w.WriteHeader(h); err != nil {
			p.t.Fatal(err)
		}
		_, _ = w.Write(data)
	}
	add(&tar.Header{Name: "bin/busybox", Mode: 0o755, Typeflag: tar.TypeReg}, program)
	for _, name := range []string{"sh", "cat", "echo", "id", "sleep", "touch", "tty", "true"} {
		add(&tar.Header{Name: "bin/" + name, Linkname: "busybox", Typeflag: tar.TypeSymlink}, nil)
	}
	_ = w.Close()
	archive := filepath.Join(p.dir, "box.tar")
	if err := os.WriteFile(archive, b.Bytes(), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.ok("import", archive, "box")
}

// podman drives this program as any other OCI runtime.
func TestPodman(t *testing.T) {
	p := newPodman(t)
	p.image()
	run := func(words ...string) (string, int) {
		return p.try(append([]string{"run", "--rm", "--network", "none", "--ulimit", "host"}, words...)...)
	}
	for _, c := range []struct {
		words []string
		code  int
		want  string
	}{
		{[]string{"box", "sh", "-c", "echo hello; id -u; exit 7"}, 7, "hello\n0"},
		{[]string{"-u", "5:6", "--read-only", "--tmpfs", "/t", "-w", "/t", "box", "sh", "-c", "touch /t/x && id -u; touch /x 2>/dev/null || echo sealed"}, 0, "5\nsealed"},
		{[]string{"-t", "box", "tty"}, 0, "/dev/pts/0"},
		{[]string{"--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000", "box", "cat", "/proc/self/uid_map"}, 0, "0     100000       1000"},
		{[]string{"box", "nosuch"}, 127, "not found"},
		{[]string{"box", "/proc"}, 126, "is a directory"},
	} {
		out, code := run(c.words...)
		if code != c.code || !strings.Contains(strings.ReplaceAll(out, "\r", ""), c.want) {
			t.Errorf("run %s: exit code %d, want %d; output %q, want %q in it", strings.Join(c.words, " "), code, c.code, out, c.want)
		}
	}
	p.ok("run", "-d", "--name", "c", "--network", "none", "--ulimit", "host", "--memory", "64m", "box", "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done")
	if out, code := p.try("exec", "c", "sh", "-c", "echo in; exit 4"); code != 4 || out != "in" {
		t.Errorf("exec: exit code %d, %q", code, out)
	}
	p.ok("pause", "c")
	if got := p.ok("inspect", "-f", "{{.State.Status}}", "c"); got != "paused" {
		t.Errorf("after pause: %s", got)
	}
	p.ok("unpause", "c")
	p.ok("stop", "--time", "60", "c")
	if got := p.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "c"); got != "exited 3" {
		t.Errorf("after stop: %s", got)
	}
	if got := p.ok("logs", "c"); got != "up" {
		t.Errorf("logs: %q", got)
	}
	p.ok("start", "c")
	p.ok("rm", "--force", "--time", "0", "c")
}
