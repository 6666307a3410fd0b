package health

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a machine whose time moves only when the test says so.
type world struct {
	mu     sync.Mutex
	now    time.Time
	timers []*alarm
	kept   chan Record
	probes chan chan outcome // each probe that is begun; the test says what it comes to
}

type alarm struct {
	at time.Time
	f  func()
}

func newWorld() *world {
	return &world{now: time.Unix(1000, 0), kept: make(chan Record, 100), probes: make(chan chan outcome, 10)}
}

func (w *world) host() Host {
	return Host{
		Now: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		After: func(d time.Duration, f func()) func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			a := &alarm{w.now.Add(d), f}
			w.timers = append(w.timers, a)
			return func() bool {
				w.mu.Lock()
				defer w.mu.Unlock()
				n := len(w.timers)
				w.timers = slices.DeleteFunc(w.timers, func(o *alarm) bool { return o == a })
				return len(w.timers) < n
			}
		},
		Probe: func(_ []string, cancel <-chan struct{}) (int, string, error) {
			said := make(chan outcome, 1)
			w.probes <- said
			select {
			case o := <-said:
				return o.code, o.output, o.err
			case <-cancel:
				return 137, "half", nil
			}
		},
		Ending: func() bool { return false },
		Keep:   func(r Record, _ *Result, _ bool) { w.kept <- r },
	}
}

