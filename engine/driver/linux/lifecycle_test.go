//go:build linux

package linux

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/drivertest"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/trace"
)

type (
	ctxT     = context.Context
	procT    = driver.Process
	streamsT = driver.Streams
	exitT    = driver.Exit
)

// syncBuffer is a buffer for concurrent writers.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func streamsWith(w io.Writer) driver.Streams { return driver.Streams{Stdout: w, Stderr: w} }

func streamsTo(t *testing.T) driver.Streams { return streamsWith(t.Output()) }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(drivertest.Patience()); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within %v", what, drivertest.Patience())
}

func TestSignalEndsWithItsNumber(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	st, err := tk.Status(t.Context())
	if err != nil || st.State != driver.Running || st.Pid == 0 || st.StartedAt.IsZero() {
		t.Fatalf("status = %+v, %v", st, err)
	}
	must(t, tk.Signal(t.Context(), driver.Signal(unix.SIGKILL)))
	exit, err := tk.Wait(t.Context())
	if err != nil || exit.Code != 137 || exit.Signal != 9 || exit.OOMKilled {
		t.Errorf("exit = %+v, %v", exit, err)
	}
	st, err = tk.Status(t.Context())
	if err != nil || st.State != driver.Stopped || st.Exit.Code != 137 {
		t.Errorf("status = %+v, %v", st, err)
	}
}

func TestStdinReachesTheProgramAndItsEndToo(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "cat")
	spec.OpenStdin, spec.StdinOnce = true, true
	tk := l.create(t, spec)
	var out bytes.Buffer
	must(t, tk.Start(t.Context(), driver.Streams{Stdin: strings.NewReader("hello"), Stdout: &out}))
	if _, err := tk.Wait(t.Context()); err != nil || out.String() != "hello" {
		t.Errorf("output = %q, %v", out.String(), err)
	}
}

func TestBigOutputArrivesWhole(t *testing.T) {
	l := newLab(t)
	out, _ := l.sh(t, "dd if=/dev/zero bs=1M count=20 2>/dev/null")
	if len(out) != 20<<20 {
		t.Errorf("%d bytes", len(out))
	}
}

