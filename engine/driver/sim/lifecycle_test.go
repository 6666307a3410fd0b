package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
)

func state(t testing.TB, tk driver.Task) driver.State {
	t.Helper()
	st, err := tk.Status(t.Context())
	must(t, err)
	return st.State
}

func TestStates(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		ctx := limited(t)
		tk := l.create(t, l.spec(t, "sleep", "1000"))
		got := []driver.State{state(t, tk)}
		note := func(err error) {
			t.Helper()
			must(t, err)
			got = append(got, state(t, tk))
		}
		note(tk.Start(ctx, driver.Streams{}))
		if st, _ := tk.Status(ctx); st.Pid == 0 || st.StartedAt.IsZero() {
			t.Errorf("status = %+v, want a process and a time", st)
		}
		if _, err := l.Runtime.Create(ctx, *tk.spec); !errors.Is(err, driver.ErrExists) {
			t.Errorf("second Create = %v, want ErrExists", err)
		}
		note(tk.Pause(ctx))
		note(tk.Resume(ctx))
		note(tk.Signal(ctx, 9))
		exit, err := tk.Wait(ctx)
		note(err)
		if exit.Code != 137 || exit.Signal != 9 {
			t.Errorf("exit = %+v, want 137 by signal 9", exit)
		}
		if err := tk.Signal(ctx, 15); !isNotRunning(err) {
			t.Errorf("signal to an ended task = %v, want ErrNotRunning", err)
		}
		note(tk.Delete(ctx))
		got[4] = "" // the signal may have worked already
		want := []driver.State{driver.Ready, driver.Running, driver.Paused, driver.Running, "", driver.Stopped, driver.Ready}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWaitForGivesUpAfterTheMachinesTime(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		tk := l.background(t, "trap '' TERM; sleep 2000")
		must(t, tk.Signal(limited(t), 15))
		begin, now := time.Now(), l.Now()
		if _, err := tk.WaitFor(limited(t), 10*time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error = %v, want deadline exceeded", err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %v of the host's time", took)
		}
		if passed := l.Now().Sub(now); passed < 10*time.Second {
			t.Errorf("%v of the machine's time passed, want 10 s", passed)
		}
		must(t, tk.Signal(limited(t), 9))
		if exit, err := tk.WaitFor(limited(t), time.Minute); err != nil || exit.Code != 137 {
			t.Errorf("exit = %+v, %v", exit, err)
		}
	})
}

// Whoever waits in the foreground skips the times in which the container sleeps.
func TestSleepCostsNothing(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		begin, now := time.Now(), l.Now()
		_, exit := l.sh(t, "sleep 30; sleep 40; exit 4")
		if took := time.Since(begin); exit.Code != 4 || took > 10*time.Second {
			t.Errorf("exit %d after %v", exit.Code, took)
		}
		if passed := l.Now().Sub(now); passed < 70*time.Second {
			t.Errorf("%v of the machine's time passed, want 70 s", passed)
		}
	})
}

func TestLog(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "sh", "-c", `echo one; echo two >&2; head -c 40000 /dev/zero | tr '\0' x; printf end`)
		spec.Log = filepath.Join(spec.Dir, "out.log")
		l.run(t, spec)
		data, err := os.ReadFile(spec.Log)
		must(t, err)
		var sizes []int
		streams := map[string]string{}
		for line := range bytes.Lines(data) {
			var e struct {
				Log, Stream string
				Time        time.Time
			}
			must(t, json.Unmarshal(line, &e))
			if e.Stream == "stdout" {
				sizes = append(sizes, len(e.Log))
			}
			if e.Time.IsZero() {
				t.Error("an entry has no time")
			}
			streams[e.Stream] += e.Log
		}
		if diff := cmp.Diff([]int{4, 16384, 16384, 40000 - 2*16384 + 3}, sizes); diff != "" {
			t.Errorf("entries: %s", diff)
		}
		if streams["stderr"] != "two\n" || !strings.HasSuffix(streams["stdout"], "xend") {
			t.Errorf("log = %.80q", streams)
		}
	})
}

func TestExec(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		tk := l.background(t, "sleep 1000")
		var out, errs buffer
		exit, err := tk.Exec(limited(t), driver.Process{Args: []string{"sh", "-c", "cat; pwd; id -u; echo e >&2; exit 3"}, Env: []string{"PATH=/bin"}, Cwd: "/tmp", UID: 7},
			driver.Streams{Stdin: strings.NewReader("in\n"), Stdout: &out, Stderr: &errs})
		if err != nil || exit.Code != 3 {
			t.Fatalf("exit = %+v, %v; %s", exit, err, errs.String())
		}
		if out.String() != "in\n/tmp\n7\n" || errs.String() != "e\n" {
			t.Errorf("output = %q, %q", out.String(), errs.String())
		}
		var cmd *driver.CommandError
		if _, err := tk.Exec(limited(t), driver.Process{Args: []string{"nope"}}, driver.Streams{}); !errors.As(err, &cmd) || cmd.Code != 127 {
			t.Errorf("error = %v, want a command error with 127", err)
		}
		_, err = tk.Exec(limited(t), driver.Process{Args: []string{"touch", "/detached"}, Env: []string{"PATH=/bin"}, Detach: true}, driver.Streams{})
		must(t, err)
		eventually(t, "detached exec", func() bool {
			changes, err := l.Snapshots.Changes(t.Context(), tk.id)
			must(t, err)
			return len(changes) == 1 && changes[0].Path == "/detached"
		})
	})
}

