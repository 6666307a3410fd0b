package docker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/go-units"
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// resourceFlags are the limits that run, create and update share.
type resourceFlags struct {
	memory, reservation memBytes
	swap                swapBytes
	cpus                nanoCPUs
	period, quota       int64
	rtPeriod, rtRuntime int64
	shares, pids        int64
	cpuset, memset      string
	blkio               uint16
	set                 *pflag.FlagSet
}

func (f *resourceFlags) register(fl *pflag.FlagSet) {
	f.set = fl
	fl.VarP(&f.memory, "memory", "m", "Memory limit")
	fl.Var(&f.reservation, "memory-reservation", "Memory soft limit")
	fl.Var(&f.swap, "memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap")
	fl.Var(&f.cpus, "cpus", "Number of CPUs")
	fl.Int64Var(&f.period, "cpu-period", 0, "Limit CPU CFS (Completely Fair Scheduler) period")
	fl.Int64Var(&f.quota, "cpu-quota", 0, "Limit CPU CFS (Completely Fair Scheduler) quota")
	fl.Int64Var(&f.rtPeriod, "cpu-rt-period", 0, "Limit CPU real-time period in microseconds")
	fl.Int64Var(&f.rtRuntime, "cpu-rt-runtime", 0, "Limit CPU real-time runtime in microseconds")
	fl.Int64VarP(&f.shares, "cpu-shares", "c", 0, "CPU shares (relative weight)")
	fl.StringVar(&f.cpuset, "cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)")
	fl.StringVar(&f.memset, "cpuset-mems", "", "MEMs in which to allow execution (0-3, 0,1)")
	fl.Uint16Var(&f.blkio, "blkio-weight", 0, "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)")
	fl.Int64Var(&f.pids, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)")
	fl.Var(new(memBytes), "kernel-memory", "Kernel memory limit (deprecated)")
	_ = fl.MarkHidden("kernel-memory")
}

func (f *resourceFlags) resources(app *App, r *ctypes.Resources) {
	if f.set.Changed("kernel-memory") {
		fmt.Fprintln(app.Err, "Flag --kernel-memory has been deprecated, and no longer supported by the kernel")
	}
	r.Memory, r.MemoryReservation, r.MemorySwap = int64(f.memory), int64(f.reservation), int64(f.swap)
	r.NanoCPUs, r.CPUPeriod, r.CPUQuota, r.CPUShares = int64(f.cpus), f.period, f.quota, f.shares
	r.CPURealtimePeriod, r.CPURealtimeRuntime = f.rtPeriod, f.rtRuntime
	r.CpusetCpus, r.CpusetMems, r.BlkioWeight = f.cpuset, f.memset, f.blkio
	if f.set.Changed("pids-limit") {
		r.PidsLimit = &f.pids
	}
}

// limitFlags bound what a container may use.
type limitFlags struct {
	resourceFlags
	shm            memBytes
	swappiness     int64
	oomKillDisable bool
	oomScoreAdj    int
	ulimits        ulimits
}

func (f *limitFlags) register(fl *pflag.FlagSet) {
	f.resourceFlags.register(fl)
	fl.Var(&f.shm, "shm-size", "Size of /dev/shm")
	fl.Int64Var(&f.swappiness, "memory-swappiness", -1, "Tune container memory swappiness (0 to 100)")
	fl.BoolVar(&f.oomKillDisable, "oom-kill-disable", false, "Disable OOM Killer")
	fl.IntVar(&f.oomScoreAdj, "oom-score-adj", 0, "Tune host's OOM preferences (-1000 to 1000)")
	f.ulimits = ulimits{}
	fl.Var(f.ulimits, "ulimit", "Ulimit options")
}

func (f *limitFlags) apply(app *App, _ *ctypes.Config, host *ctypes.HostConfig) error {
	f.resources(app, &host.Resources)
	host.ShmSize, host.OomScoreAdj = int64(f.shm), f.oomScoreAdj
	if f.swappiness != -1 {
		host.MemorySwappiness = &f.swappiness
	}
	if f.oomKillDisable {
		host.OomKillDisable = &f.oomKillDisable
	}
	for _, name := range slices.Sorted(maps.Keys(f.ulimits)) {
		host.Ulimits = append(host.Ulimits, f.ulimits[name])
	}
	return nil
}

// memBytes is a size such as 64m.
type memBytes int64

func (m *memBytes) Set(s string) error {
	n, err := units.RAMInBytes(s)
	*m = memBytes(n)
	return err
}

func (m *memBytes) String() string {
	if *m == 0 {
		return "0"
	}
	return units.BytesSize(float64(*m))
}

func (m *memBytes) Type() string { return "bytes" }

// swapBytes is a size, or -1.
type swapBytes int64

func (m *swapBytes) Set(s string) error {
	if s == "-1" {
		*m = -1
		return nil
	}
	return (*memBytes)(m).Set(s)
}

func (m *swapBytes) String() string { return (*memBytes)(m).String() }
func (m *swapBytes) Type() string   { return "bytes" }

// ulimits are limits by name, of which the last one given counts.
type ulimits map[string]*units.Ulimit

func (u ulimits) Set(s string) error {
	l, err := units.ParseUlimit(s)
	if err == nil {
		u[l.Name] = l
	}
	return err
}

func (u ulimits) String() string {
	words := make([]string, 0, len(u))
	for _, name := range slices.Sorted(maps.Keys(u)) {
		words = append(words, u[name].String())
	}
	return "[" + strings.Join(words, " ") + "]"
}

func (u ulimits) Type() string { return "ulimit" }
