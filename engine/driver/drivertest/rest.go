package drivertest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/health"
)

// leaves is a command of the host that does nothing but leave a file; it is this program again, which every system has.
func leaves(t testing.TB, file string) []string {
	exe, err := os.Executable()
	must(t, err)
	return []string{exe, "-test.run=^$", "-test.cpuprofile=" + file}
}

func there(file string) bool {
	_, err := os.Lstat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

// rests says whether the supervisor stays after the end.
func (b *box) rests() bool {
	b.t.Helper()
	st, err := b.Status(b.t.Context())
	must(b.t, err)
	return st.State == driver.Stopped && st.Resting
}

// long is a rest before that has the next one take longer than any test.
const long = 40 * time.Second

func restTests() []test {
	return []test{
		{"after the end and a rest, the command is run, whoever is connected", func(t *testing.T, l *lab) {
			file := filepath.Join(t.TempDir(), "ran")
			spec := l.spec(t, script("exit 3")...)
			spec.OnEnd = leaves(t, file)
			b := l.start(t, spec)
			if r := b.wait(); r.Code != 3 {
				t.Errorf("%+v", r)
			}
			eventually(t, "the command", func() bool { return there(file) })
			eventually(t, "the supervisor's end", func() bool { return !b.rests() })
			must(t, b.Delete(t.Context()))
		}},
		{"one that rests answers, until it is dismissed", func(t *testing.T, l *lab) {
			file := filepath.Join(t.TempDir(), "ran")
			spec := l.spec(t, script("exit 3")...)
			spec.OnEnd, spec.Rested = leaves(t, file), long
			b := l.start(t, spec)
			b.wait()
			if !b.rests() {
				t.Fatal("nobody rests after the end")
			}
			found, err := l.Runtime.Load(t.Context(), b.spec.ID)
			must(t, err)
			if exit, err := found.Wait(t.Context()); err != nil || exit.Code != 3 {
				t.Errorf("another one waits: %+v, %v", exit, err)
			}
			isNotRunning(t, found.Signal(t.Context(), sigKill))
			must(t, found.(driver.Rester).Dismiss(t.Context()))
			must(t, found.(driver.Rester).Dismiss(t.Context()))
			if b.rests() || there(file) {
				t.Error("it was dismissed, and rests or has run the command")
			}
		}},
		{"one that rests can be deleted, and made anew", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("exit 3")...)
			spec.OnEnd, spec.Rested = leaves(t, filepath.Join(t.TempDir(), "ran")), long
			l.start(t, spec).wait()
			again, err := l.Runtime.Create(t.Context(), spec)
			must(t, err)
			must(t, again.Start(t.Context(), driver.Streams{}))
			must(t, again.Delete(t.Context()))
			if st, err := again.Status(t.Context()); err != nil || st.State != driver.Ready {
				t.Errorf("%+v, %v", st, err)
			}
		}},
		{"what is done at the end can be changed while it runs", func(t *testing.T, l *lab) {
			b := l.up(t)
			r := b.Task.(driver.Rester)
			must(t, r.SetOnEnd(t.Context(), leaves(t, filepath.Join(t.TempDir(), "ran")), long))
			must(t, b.Signal(t.Context(), sigKill))
			b.wait()
			if !b.rests() {
				t.Error("nobody rests after the end")
			}
			isNotRunning(t, r.SetOnEnd(t.Context(), nil, 0))
			must(t, r.Dismiss(t.Context()))
		}},
	}
}

// record is what the supervisor found out about the health of a container.
func (b *box) record() health.Record {
	r, _ := health.Read(b.spec.Dir)
	return r
}

func (b *box) becomes(want health.Status) {
	b.t.Helper()
	eventually(b.t, string(want), func() bool { return b.record().Status == want })
}

// checked runs a container whose check is a script.
func (l *lab) checked(t *testing.T, text string) *box {
	spec := l.staying(t, "echo up; read x")
	spec.Health = &driver.Health{Test: script(text), Interval: 20 * time.Millisecond, Timeout: 10 * time.Second, StartInterval: time.Second, Retries: 2}
	b := l.create(t, spec)
	must(t, b.Start(t.Context(), driver.Streams{}))
	return b
}

func healthTests() []test {
	return []test{
		{"a check runs in the container, and its words are kept and not logged", func(t *testing.T, l *lab) {
			b := l.checked(t, "echo looked; echo more >&2; test -e /tmp/ok")
			b.becomes(health.Unhealthy)
			if r := b.record(); r.Log[0].Output != "looked\nmore\n" || r.Log[0].ExitCode != 1 || r.Log[0].Start.IsZero() {
				t.Errorf("result %+v", r.Log[0])
			}
			b.exec("touch /tmp/ok")
			b.becomes(health.Healthy)
			if log, err := os.ReadFile(b.spec.Log); err == nil && strings.Contains(string(log), "looked") {
				t.Errorf("log: %s", log)
			}
		}},
		{"paused, nobody checks; ended, it is not healthy", func(t *testing.T, l *lab) {
			b := l.checked(t, "true")
			b.becomes(health.Healthy)
			p := b.Task.(driver.Pauser)
			must(t, p.Pause(t.Context()))
			r := b.record()
			if r.Status != health.Unhealthy {
				t.Errorf("paused: %+v", r)
			}
			l.sleep(t, 100*time.Millisecond)
			if now := b.record().Probes; now != r.Probes {
				t.Errorf("%d probes while it was paused", now-r.Probes)
			}
			must(t, p.Resume(t.Context()))
			b.becomes(health.Healthy)
			must(t, b.Signal(t.Context(), sigKill))
			_, err := b.Wait(t.Context())
			must(t, err)
			if r := b.record(); r.Status != health.Unhealthy || r.Log[0].ExitCode != 0 {
				t.Errorf("ended: %+v", r)
			}
		}},
		{"a check that the end of the container cuts short says nothing", func(t *testing.T, l *lab) {
			for range 5 {
				b := l.checked(t, "touch /tmp/asked; sleep 1000")
				eventually(t, "a check is under way", func() bool { return b.exec("test -e /tmp/asked").Code == 0 })
				must(t, b.Signal(t.Context(), sigKill))
				_, err := b.Wait(t.Context())
				must(t, err)
				if r := b.record(); r.Status != health.Unhealthy || r.Probes != 0 || len(r.Log) != 0 {
					t.Errorf("ended: %+v", r)
				}
			}
		}},
		{"a check that hangs is killed, one that is not there fails", func(t *testing.T, l *lab) {
			spec := l.staying(t, "read x")
			spec.Health = &driver.Health{Test: script("echo begun; sleep 1000"), Interval: 10 * time.Millisecond, Timeout: 50 * time.Millisecond, StartInterval: time.Second, Retries: 1}
			b := l.create(t, spec)
			must(t, b.Start(t.Context(), driver.Streams{}))
			b.becomes(health.Unhealthy)
			if r := b.record().Log[0]; r.ExitCode != -1 {
				t.Errorf("result %+v", r)
			}
			spec = l.staying(t, "read x")
			spec.Health = &driver.Health{Test: []string{"/nosuch"}, Interval: 10 * time.Millisecond, Timeout: time.Minute, StartInterval: time.Second, Retries: 1}
			b = l.create(t, spec)
			must(t, b.Start(t.Context(), driver.Streams{}))
			b.becomes(health.Unhealthy)
			if r := b.record().Log[0]; r.ExitCode != -1 || r.Output == "" {
				t.Errorf("result %+v", r)
			}
		}},
	}
}
