//go:build linux

package bundle_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// wait looks until it is so.
func wait(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come to: %s", what)
		}
	}
}

// The table of runtime.md: every operation in every state.
func TestLifecycle(t *testing.T) {
	l := newLab(t)
	l.config("echo ran >/ran; exec sleep 1000")
	l.fails("does not exist", "state", "c")
	l.fails("does not exist", "start", "c")
	l.fails("does not exist", "kill", "c", "KILL")
	l.fails("does not exist", "delete", "c")
	l.ok("delete", "--force", "c")

	pidFile := filepath.Join(t.TempDir(), "pid")
	l.ok("create", "--pid-file", pidFile, "c")
	s := l.runtimeState("c")
	if s.Status != specs.StateCreated || s.ID != "c" || s.Bundle != l.dir || s.Pid <= 1 {
		t.Errorf("state after create: %+v", s)
	}
	if pid, _ := os.ReadFile(pidFile); string(pid) != strconv.Itoa(s.Pid) {
		t.Errorf("pid file: %q, pid %d", pid, s.Pid)
	}
	ran := filepath.Join(l.dir, "rootfs", "ran")
	if _, err := os.Stat(ran); err == nil {
		t.Error("the program ran before start")
	}
	l.fails("exists already", "create", "c")
	l.fails("not stopped", "delete", "c")
	must(t, os.Remove(filepath.Join(l.dir, "config.json"))) // no later change counts

	l.ok("start", "c")
	wait(t, "the program runs", func() bool { _, err := os.Stat(ran); return err == nil })
	if got := l.status("c"); got != specs.StateRunning {
		t.Errorf("after start: %s", got)
	}
	l.fails("not created", "start", "c")
	l.fails("not stopped", "delete", "c")
	if got := l.status("c"); got != specs.StateRunning {
		t.Errorf("after operations that must have no effect: %s", got)
	}

	l.ok("pause", "c")
	if got := l.status("c"); got != "paused" {
		t.Errorf("after pause: %s", got)
	}
	l.fails("paused", "exec", "c", "true")
	l.ok("resume", "c")
	l.fails("no such signal", "kill", "c", "NOSUCH")
	l.ok("kill", "c", "SIGKILL")
	wait(t, "it is stopped", func() bool { return l.status("c") == specs.StateStopped })
	l.fails("not running", "kill", "c", "TERM")
	l.fails("not created", "start", "c")
	l.ok("delete", "c")
	l.fails("does not exist", "state", "c")
	for _, h := range []string{"memory", "pids", "unified", ""} {
		if _, err := os.Stat(filepath.Join("/sys/fs/cgroup", h, "learn-runtime", "c")); err == nil {
			t.Errorf("the control group in %q is left", h)
		}
	}
}

func TestExitCodes(t *testing.T) {
	l := newLab(t)
	for script, want := range map[string]int{"exit 7": 7, "kill -TERM $$; exit 1": 1, "exit 0": 0} {
		l.config(script)
		cmd := l.command("run", "c")
		_ = cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("%s: %d", script, got)
		}
	}
	l.config("sleep 1000")
	l.ok("run", "-d", "c")
	for _, c := range []struct {
		words []string
		want  int
	}{{[]string{"sh", "-c", "exit 5"}, 5}, {[]string{"nosuch"}, 127}, {[]string{"/etc"}, 126}, {[]string{"sh", "-c", "kill -KILL $$"}, 137}} {
		cmd := l.command(append([]string{"exec", "c"}, c.words...)...)
		_ = cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != c.want {
			t.Errorf("exec %v: %d, want %d", c.words, got, c.want)
		}
	}
	l.spec.Process.Args = []string{"nosuch"}
	l.write()
	l.fails("executable file not found in $PATH", "create", "d")
	l.fails("does not exist", "state", "d")
}

// The options that conmon gives, and what an exec shares with the container.
func TestExec(t *testing.T) {
	l := newLab(t)
	l.config("sleep 1000")
	l.ok("run", "-d", "c")
	if got := l.ok("exec", "-e", "A=b", "--cwd", "/tmp", "-u", "5:6", "c", "sh", "-c", "echo $A; readlink /proc/self/cwd; id -u; id -g; hostname; cat /proc/1/cmdline | tr '\\0' ' '"); got != "b\n/tmp\n5\n6\nlearn\nsleep 1000" {
		t.Errorf("exec: %q", got)
	}
	group := "cut -d: -f2,3 /proc/self/cgroup"
	if a, b := l.ok("exec", "c", "sh", "-c", group), l.ok("exec", "c", "sh", "-c", "cut -d: -f2,3 /proc/1/cgroup"); a != b {
		t.Errorf("control groups of exec %q, of the first process %q", a, b)
	}
	process := filepath.Join(t.TempDir(), "process.json")
	must(t, os.WriteFile(process, []byte(`{"user":{"uid":0,"gid":0},"args":["sh","-c","echo from file; exec sleep 1000"],"env":["PATH=/bin"],"cwd":"/"}`), 0o600))
	pidFile := filepath.Join(t.TempDir(), "pid")
	l.ok("exec", "--process", process, "--pid-file", pidFile, "--detach", "c")
	pid, err := os.ReadFile(pidFile)
	must(t, err)
	if got := l.ok("ps", "--format", "json", "c"); !strings.Contains(got, string(pid)) {
		t.Errorf("ps does not list %s: %s", pid, got)
	}
}

func TestUpdate(t *testing.T) {
	l := newLab(t)
	limit := int64(64 << 20)
	l.spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
	l.config("sleep 1000")
	l.ok("run", "-d", "c")
	read := func() string {
		for _, f := range []string{"/sys/fs/cgroup/memory/learn-runtime/c/memory.limit_in_bytes", "/sys/fs/cgroup/learn-runtime/c/memory.max"} {
			if data, err := os.ReadFile(f); err == nil {
				return strings.TrimSpace(string(data))
			}
		}
		return "none"
	}
	if got := read(); got != "67108864" {
		t.Errorf("limit: %s", got)
	}
	cmd := l.command("update", "--resources", "-", "c")
	cmd.Stdin = strings.NewReader(`{"memory":{"limit":33554432}}`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := read(); got != "33554432" {
		t.Errorf("limit after update: %s", got)
	}
}
