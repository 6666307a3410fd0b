package drivertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
)

func testLife(t *testing.T, l *lab) {
	l.tests(t, stateTests(), refusedStarts(), deleteTests(), againTests(), waitTests(), waiters(), pauseTests(), pausedTests(), listTests(), revealTests(), evidenceTests(), neighbourTests(), restTests(), healthTests())
}

func stateTests() []test {
	return []test{
		{"ready, running, stopped", func(t *testing.T, l *lab) {
			before := l.now()
			b := l.create(t, l.staying(t, "echo up; read x; exit 3"))
			st, err := b.Status(t.Context())
			if err != nil || st.State != driver.Ready || st.Pid != 0 || !st.StartedAt.IsZero() {
				t.Errorf("created: %+v, %v", st, err)
			}
			must(t, b.Start(t.Context(), b.streams(strings.NewReader(""))))
			b.says("up\n")
			st, err = b.Status(t.Context())
			if err != nil || st.State != driver.Running || st.Pid <= 0 || st.StartedAt.Before(before.Add(-time.Second)) || st.StartedAt.After(l.now()) {
				t.Errorf("started after %v: %+v, %v", before, st, err)
			}
			must(t, b.Signal(t.Context(), sigKill))
			exit := b.wait().Exit
			st, err = b.Status(t.Context())
			if err != nil || st.State != driver.Stopped || st.Pid != 0 || st.Exit.Code != exit.Code || !st.Exit.At.Equal(exit.At) || exit.At.Before(st.StartedAt) {
				t.Errorf("ended with %+v: %+v, %v", exit, st, err)
			}
		}},
		{"a task that is ready is not there for others", func(t *testing.T, l *lab) {
			b := l.create(t, l.spec(t, "true"))
			if _, err := l.Runtime.Load(t.Context(), b.spec.ID); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("error %v", err)
			}
		}},
		{"a running task is found by its id, and obeys", func(t *testing.T, l *lab) {
			b := l.up(t)
			found, err := l.Runtime.Load(t.Context(), b.spec.ID)
			must(t, err)
			st, err := found.Status(t.Context())
			if err != nil || st.State != driver.Running {
				t.Errorf("%+v, %v", st, err)
			}
			must(t, found.Signal(t.Context(), sigKill))
			exit, err := found.Wait(t.Context())
			if err != nil || exit.Code != 137 {
				t.Errorf("%+v, %v", exit, err)
			}
		}},
		{"a stopped task is found with its exit", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, script("exit 9")...))
			b.wait()
			found, err := l.Runtime.Load(t.Context(), b.spec.ID)
			must(t, err)
			exit, err := found.Wait(t.Context())
			if err != nil || exit.Code != 9 {
				t.Errorf("%+v, %v", exit, err)
			}
		}},
	}
}

func refusedStarts() []test {
	return []test{
		{"an id that is not there is ErrNotFound", func(t *testing.T, l *lab) {
			for _, id := range []string{l.key(), "", "..", "a/b", "../containers"} {
				if _, err := l.Runtime.Load(t.Context(), id); !errors.Is(err, driver.ErrNotFound) {
					t.Errorf("%q: %v", id, err)
				}
			}
		}},
		{"the id of a running task is taken", func(t *testing.T, l *lab) {
			b := l.up(t)
			if _, err := l.Runtime.Create(t.Context(), b.spec); !errors.Is(err, driver.ErrExists) {
				t.Errorf("error %v", err)
			}
		}},
		{"a spec without command or id is refused", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Process.Args = nil
			if _, err := l.Runtime.Create(t.Context(), spec); err == nil {
				t.Error("no command: no error")
			}
			spec = l.spec(t, "true")
			spec.ID = ""
			if _, err := l.Runtime.Create(t.Context(), spec); err == nil {
				t.Error("no id: no error")
			}
		}},
		{"a writable layer that is not there fails the start", func(t *testing.T, l *lab) {
			if err := l.create(t, l.specOn(t, "nosuchkey", "true")).Start(t.Context(), driver.Streams{}); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("error %v", err)
			}
		}},
		{"an id of a user that is too large is refused", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Process.UID = 1<<32 - 1
			if err := l.create(t, spec).Start(t.Context(), driver.Streams{}); err == nil || !strings.Contains(err.Error(), "ids must be") {
				t.Errorf("error %v", err)
			}
		}},
	}
}