func TestLogIsDockersJSONFile(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "echo '<out>'; echo err >&2; head -c 20000 /dev/zero | tr '\\0' x; echo; printf end")
	spec.Log = filepath.Join(spec.Dir, "log")
	l.run(t, spec)
	data, err := os.ReadFile(spec.Log)
	must(t, err)
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		var e struct{ Log, Stream, Time string }
		must(t, json.Unmarshal([]byte(line), &e))
		if _, err := time.Parse(time.RFC3339Nano, e.Time); err != nil {
			t.Error(err)
		}
		lines = append(lines, fmt.Sprintf("%s %d %.6q", e.Stream, len(e.Log), e.Log))
	}
	got := strings.Join(lines, "\n")
	for _, want := range []string{`stdout 6 "<out>\n"`, `stderr 4 "err\n"`, `stdout 16384 "xxxxxx"`, `stdout 3617 "xxxxxx"`, `stdout 3 "end"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestClientThatLeavesDoesNotStopTheLog(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "while [ ! -e /tmp/stop ]; do echo tick; sleep 0.01; done; echo last")
	spec.Log = filepath.Join(spec.Dir, "log")
	tk := l.create(t, spec)
	r, w, err := os.Pipe()
	must(t, err)
	must(t, tk.Start(t.Context(), driver.Streams{Stdout: w}))
	must(t, w.Close())
	must(t, r.Close())
	time.Sleep(50 * time.Millisecond)
	_, err = tk.(driver.Execer).Exec(t.Context(), driver.Process{Args: []string{"touch", "/tmp/stop"}, Env: []string{"PATH=/bin"}}, driver.Streams{})
	must(t, err)
	_, err = tk.Wait(t.Context())
	must(t, err)
	data, err := os.ReadFile(spec.Log)
	if err != nil || !strings.Contains(string(data), `"last\n"`) {
		t.Errorf("log: %v %s", err, data)
	}
}

func TestExec(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	ex := tk.(driver.Execer)
	var out bytes.Buffer
	exit, err := ex.Exec(t.Context(), driver.Process{Args: []string{"sh", "-c", "cat; hostname; ls /proc/self/fd; grep CapInh /proc/self/status; exit 5"},
		Env: []string{"PATH=/bin"}}, driver.Streams{Stdin: strings.NewReader("in\n"), Stdout: &out})
	if err != nil || exit.Code != 5 || !strings.HasPrefix(out.String(), "in\nlab\n0\n1\n2\n3\nCapInh:\t0000000000000000") {
		t.Errorf("exit = %+v, %v, output %q", exit, err, out.String())
	}
	_, err = ex.Exec(t.Context(), driver.Process{Args: []string{"nope"}}, driver.Streams{})
	if err == nil || !strings.Contains(err.Error(), `exec: "nope": executable file not found in $PATH`) {
		t.Errorf("error = %v", err)
	}
	list, err := tk.(driver.Lister).Processes(t.Context())
	if err != nil || len(list) != 1 || strings.Join(list[0].Argv, " ") != "sleep 1000" {
		t.Errorf("processes = %+v, %v", list, err)
	}
}

func TestTerminal(t *testing.T) {
	l := newLab(t)
	spec := l.spec(t, "sh", "-c", "tty; stty size; ls -l /dev/console | cut -c1; exit 3")
	spec.Process.Terminal = true
	tk := l.create(t, spec)
	var out bytes.Buffer
	must(t, tk.Start(t.Context(), driver.Streams{Stdout: &out, Cols: 100, Rows: 30}))
	exit, err := tk.Wait(t.Context())
	if err != nil || exit.Code != 3 || !strings.Contains(out.String(), "30 100\r\n") {
		t.Errorf("exit = %+v, %v, output %q", exit, err, out.String())
	}
}

func TestPauseStopsAndResumes(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i >/tmp/n; done"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	file := filepath.Join(l.home.Snapshots(), tk.(*task).id, "upper/tmp/n")
	eventually(t, "the program counts", func() bool { _, err := os.Stat(file); return err == nil })
	p := tk.(driver.Pauser)
	must(t, p.Pause(t.Context()))
	if st, _ := tk.Status(t.Context()); st.State != driver.Paused {
		t.Errorf("state = %s", st.State)
	}
	before, _ := os.ReadFile(file)
	time.Sleep(50 * time.Millisecond)
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Errorf("it ran while paused: %s, %s", before, after)
	}
	must(t, p.Resume(t.Context()))
	eventually(t, "the program counts again", func() bool { now, _ := os.ReadFile(file); return !bytes.Equal(before, now) })
}

func TestMemoryLimitKills(t *testing.T) {
	l := newLab(t)
	if l.mode.Rootless {
		lacks(t, "needs control groups that may be written (root)")
	}
	spec := l.spec(t, "sh", "-c", "a=x; while :; do a=$a$a; done")
	spec.Limits.MemoryBytes = 32 << 20
	_, exit := l.run(t, spec)
	if exit.Code != 137 || !exit.OOMKilled {
		t.Errorf("exit = %+v", exit)
	}
}

func TestDeadSupervisorTakesTheContainerAlong(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	rec, ok := shim.ReadRecord(tk.(*task).dir)
	if !ok {
		t.Fatal("no record")
	}
	must(t, unix.Kill(rec.ShimPid, unix.SIGKILL))
	eventually(t, "the program dies", func() bool { return unix.Kill(rec.Pid, 0) != nil })
	loaded, err := l.runtime.Load(t.Context(), tk.(*task).id)
	must(t, err)
	st, err := loaded.Status(t.Context())
	if err != nil || st.State != driver.Lost {
		t.Errorf("status = %+v, %v", st, err)
	}
	must(t, loaded.Delete(t.Context()))
	for _, dir := range rec.Cgroups {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("left: %s", dir)
		}
	}
}

func TestHundredInParallelLeaveNothing(t *testing.T) {
	l := newLab(t)
	var specs []driver.Spec
	for range 100 {
		specs = append(specs, l.spec(t, "sh", "-c", "echo hi"))
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, 25)
	for _, spec := range specs {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			tk, err := l.runtime.Create(context.Background(), spec)
			var out syncBuffer
			if err == nil {
				err = tk.Start(context.Background(), streamsWith(&out))
			}
			if err == nil {
				_, err = tk.Wait(context.Background())
			}
			if err == nil {
				err = tk.Delete(context.Background())
			}
			if err != nil || out.String() != "hi\n" {
				t.Errorf("%s: %v, %q", spec.ID, err, out.String())
			}
		})
	}
	wg.Wait()
	for _, spec := range specs {
		for _, h := range shim.Hierarchies(false) {
			if _, err := os.Stat(filepath.Join(h.Dir, "learn", ownerTag(l.home.Root())+"-"+spec.ID)); err == nil {
				t.Errorf("left in %s: %s", h.Dir, spec.ID)
			}
		}
		left, _ := os.ReadDir(spec.Dir)
		for _, e := range left {
			if n := e.Name(); n != "hosts" && n != "hostname" && n != "resolv.conf" {
				t.Errorf("left: %s/%s", spec.ID, n)
			}
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if strings.Contains(string(mounts), l.home.Root()) {
		t.Errorf("left mounts:\n%s", mounts)
	}
}

func TestTraceTellsEveryStep(t *testing.T) {
	l := newLab(t)
	sink := &trace.Collect{}
	ctx := trace.With(t.Context(), trace.New(sink))
	tk := l.create(t, l.spec(t, "true"))
	must(t, tk.Start(ctx, driver.Streams{Stdout: t.Output()}))
	_, err := tk.Wait(ctx)
	must(t, err)
	seen := map[string]int{}
	for _, e := range sink.Events() {
		seen[e.Kind]++
	}
	for _, kind := range []string{"ns.create", "mount", "pivot_root", "hostname.set", "caps.drop", "seccomp.load", "proc.exec", "proc.exit"} {
		if seen[kind] == 0 {
			t.Errorf("no %s in %v", kind, seen)
		}
	}
	n := len(sink.Events())
	must(t, tk.(driver.Eventer).Events(ctx))
	if len(sink.Events()) != n {
		t.Error("events were handed out twice")
	}
}

func TestIdleSupervisorIsSmall(t *testing.T) {
	l := newLab(t)
	tk := l.create(t, l.spec(t, "sleep", "1000"))
	must(t, tk.Start(t.Context(), driver.Streams{}))
	rec, _ := shim.ReadRecord(tk.(*task).dir)
	_, err := tk.(driver.Execer).Exec(t.Context(), driver.Process{Args: []string{"true"}, Env: []string{"PATH=/bin"}, Cwd: "/"}, driver.Streams{})
	must(t, err)
	time.Sleep(time.Second) // idle by then
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", rec.ShimPid))
	must(t, err)
	kb := 0
	for _, line := range strings.Split(string(data), "\n") {
		var name string
		var n int
		if _, err := fmt.Sscanf(line, "%s %d", &name, &n); err == nil && strings.HasPrefix(name, "Private_") {
			kb += n
		}
	}
	t.Logf("private memory: %d KiB", kb)
	if kb > 6<<10 {
		t.Errorf("%d KiB private, want under 6 MiB", kb)
	}
}
