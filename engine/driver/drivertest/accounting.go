package drivertest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

func processLimits() []test {
	return []test{
		{"ulimits, soft and hard", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("cat /proc/self/limits; ulimit -n")...)
			spec.Process.Rlimits = []driver.Rlimit{{Name: "nofile", Soft: 200, Hard: 200}, {Name: "core", Soft: 0, Hard: 0}, {Name: "fsize", Soft: 4096000, Hard: -1}, {Name: "nproc", Soft: 5000, Hard: 5000}}
			r := l.run(t, spec)
			rows := map[string]string{}
			for line := range strings.Lines(r.out) {
				if len(line) > 60 {
					rows[strings.TrimSpace(line[:25])] = strings.Join(strings.Fields(line[25:66]), " ")
				}
			}
			for row, want := range map[string]string{"Max open files": "200 200", "Max core file size": "0 0", "Max file size": "4096000 unlimited", "Max processes": "5000 5000"} {
				if rows[row] != want {
					t.Errorf("%s: %q, want %q", row, rows[row], want)
				}
			}
			if !strings.HasSuffix(r.out, "\n200\n") {
				t.Errorf("the shell sees %q", r.out)
			}
		}},
		{"a further process has its own ulimits", func(t *testing.T, l *lab) {
			b := l.start(t, l.staying(t, "read x"))
			p := process("sh", "-c", "ulimit -n")
			p.Rlimits = []driver.Rlimit{{Name: "nofile", Soft: 77, Hard: 77}}
			var out bytes.Buffer
			if _, err := b.Task.(driver.Execer).Exec(t.Context(), p, driver.Streams{Stdout: &out}); err != nil || out.String() != "77\n" {
				t.Errorf("%q, %v", out.String(), err)
			}
		}},
		{"how gladly it is killed", func(t *testing.T, l *lab) {
			spec := l.spec(t, "cat", "/proc/self/oom_score_adj")
			spec.Process.OOMScoreAdj = 321
			if r := l.run(t, spec); r.out != "321\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"the size of /dev/shm", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("grep ' /dev/shm ' /proc/mounts; head -c 3000000 /dev/zero > /dev/shm/x || echo full")...)
			spec.ShmBytes = 2 << 20
			if r := l.run(t, spec); !strings.Contains(r.out, "size=2048k") || !strings.HasSuffix(r.out, "full\n") {
				t.Errorf("%+v", r)
			}
		}},
		{"the number of CPUs is that of the cpuset", func(t *testing.T, l *lab) {
			m, ok := l.Runtime.(driver.Measurer)
			if !ok {
				t.Fatal("the runtime does not tell what the machine has")
			}
			has, err := m.Capacity(t.Context())
			must(t, err)
			if set, err := driver.ParseSet(has.CPUList); err != nil || !set[0] || has.CPUs < 1 || has.MemoryBytes < 64<<20 {
				t.Errorf("the machine has %+v", has)
			}
			spec := l.spec(t, "nproc")
			spec.Limits.CPUs, spec.Limits.Mems = "0", "0"
			if r := l.run(t, spec); r.out != "1\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"what can't be written is refused in words", func(t *testing.T, l *lab) {
			spec := l.spec(t, "true")
			spec.Process.Rlimits = []driver.Rlimit{{Name: "nosuch", Soft: 1, Hard: 1}}
			err := l.fails(t, spec)
			if err == nil || !strings.Contains(err.Error(), "nosuch") {
				t.Errorf("%v", err)
			}
		}},
	}
}

// fed starts a container that is told when to go on.
func (l *lab) fed(t *testing.T, spec driver.Spec) (b *box, goOn func()) {
	t.Helper()
	b = l.create(t, spec)
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	must(t, b.Start(t.Context(), b.streams(r)))
	return b, func() {
		_, err := io.WriteString(w, "go\n")
		must(t, err)
	}
}

// fails starts a task that can't start.
func (l *lab) fails(t *testing.T, spec driver.Spec) error {
	t.Helper()
	task, err := l.Runtime.Create(t.Context(), spec)
	if err != nil {
		return err
	}
	err = task.Start(t.Context(), driver.Streams{})
	must(t, task.Delete(t.Context()))
	return err
}