func TestProcesses(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		tk := l.background(t, "sleep 1000 & wait")
		var list []driver.ProcessInfo
		eventually(t, "both processes", func() bool {
			var err error
			list, err = tk.Processes(t.Context())
			must(t, err)
			return len(list) == 2
		})
		st, err := tk.Status(t.Context())
		must(t, err)
		if list[0].Pid != st.Pid || list[1].PPid != list[0].Pid || list[0].TTY != "?" {
			t.Errorf("processes = %+v, first is %d", list, st.Pid)
		}
	})
}

// Input reaches a container that keeps it open from one client after the other; the first one's end closes it only if asked.
func TestAttach(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "sh", "-c", "while read x; do echo got $x; done; echo over")
		spec.OpenStdin = true
		tk := l.create(t, spec)
		must(t, tk.Start(limited(t), driver.Streams{}))
		var first, second buffer
		watching, leave := context.WithCancel(limited(t))
		var watchers sync.WaitGroup
		watchers.Go(func() { _, _ = tk.Attach(watching, driver.Streams{Stdout: &first}) })
		must(t, tk.Pause(t.Context())) // an answer: the watcher's request is likely in
		must(t, tk.Resume(t.Context()))
		in, typist := io.Pipe()
		ctx, detach := context.WithCancel(limited(t))
		watchers.Go(func() { _, _ = tk.Attach(ctx, driver.Streams{Stdin: in, Stdout: &second}) })
		_, err := io.WriteString(typist, "a\n")
		must(t, err)
		eventually(t, "answer to both", func() bool {
			return strings.Contains(second.String(), "got a\n")
		})
		detach()
		leave()
		watchers.Wait()
		_ = typist.Close()
		if got := state(t, tk); got != driver.Running {
			t.Errorf("after the clients left: %s", got)
		}
		var third buffer
		must(t, tk.Signal(t.Context(), 9))
		_, _ = tk.Attach(limited(t), driver.Streams{Stdout: &third})
		if exit, err := tk.Wait(limited(t)); err != nil || exit.Code != 137 {
			t.Errorf("exit = %+v, %v", exit, err)
		}
	})
}

func TestStdinOnce(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "cat")
		spec.OpenStdin, spec.StdinOnce = true, true
		tk := l.create(t, spec)
		var out buffer
		ctx := limited(t)
		must(t, tk.Start(ctx, driver.Streams{Stdin: strings.NewReader("text"), Stdout: &out}))
		if exit, err := tk.Wait(ctx); err != nil || exit.Code != 0 || out.String() != "text" {
			t.Errorf("exit = %+v, %v; output %q", exit, err, out.String())
		}
	})
}

func TestTerminal(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "sh", "-c", "test -t 0 && test -t 1 && tty; read x; echo got $x")
		spec.Process.Terminal, spec.OpenStdin = true, true
		tk := l.create(t, spec)
		var out buffer
		in, typist := io.Pipe()
		defer typist.Close()
		ctx := limited(t)
		must(t, tk.Start(ctx, driver.Streams{Stdin: in, Stdout: &out, Cols: 91, Rows: 33}))
		eventually(t, "first line", func() bool { return strings.Contains(out.String(), "/dev/pts/0") })
		must(t, tk.Resize(ctx, 100, 40))
		_, err := io.WriteString(typist, "hello\r")
		must(t, err)
		exit, err := tk.Wait(ctx)
		if err != nil || exit.Code != 0 {
			t.Errorf("exit = %+v, %v", exit, err)
		}
		if got := out.String(); !strings.Contains(got, "/dev/pts/0\r\n") || !strings.Contains(got, "got hello\r\n") {
			t.Errorf("output = %q", got)
		}
	})
}

// The writable layer keeps its files over restarts, and a task that was deleted can be started again.
func TestRestart(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "sh", "-c", "cat /n 2>/dev/null; echo x >> /n")
		for _, want := range []string{"", "x\n", "x\nx\n"} {
			if out, exit := l.run(t, spec); out != want || exit.Code != 0 {
				t.Errorf("output = %q, want %q; exit %d", out, want, exit.Code)
			}
		}
	})
}

