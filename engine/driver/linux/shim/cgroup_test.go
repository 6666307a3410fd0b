//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// written lists what settings write in one version, in order.
func written(settings []setting, version int) string {
	var words []string
	for _, s := range settings {
		for _, w := range s.writes(version) {
			words = append(words, w.file+"="+strings.TrimSpace(w.value))
		}
	}
	return strings.Join(words, " ")
}

func TestSettings(t *testing.T) {
	ten := int64(10)
	for _, tc := range []struct {
		name   string
		l      Limits
		v1, v2 string
	}{
		{"none", Limits{}, "", ""},
		{"memory alone", Limits{MemoryBytes: 100}, "memory.limit_in_bytes=100", "memory.max=100"},
		{"memory and swap", Limits{MemoryBytes: 100, MemorySwapBytes: 150}, "memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=150", "memory.max=100 memory.swap.max=50"},
		{"no swap at all", Limits{MemoryBytes: 100, MemorySwapBytes: 100}, "memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=100", "memory.max=100 memory.swap.max=0"},
		{"any swap", Limits{MemoryBytes: 100, MemorySwapBytes: -1}, "memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=-1", "memory.max=100 memory.swap.max=max"},
		{"reservation", Limits{MemoryLowBytes: 7}, "memory.soft_limit_in_bytes=7", "memory.low=7"},
		{"quota", Limits{CPUQuota: 50 * time.Millisecond}, "cpu.cfs_period_us=100000 cpu.cfs_quota_us=50000", "cpu.max=50000 100000"},
		{"period alone", Limits{CPUPeriod: 20 * time.Millisecond}, "cpu.cfs_period_us=20000 cpu.cfs_quota_us=-1", "cpu.max=max 20000"},
		{"shares", Limits{CPUShares: 512}, "cpu.shares=512", "cpu.weight=59"},
		{"sets", Limits{CPUs: "0-1", Mems: "0"}, "cpuset.cpus=0-1 cpuset.mems=0", "cpuset.cpus=0-1 cpuset.mems=0"},
		{"disks", Limits{BlkioWeight: 1000}, "blkio.weight=1000", "io.bfq.weight=1000"},
		{"processes", Limits{Pids: 3}, "pids.max=3", "pids.max=3"},
		{"only in version 1", Limits{OOMKillDisabled: true, Swappiness: &ten}, "memory.oom_control=1 memory.swappiness=10", ""},
	} {
		s := settings(tc.l)
		if v1, v2 := written(s, 1), written(s, 2); v1 != tc.v1 || v2 != tc.v2 {
			t.Errorf("%s: version 1 %q, version 2 %q, want %q and %q", tc.name, v1, v2, tc.v1, tc.v2)
		}
	}
	if w := weightSetting(Limits{BlkioWeight: 10}).v2[0].otherwise; w.file != "io.weight" || w.value != "1" {
		t.Errorf("smallest weight: %+v", w)
	}
	if w := weightSetting(Limits{BlkioWeight: 1000}).v2[0].otherwise; w.value != "10000" {
		t.Errorf("largest weight: %+v", w)
	}
}

func TestChanges(t *testing.T) {
	small, large := Limits{MemoryBytes: 100, MemorySwapBytes: 100, Pids: 5}, Limits{MemoryBytes: 200, MemorySwapBytes: 300, Pids: 5}
	for _, tc := range []struct {
		name     string
		from, to Limits
		v1, v2   string
	}{
		{"nothing", large, large, "", ""},
		{"more memory", small, large, "memory.memsw.limit_in_bytes=300 memory.limit_in_bytes=200", "memory.max=200 memory.swap.max=100"},
		{"less memory", large, small, "memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=100", "memory.max=100 memory.swap.max=0"},
		{"the first limit", Limits{Pids: 5}, small, "memory.limit_in_bytes=100 memory.memsw.limit_in_bytes=100", "memory.max=100 memory.swap.max=0"},
		{"no memory limit any more", small, Limits{Pids: 5}, "memory.memsw.limit_in_bytes=-1 memory.limit_in_bytes=-1", "memory.max=max memory.swap.max=max"},
		{"others go", Limits{Pids: 5, CPUQuota: time.Millisecond, CPUShares: 5, MemoryLowBytes: 9}, Limits{},
			"memory.soft_limit_in_bytes=-1 pids.max=max cpu.cfs_period_us=100000 cpu.cfs_quota_us=-1 cpu.shares=1024", "memory.low=0 pids.max=max cpu.max=max 100000 cpu.weight=100"},
		{"a set", Limits{CPUs: "0"}, Limits{CPUs: "0-1"}, "cpuset.cpus=0-1", "cpuset.cpus=0-1"},
	} {
		c := changes(tc.from, tc.to)
		if v1, v2 := written(c, 1), written(c, 2); v1 != tc.v1 || v2 != tc.v2 {
			t.Errorf("%s: version 1 %q, version 2 %q, want %q and %q", tc.name, v1, v2, tc.v1, tc.v2)
		}
	}
}