func testAccounting(t *testing.T, l *lab) {
	l.tests(t, []test{
		{"what containers use", usage},
		{"limits change while it runs", updated},
		{"a lower limit takes effect at once", tightened},
		{"limits of what has ended", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			if err := b.Task.(driver.Updater).Update(t.Context(), driver.Limits{Pids: 5}); !errors.Is(err, driver.ErrNotRunning) {
				t.Errorf("%v, want ErrNotRunning", err)
			}
		}},
	})
}

func usage(t *testing.T, l *lab) {
	spec := l.staying(t, "a=x; i=0; while [ $i -lt 20 ]; do a=$a$a; i=$((i+1)); done; sleep 100000 & echo ready; read x; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); : < /dev/null; done; echo done; read x")
	spec.Limits.MemoryBytes, spec.Limits.Pids = 512<<20, 77
	b, goOn := l.fed(t, spec)
	b.says("ready\n")
	stater, ok := l.Runtime.(driver.Stater)
	if !ok {
		t.Fatal("the runtime does not tell what containers use")
	}
	look := func() driver.Usage {
		t.Helper()
		all, err := stater.Stats(t.Context(), []string{spec.ID, "nosuch"})
		must(t, err)
		if len(all) != 2 || !all[1].At.IsZero() {
			t.Fatalf("%+v, want nothing of what is not there", all)
		}
		return all[0]
	}
	before := look()
	if before.At.IsZero() || before.LimitBytes != 512<<20 || before.PidsLimit != 77 || before.Pids < 2 || before.MemoryBytes < 1<<20 || before.MemoryBytes > 512<<20 || before.CPUs < 1 {
		t.Errorf("%+v", before)
	}
	goOn()
	b.says("ready\ndone\n")
	after := look()
	if after.CPU <= before.CPU || after.SystemCPU < before.SystemCPU {
		t.Errorf("after work %+v, before it %+v", after, before)
	}
}

func updated(t *testing.T, l *lab) {
	spec := l.staying(t, "echo ready; read x; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40; do sleep 1000 & done; echo end; exit 0")
	b, goOn := l.fed(t, spec)
	b.says("ready\n")
	u := b.Task.(driver.Updater)
	// A container without a group gets one for its first limit, with all that runs in it.
	must(t, u.Update(t.Context(), driver.Limits{Pids: 20, MemoryBytes: 256 << 20, MemorySwapBytes: 256 << 20}))
	must(t, u.Update(t.Context(), driver.Limits{Pids: 20, MemoryBytes: 512 << 20, MemorySwapBytes: 600 << 20, CPUQuota: 50 * time.Millisecond, CPUShares: 512}))
	must(t, u.Update(t.Context(), driver.Limits{Pids: 20, MemoryBytes: 200 << 20, MemorySwapBytes: 300 << 20}))
	all, err := l.Runtime.(driver.Stater).Stats(t.Context(), []string{spec.ID})
	must(t, err)
	if all[0].LimitBytes != 200<<20 || all[0].PidsLimit != 20 {
		t.Errorf("%+v", all[0])
	}
	goOn()
	r := b.wait()
	if !strings.Contains(r.errs, "Resource temporarily unavailable") && !strings.Contains(r.errs, "failed to create new OS thread") {
		t.Errorf("%+v", r)
	}
}

func tightened(t *testing.T, l *lab) {
	spec := l.staying(t, "echo ready; read x; tail -c 400000000 /dev/zero")
	b, goOn := l.fed(t, spec)
	b.says("ready\n")
	must(t, b.Task.(driver.Updater).Update(t.Context(), driver.Limits{MemoryBytes: 32 << 20, MemorySwapBytes: 32 << 20}))
	goOn()
	if r := b.wait(); r.Code != 137 || r.OOM == nil || r.OOM.LimitBytes != 32<<20 {
		t.Errorf("%+v, %+v", r, r.OOM)
	}
}