// A client that does not read holds up neither the log nor, once it has left, the container.
func TestClientThatDoesNotRead(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "sh", "-c", "head -c 600000 /dev/zero | tr '\\0' x; echo; echo done")
		spec.Log = filepath.Join(spec.Dir, "out.log")
		tk := l.create(t, spec)
		stuck := make(chan struct{})
		var release sync.Once
		free := func() { release.Do(func() { close(stuck) }) }
		defer free()
		must(t, tk.Start(limited(t), driver.Streams{Stdout: writerFunc(func(p []byte) (int, error) { <-stuck; return len(p), nil })}))
		eventually(t, "the whole log", func() bool {
			data, _ := os.ReadFile(spec.Log)
			return bytes.Contains(data, []byte(`"done\n"`))
		})
		free()
		if exit, err := tk.Wait(limited(t)); err != nil || exit.Code != 0 {
			t.Errorf("exit = %+v, %v", exit, err)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestDeleteKillsWhatRuns(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		for _, paused := range []bool{false, true} {
			tk := l.background(t, "sleep 1000")
			if paused {
				must(t, tk.Pause(t.Context()))
			}
			must(t, tk.Delete(limited(t)))
			must(t, tk.Delete(limited(t)))
			if lives(tk.dir) {
				t.Error("its supervisor lives")
			}
			entries, err := os.ReadDir(tk.dir)
			must(t, err)
			for _, e := range entries {
				if strings.HasPrefix(e.Name(), "sim.") {
					t.Errorf("%s is left", e.Name())
				}
			}
			if _, err := l.Runtime.Load(t.Context(), tk.id); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("Load = %v, want ErrNotFound", err)
			}
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		var all sync.WaitGroup
		for range 50 {
			spec := l.spec(t, "sh", "-c", "echo hi > /f; cat /f; sleep 5; exit 9")
			tk := l.create(t, spec)
			all.Go(func() {
				var out buffer
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if err := tk.Start(ctx, driver.Streams{Stdout: &out, Stderr: &out}); err != nil {
					t.Error(err)
					return
				}
				if exit, err := tk.Wait(ctx); err != nil || exit.Code != 9 || out.String() != "hi\n" {
					t.Errorf("exit = %+v, %v; output %q", exit, err, out.String())
				}
			})
		}
		all.Wait()
	})
}

// The streams of a start end with its context; the container does not, and can be waited for all the same.
func TestStreamsEndWithTheirContext(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "sh", "-c", "read x")
		spec.OpenStdin = true // it waits for something that has no time
		tk := l.create(t, spec)
		ctx, cancel := context.WithCancel(limited(t))
		must(t, tk.Start(ctx, driver.Streams{Stdout: &buffer{}}))
		cancel()
		must(t, tk.Pause(t.Context()))
		must(t, tk.Resume(t.Context()))
		must(t, tk.Signal(t.Context(), 9))
		if exit, err := tk.Wait(limited(t)); err != nil || exit.Code != 137 {
			t.Errorf("exit = %+v, %v", exit, err)
		}
	})
}

// A wait that was given up leaves everything connected for the next.
func TestWaitCanBeGivenUp(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		spec := l.spec(t, "sh", "-c", "read x; echo got $x")
		tk := l.create(t, spec)
		var out buffer
		in, typist := io.Pipe()
		must(t, tk.Start(limited(t), driver.Streams{Stdin: in, Stdout: &out}))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if _, err := tk.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error = %v", err)
		}
		_, err := io.WriteString(typist, "a\n")
		must(t, err)
		if exit, err := tk.Wait(limited(t)); err != nil || exit.Code != 0 || out.String() != "got a\n" {
			t.Errorf("exit = %+v, %v; output %q", exit, err, out.String())
		}
		_ = typist.Close()
	})
}

// Whoever sits at a prompt waits for that, and not for what the first process sleeps.
func TestExecThatWaitsForInputSkipsNothing(t *testing.T) {
	bothPlaces(t, func(t *testing.T, l *lab) {
		tk := l.background(t, "sleep 1000")
		in, typist := io.Pipe()
		var out buffer
		ended := make(chan error, 1)
		go func() {
			_, err := tk.Exec(limited(t), driver.Process{Args: []string{"sh", "-c", "echo ready; read x; sleep 50; echo $x"}, Env: []string{"PATH=/bin"}}, driver.Streams{Stdin: in, Stdout: &out})
			ended <- err
		}()
		eventually(t, "the prompt", func() bool { return out.String() == "ready\n" })
		time.Sleep(100 * time.Millisecond) // long for a machine that skips as soon as it is idle
		if st, err := tk.Status(t.Context()); err != nil || st.State != driver.Running {
			t.Fatalf("while it waits for input: %+v, %v", st, err)
		}
		_, err := io.WriteString(typist, "typed\n")
		must(t, err)
		must(t, <-ended) // its own sleep is skipped
		if st, err := tk.Status(t.Context()); err != nil || st.State != driver.Running || out.String() != "ready\ntyped\n" {
			t.Errorf("afterwards: %+v, %v, %q", st, err, out.String())
		}
	})
}