// fakeGroup makes a folder that has the files of a control group.
func fakeGroup(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOOMOfGroups(t *testing.T) {
	v1 := fakeGroup(t, map[string]string{"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "memory.limit_in_bytes": "33554432\n", "memory.max_usage_in_bytes": "33550336\n"})
	v2 := fakeGroup(t, map[string]string{"memory.events": "low 0\nhigh 0\nmax 9\noom 3\noom_kill 1\noom_group_kill 0\n", "memory.max": "max\n"})
	calm := fakeGroup(t, map[string]string{"memory.events": "oom 3\noom_kill 0\n", "memory.max": "100\n"})
	for dir, want := range map[Hierarchy]*OOM{{"memory", v1, 1}: {33554432, 33550336, 2}, {"unified", v2, 2}: {0, 0, 1}, {"unified", calm, 2}: nil} {
		got := (&groups{members: []Hierarchy{{"pids", "/nosuch", 1}, dir}}).oom()
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%+v: %+v, want %+v", dir, got, want)
		}
	}
}

func TestUsageOfGroups(t *testing.T) {
	v2 := fakeGroup(t, map[string]string{"cpu.stat": "usage_usec 2500\nuser_usec 1\n", "memory.current": "5000\n", "memory.stat": "anon 3\ninactive_file 700\nactive_file 9\n", "memory.max": "9000\n",
		"pids.current": "4\n", "pids.max": "max\n", "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2\n"})
	var u Usage
	var c counters
	c.read(v2, &u)
	if want := (Usage{CPU: 2500 * time.Microsecond, MemoryBytes: 5000, InactiveBytes: 700, LimitBytes: 9000, ReadBytes: 11, WriteBytes: 22, Pids: 4}); u != want || c != (counters{true, true, true, true}) {
		t.Errorf("%+v %+v, want %+v", u, c, want)
	}
	v1 := fakeGroup(t, map[string]string{"memory.usage_in_bytes": "5000\n", "memory.stat": "inactive_file 1\ntotal_inactive_file 70\n", "memory.limit_in_bytes": "9223372036854771712\n", "cpu.stat": "nr_periods 7\n"})
	u, c = Usage{}, counters{}
	c.read(v1, &u)
	if want := (Usage{MemoryBytes: 5000, InactiveBytes: 70}); u != want || c != (counters{memory: true}) {
		t.Errorf("%+v %+v, want %+v", u, c, want)
	}
}

func TestSumInterfaces(t *testing.T) {
	const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    9999      10    0    0    0     0          0         0     9999      10    0    0    0     0       0          0
  eth0:     100       1    0    0    0     0          0         0       30       1    0    0    0     0       0          0
  eth1:       5       1    0    0    0     0          0         0        7       1    0    0    0     0       0          0
`
	if in, out := sumInterfaces(text); in != 105 || out != 37 {
		t.Errorf("%d in, %d out", in, out)
	}
}

// What a process is said to have used is what the kernel says of its own.
func TestUsedTime(t *testing.T) {
	begin := Counted{pid: os.Getpid()}.used()
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
	}
	after := Counted{pid: os.Getpid()}.used()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	all := time.Duration(r.Utime.Nano() + r.Stime.Nano())
	if after <= begin || after > all+time.Second || after < all/4 {
		t.Errorf("%v, then %v; getrusage says %v", begin, after, all)
	}
}

func TestCensus(t *testing.T) {
	c, err := TakeCensus()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, p := range c.below(os.Getppid()) {
		found = found || p.pid == os.Getpid() && p.threads > 0
	}
	if !found {
		t.Error("this process is not below its parent")
	}
}

func FuzzUsageTexts(f *testing.F) {
	f.Add("8:0 rbytes=10 wbytes=20\n", "eth0: 1 2 3 4 5 6 7 8 9\n")
	f.Add("rbytes=-1 wbytes=99999999999999999999", "lo:\n:\n")
	f.Fuzz(func(t *testing.T, stat, dev string) {
		sumIO(stat)
		sumInterfaces(dev)
		if n := after([]byte(stat), "rbytes="); n < 0 && len(stat) < 25 {
			t.Errorf("%d after rbytes= in %q", n, stat)
		}
	})
}
