//go:build linux

package linux

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// A supervisor that is killed together with its home's records leaves an empty group, which the next container's end sweeps away.
func TestDeadControlGroupsAreFoundAndSwept(t *testing.T) {
	l := newLab(t)
	if l.mode.Rootless {
		lacks(t, "needs control groups that may be written (root)")
	}
	spec := l.spec(t, "sleep", "1000")
	spec.Limits.MemoryBytes = 64 << 20
	tk, err := l.runtime.Create(t.Context(), spec)
	must(t, err)
	must(t, tk.Start(t.Context(), driver.Streams{}))
	rec, _ := shim.ReadRecord(spec.Dir)
	if got := l.runtime.Leaks(t.Context()); len(got) != 1 || !strings.Contains(got[0], "without a record") {
		t.Errorf("leaks of a task without container: %q", got)
	}
	must(t, unix.Kill(rec.ShimPid, unix.SIGKILL))
	must(t, os.RemoveAll(spec.Dir))
	eventually(t, "the program dies", func() bool { return unix.Kill(rec.Pid, 0) != nil })
	if got := l.runtime.Leaks(t.Context()); len(got) != 0 {
		t.Errorf("a young group counts as dead: %q", got)
	}
	old := time.Now().Add(-time.Minute)
	for _, dir := range rec.Cgroups {
		must(t, os.Chtimes(dir, old, old))
	}
	if got := l.runtime.Leaks(t.Context()); len(got) != len(rec.Cgroups) || len(got) == 0 {
		t.Errorf("leaks = %q, want %q", got, rec.Cgroups)
	}
	l.run(t, l.spec(t, "true"))
	eventually(t, "the groups are swept", func() bool { return len(l.runtime.Leaks(t.Context())) == 0 })
	for _, dir := range rec.Cgroups {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("left: %s", dir)
		}
	}
}

func TestResizeReachesTheTerminal(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "trap 'stty size; exit 0' WINCH; echo up; while :; do sleep 0.02; done")
	spec.Process.Terminal = true
	tk := l.create(t, spec)
	var out syncBuffer
	must(t, tk.Start(t.Context(), driver.Streams{Stdout: &out, Cols: 80, Rows: 24}))
	eventually(t, "it waits", func() bool { return strings.Contains(out.String(), "up") })
	must(t, tk.(driver.Resizer).Resize(t.Context(), 132, 43))
	_, err := tk.Wait(t.Context())
	if err != nil || !strings.Contains(out.String(), "43 132") {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestAttachSharesTheStreams(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "read a; echo got $a; read b; echo got $b")
	spec.OpenStdin = true
	tk := l.create(t, spec)
	must(t, tk.Start(t.Context(), driver.Streams{}))
	var out, second syncBuffer
	done := make(chan error, 1)
	go func() {
		_, err := tk.(driver.Attacher).Attach(t.Context(), driver.Streams{Stdout: &second})
		done <- err
	}()
	time.Sleep(50 * time.Millisecond)
	_, err := tk.(driver.Attacher).Attach(t.Context(), driver.Streams{Stdin: strings.NewReader("one\ntwo\n"), Stdout: &out})
	if err != nil || out.String() != "got one\ngot two\n" {
		t.Errorf("attach: %q, %v", out.String(), err)
	}
	if err := <-done; err != nil || second.String() != "got one\ngot two\n" {
		t.Errorf("second attach: %q, %v", second.String(), err)
	}
}

func TestCommandOnExitRunsWhenNobodyWaits(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "true")
	mark := filepath.Join(t.TempDir(), "mark")
	spec.OnExit = []string{"/bin/sh", "-c", "echo ended >" + mark}
	tk := l.create(t, spec)
	must(t, tk.Start(t.Context(), driver.Streams{}))
	eventually(t, "the command runs", func() bool { data, _ := os.ReadFile(mark); return string(data) == "ended\n" })
}