func deleteTests() []test {
	return []test{
		{"deleting a running task ends it", func(t *testing.T, l *lab) {
			b := l.up(t)
			must(t, b.Delete(t.Context()))
			if _, err := l.Runtime.Load(t.Context(), b.spec.ID); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("it is still there: %v", err)
			}
		}},
		{"deleting twice is no error", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			must(t, b.Delete(t.Context()))
			must(t, b.Delete(t.Context()))
		}},
		{"deleting keeps files and log", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("echo x > /kept")...)
			must(t, l.runOn(t, spec).Delete(t.Context()))
			if diff := cmp.Diff([]string{"A /kept"}, l.changes(t, spec.Key)); diff != "" {
				t.Error(diff)
			}
		}},
	}
}

func againTests() []test {
	return []test{
		{"a second run on the same writable layer sees what the first wrote", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("cat /kept 2>/dev/null; echo again >> /kept")...)
			l.runOn(t, spec)
			if b := l.runOn(t, spec); b.out.String() != "again\n" {
				t.Errorf("%q", b.out.String())
			}
		}},
		{"a stopped task's id may be used again without deleting", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("exit 4")...)
			l.run(t, spec)
			if r := l.run(t, spec); r.Code != 4 {
				t.Errorf("%+v", r)
			}
		}},
		{"a container can be created again after its command failed to start", func(t *testing.T, l *lab) {
			spec := l.spec(t, "nonesuch")
			b := l.create(t, spec)
			if err := b.Start(t.Context(), driver.Streams{}); !errors.Is(err, driver.ErrCommand) {
				t.Errorf("error %v", err)
			}
			spec.Process.Args = []string{"echo", "now"}
			if r := l.run(t, spec); r.out != "now\n" {
				t.Errorf("%+v", r)
			}
		}},
	}
}

func waitTests() []test {
	return []test{
		{"waiting twice gives the same exit", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, script("exit 5")...))
			if one, two := b.wait().Exit, b.wait().Exit; one.Code != 5 || two.Code != 5 || !one.At.Equal(two.At) {
				t.Errorf("%+v and %+v", one, two)
			}
		}},
		{"waiting for what never started is ErrNotRunning", func(t *testing.T, l *lab) {
			_, err := l.create(t, l.spec(t, "true")).Wait(t.Context())
			isNotRunning(t, err)
		}},
		{"a second of sleep is a second of the machine's time", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "sleep", "1"))
			exit := b.wait().Exit
			st, err := b.Status(t.Context())
			must(t, err)
			if d := exit.At.Sub(st.StartedAt); d < 900*time.Millisecond || d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
		}},
		{"what the container wrote is there when the wait is over", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("for i in 1 2 3 4 5 6 7 8 9; do echo $i > /tmp/$i; done; rm /etc/issue")...)
			l.runOn(t, spec)
			if got := l.changes(t, spec.Key); len(got) != 12 {
				t.Errorf("%q", got)
			}
		}},
	}
}

func waiters() []test {
	return []test{
		{"many wait at once", func(t *testing.T, l *lab) {
			b := l.up(t)
			codes := make(chan int, 5)
			for range 5 {
				go func() {
					task, err := l.Runtime.Load(t.Context(), b.spec.ID)
					if err != nil {
						t.Error(err)
						codes <- -1
						return
					}
					exit, err := task.Wait(t.Context())
					if err != nil {
						t.Error(err)
					}
					codes <- exit.Code
				}()
			}
			time.Sleep(20 * time.Millisecond)
			must(t, b.Signal(t.Context(), sigKill))
			for range 5 {
				if code := <-codes; code != 137 {
					t.Errorf("code %d", code)
				}
			}
		}},
		{"a cancelled wait leaves the container, which may be waited for again", func(t *testing.T, l *lab) {
			b := l.up(t)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := b.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			if state := b.state(); state != driver.Running {
				t.Errorf("state %s", state)
			}
			must(t, b.Signal(t.Context(), sigKill))
			found, err := l.Runtime.Load(t.Context(), b.spec.ID)
			must(t, err)
			if exit, err := found.Wait(t.Context()); err != nil || exit.Code != 137 {
				t.Errorf("%+v, %v", exit, err)
			}
		}},
	}
}
