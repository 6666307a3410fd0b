package docker

import (
	"bytes"
	"testing"

	ctypes "github.com/moby/moby/api/types/container"
)

// The formulas are docker's: a share of all CPUs times their number, memory without the pages of files that nobody has used lately.
func TestStatsRow(t *testing.T) {
	s := ctypes.StatsResponse{ID: "0123456789abcdef0123", Name: "/web",
		PreCPUStats: ctypes.CPUStats{CPUUsage: ctypes.CPUUsage{TotalUsage: 1e9}, SystemUsage: 10e9},
		CPUStats:    ctypes.CPUStats{CPUUsage: ctypes.CPUUsage{TotalUsage: 2.5e9}, SystemUsage: 12e9, OnlineCPUs: 2},
		MemoryStats: ctypes.MemoryStats{Usage: 50 << 20, Limit: 200 << 20, Stats: map[string]uint64{"inactive_file": 10 << 20}},
		Networks:    map[string]ctypes.NetworkStats{"a": {RxBytes: 1500, TxBytes: 1}, "b": {RxBytes: 500, TxBytes: 1}},
		BlkioStats:  ctypes.BlkioStats{IoServiceBytesRecursive: []ctypes.BlkioStatEntry{{Op: "read", Value: 2_000_000}, {Op: "write", Value: 3}, {Op: "discard", Value: 9}}},
		PidsStats:   ctypes.PidsStats{Current: 7}}
	want := statsRow{ID: "0123456789ab", Name: "web", CPUPerc: "150.00%", MemUsage: "40MiB / 200MiB", MemPerc: "20.00%", NetIO: "2kB / 2B", BlockIO: "2MB / 3B", PIDs: "7"}
	if got := newStatsRow(&s, false); got != want {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	if got := newStatsRow(&s, true).ID; got != s.ID {
		t.Errorf("whole id: %s", got)
	}
	first := ctypes.StatsResponse{ID: s.ID, Name: "/web", CPUStats: s.CPUStats}
	if got := newStatsRow(&first, false); got.CPUPerc != "0.00%" || got.MemUsage != "0B / 0B" || got.MemPerc != "0.00%" {
		t.Errorf("nothing to compare with: %+v", got)
	}
	s.MemoryStats.Stats["inactive_file"] = 60 << 20 // read a moment later
	if got := newStatsRow(&s, false).MemUsage; got != "50MiB / 200MiB" {
		t.Errorf("more idle than there is: %s", got)
	}
}

func TestStatsPicture(t *testing.T) {
	var out bytes.Buffer
	s := stats{app: &App{Out: &out}, spec: "{{.Name}}"}
	if err := s.paint([]statsRow{{Name: "a"}, {Name: "b"}}); err != nil {
		t.Fatal(err)
	}
	if want := "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestNanoCPUs(t *testing.T) {
	for text, want := range map[string]nanoCPUs{"1": 1e9, "0.5": 5e8, ".5": 5e8, "1.": 1e9, "0.000000001": 1, "1.500": 15e8, "1/2": 5e8, "3/4": 75e7, "0": 0, "1048576": 1048576e9} {
		var c nanoCPUs
		if err := c.Set(text); err != nil || c != want {
			t.Errorf("%s: %d, %v, want %d", text, c, err, want)
		}
	}
	for _, text := range []string{"", ".", "x", "-1", "1.2.3", "0.0000000001", "1/3", "1/0", "1e9", "9999999999999999999", "1048577", "/", "1/"} {
		if err := new(nanoCPUs).Set(text); err == nil {
			t.Errorf("%s is taken for a number of CPUs", text)
		}
	}
}

func FuzzNanoCPUs(f *testing.F) {
	for _, s := range []string{"1.5", "1/4", ".", "00.10", "9/9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var c nanoCPUs
		if c.Set(s) == nil && (c < 0 || c > (maxCPUs+1)*1e9) {
			t.Errorf("%q: %d", s, c)
		}
	})
}