// next moves time on to the next timer, once there is one, and gives how long that took.
func (w *world) next() time.Duration {
	for {
		w.mu.Lock()
		if len(w.timers) > 0 {
			slices.SortStableFunc(w.timers, func(a, b *alarm) int { return a.at.Compare(b.at) })
			a := w.timers[0]
			w.timers = w.timers[1:]
			d := a.at.Sub(w.now)
			w.now = a.at
			w.mu.Unlock()
			a.f()
			return d
		}
		w.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

func check() *Check {
	return &Check{Test: []string{"test"}, Interval: 30 * time.Second, Timeout: 5 * time.Second, StartInterval: 2 * time.Second, Retries: 3}
}

// round lets one probe be made after the wait that is expected, with an exit code.
func (w *world) round(t *testing.T, wait time.Duration, code int) Record {
	t.Helper()
	if got := w.next(); got != wait {
		t.Errorf("the probe came after %v, want %v", got, wait)
	}
	(<-w.probes) <- outcome{code: code, output: "said"}
	return <-w.kept
}

func TestRetriesAndRecovery(t *testing.T) {
	w := newWorld()
	m := Start(check(), w.host(), w.now, Record{Log: []Result{{ExitCode: 9}}, Streak: 7, Status: Unhealthy})
	if r := <-w.kept; r.Status != Starting || r.Streak != 0 || len(r.Log) != 1 {
		t.Fatalf("begins as %+v", r)
	}
	want := []struct {
		code   int
		status Status
		streak int
	}{{1, Starting, 1}, {2, Starting, 2}, {1, Unhealthy, 3}, {1, Unhealthy, 4}, {0, Healthy, 0}, {1, Healthy, 1}, {0, Healthy, 0}}
	var r Record
	for i, s := range want {
		r = w.round(t, 30*time.Second, s.code)
		if r.Status != s.status || r.Streak != s.streak {
			t.Errorf("after probe %d: %s, streak %d, want %s, %d", i+1, r.Status, r.Streak, s.status, s.streak)
		}
	}
	if len(r.Log) != MaxLog || r.Probes != len(want) || r.Log[4].Output != "said" {
		t.Errorf("log of %d after %d probes: %+v", len(r.Log), r.Probes, r.Log)
	}
	if len(r.Changes) != 2 || r.Changes[0].Probe != 3 || r.Changes[1].Status != Healthy {
		t.Errorf("changes: %+v", r.Changes)
	}
	m.Stop()
	if r := <-w.kept; r.Status != Unhealthy || r.Probes != len(want) {
		t.Errorf("after the end: %+v", r)
	}
	m.Stop()
}

func TestStartPeriod(t *testing.T) {
	w := newWorld()
	c := check()
	c.StartPeriod = 5 * time.Second
	m := Start(c, w.host(), w.now, Record{})
	<-w.kept
	for range 2 { // at 2 and 4 seconds: they do not count
		if r := w.round(t, 2*time.Second, 1); r.Streak != 0 || r.Status != Starting {
			t.Errorf("in the start period: %+v", r)
		}
	}
	if r := w.round(t, 2*time.Second, 1); r.Streak != 1 {
		t.Errorf("after the start period: %+v", r)
	}
	if r := w.round(t, 30*time.Second, 0); r.Status != Healthy {
		t.Errorf("after a success: %+v", r)
	}
	m.Stop()
}

func TestSuccessEndsTheStartPeriod(t *testing.T) {
	w := newWorld()
	c := check()
	c.StartPeriod, c.Retries = time.Hour, 1
	m := Start(c, w.host(), w.now, Record{})
	<-w.kept
	w.round(t, 2*time.Second, 0)
	if r := w.round(t, 30*time.Second, 1); r.Status != Unhealthy {
		t.Errorf("a failure after the first success: %+v", r)
	}
	m.Stop()
}

func TestTimeoutAndError(t *testing.T) {
	w := newWorld()
	m := Start(check(), w.host(), w.now, Record{})
	<-w.kept
	w.next()
	<-w.probes
	if d := w.next(); d != 5*time.Second {
		t.Errorf("timeout after %v", d)
	}
	r := <-w.kept
	if l := r.Log[0]; l.ExitCode != -1 || l.Output != "Health check exceeded timeout (5s): half" || l.End.Sub(l.Start) != 5*time.Second {
		t.Errorf("result of a probe that took too long: %+v", l)
	}
	w.next()
	(<-w.probes) <- outcome{err: errors.New("no such program")}
	if r := <-w.kept; r.Log[1].ExitCode != -1 || r.Log[1].Output != "no such program" || r.Streak != 2 {
		t.Errorf("result of a probe that could not be run: %+v", r)
	}
	m.Stop()
}

func TestPausedIsNotProbed(t *testing.T) {
	w := newWorld()
	m := Start(check(), w.host(), w.now, Record{})
	<-w.kept
	w.round(t, 30*time.Second, 0)
	w.next()
	<-w.probes // one is under way
	m.Pause()
	if r := <-w.kept; r.Status != Unhealthy || r.Probes != 1 {
		t.Errorf("paused: %+v", r)
	}
	w.mu.Lock()
	if len(w.timers) != 0 {
		t.Errorf("%d timers run while it is paused", len(w.timers))
	}
	w.mu.Unlock()
	m.Resume()
	if r := w.round(t, 30*time.Second, 0); r.Status != Healthy || r.Probes != 2 || len(r.Changes) != 2 {
		t.Errorf("resumed: %+v", r)
	}
	m.Pause()
	m.Stop()
	var none *Monitor
	none.Pause()
	none.Stop()
}

func TestEndIsNoFailure(t *testing.T) {
	w := newWorld()
	h := w.host()
	ending := make(chan struct{})
	h.Ending = func() bool {
		select {
		case <-ending:
			return true
		default:
			return false
		}
	}
	m := Start(check(), h, w.now, Record{})
	<-w.kept
	w.round(t, 30*time.Second, 0)
	w.next()
	said := <-w.probes
	close(ending)
	said <- outcome{code: 137} // the kernel took the probe along, and it is seen before the end of the container is
	m.Stop()
	if r := <-w.kept; r.Probes != 1 || len(r.Log) != 1 || r.Status != Unhealthy {
		t.Errorf("after the end: %+v", r)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	if _, ok := Read(dir); ok {
		t.Error("a record where there is none")
	}
	var o Output
	_, _ = o.Write([]byte(strings.Repeat("\x01", MaxOutput-1)))
	_, _ = o.Write([]byte("ab"))
	if s := o.String(); len(s) != MaxOutput+3 || !strings.HasSuffix(s, "a...") {
		t.Errorf("%d bytes, ends in %q", len(s), s[len(s)-5:])
	}
	r := Record{Status: Healthy, Probes: 9}
	for range MaxLog {
		r.Log = append(r.Log, Result{Output: o.String()})
	}
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	if got, ok := Read(dir); !ok || got.Log[4].Output != o.String() || got.Probes != 9 {
		t.Errorf("read back: %v %.100v", ok, got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"status":"healthy","probes":1,"log":[{"ExitCode":0}],"changes":[{"status":"healthy","probe":1}]}`))
	f.Add([]byte(`{"status":"healthy","probes":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, File), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, ok := Read(dir); ok && (len(r.Log) > MaxLog || len(r.Changes) > maxChanges || r.Probes < 0) {
			t.Errorf("out of bounds: %+v", r)
		}
	})
}
