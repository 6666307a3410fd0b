package drivertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

func testLimits(t *testing.T, l *lab) {
	l.tests(t, memoryLimits(), otherLimits(), processLimits())
}

func memoryLimits() []test {
	return []test{
		{"a program over the memory limit is killed: 137, and said so", func(t *testing.T, l *lab) {
			spec := l.spec(t, "tail", "-c", "400000000", "/dev/zero")
			spec.Limits.MemoryBytes = 32 << 20
			r := l.run(t, spec)
			if r.Code != 137 || !r.OOMKilled || r.Signal != sigKill {
				t.Errorf("%+v", r)
			}
			// A kernel before 5.19 keeps no peak under version 2.
			if o := r.OOM; o == nil || o.LimitBytes != 32<<20 || o.Kills != 1 || o.PeakBytes != 0 && o.PeakBytes < 24<<20 || o.PeakBytes > 33<<20 { // the kernel charges ahead
				t.Errorf("counted %+v", r.OOM)
			}
		}},
		{"a shell variable over the memory limit", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("a=x; while :; do a=$a$a; done")...)
			spec.Limits.MemoryBytes = 32 << 20
			if r := l.run(t, spec); r.Code != 137 || !r.OOMKilled {
				t.Errorf("%+v", r)
			}
		}},
		{"a child over the memory limit is killed, the first process lives on", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("sh -c 'a=x; while :; do a=$a$a; done'; echo $?")...)
			spec.Limits.MemoryBytes = 64 << 20
			r := l.run(t, spec)
			if r.Code != 0 || r.out != "137\n" || !r.OOMKilled || r.OOM == nil || r.OOM.Kills != 1 {
				t.Errorf("%+v, %+v", r, r.OOM)
			}
		}},
		{"a program within the memory limit runs", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("seq 1 1000 | sort -n | tail -n 1")...)
			spec.Limits.MemoryBytes = 128 << 20
			if r := l.run(t, spec); r.Code != 0 || r.out != "1000\n" || r.OOMKilled || r.OOM != nil {
				t.Errorf("%+v", r)
			}
		}},
		{"files in a tmpfs count as memory", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("head -c 400000000 /dev/zero > /mnt/f; echo survived")...)
			spec.Mounts = []driver.Mount{{Type: "tmpfs", Target: "/mnt"}}
			spec.Limits.MemoryBytes = 32 << 20
			if r := l.run(t, spec); strings.Contains(r.errs, "No space") || r.Code == 0 && r.out == "survived\n" && r.errs == "" {
				t.Errorf("%+v", r)
			}
		}},
	}
}

func otherLimits() []test {
	return []test{
		{"no more processes than the limit", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do sleep 1000 & done; echo end; exit 0")...)
			spec.Limits.Pids = 20
			// Where threads count, the shell itself may be the one who is refused.
			if r := l.run(t, spec); !strings.Contains(r.errs, "Resource temporarily unavailable") && !strings.Contains(r.errs, "failed to create new OS thread") {
				t.Errorf("%+v", r)
			}
		}},
		{"within the limit processes start", func(t *testing.T, l *lab) {
			spec := l.spec(t, script("for i in 1 2 3; do true & done; wait; echo end")...)
			spec.Limits.Pids = 60
			if r := l.run(t, spec); r.out != "end\n" || r.errs != "" {
				t.Errorf("%+v", r)
			}
		}},
		{"a quota of CPU time stretches work", stretched},
	}
}

// stretched holds a quota to its word: what it gives in a time is that part of the time. A machine that is busy elsewhere gives less, and one
// that skips time for others takes more of it, so neither can break this.
func stretched(t *testing.T, l *lab) {
	work := 20000
	if slow() {
		work = 500 // its shell's start alone is more than a period's quota
	}
	spec := l.staying(t, fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); : < /dev/null; done; echo done; read x", work))
	spec.Limits.CPUQuota, spec.Limits.CPUPeriod = 20*time.Millisecond, 100*time.Millisecond
	b := l.start(t, spec)
	b.says("done\n")
	st, err := b.Status(t.Context())
	must(t, err)
	took := l.now().Sub(st.StartedAt)
	list, err := b.Task.(driver.Lister).Processes(t.Context())
	must(t, err)
	if used := list[0].CPU; used < 20*time.Millisecond || took < used*5/2 {
		t.Errorf("a fifth of a CPU: %v of it in %v", used, took)
	}
}
