package container

import (
	"context"
	"slices"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// specLimits adds what bounds the container.
func (m *Manager) specLimits(_ context.Context, c *Container, s *driver.Spec) error {
	s.Limits = limits(&c.HostConfig.Resources)
	s.ShmBytes = c.HostConfig.ShmSize
	limitProcess(c.HostConfig, &s.Process)
	return nil
}

// limitProcess adds what bounds each process by itself: the first one, and those of exec.
func limitProcess(h *container.HostConfig, p *driver.Process) {
	p.OOMScoreAdj = h.OomScoreAdj
	for _, u := range h.Ulimits {
		p.Rlimits = append(p.Rlimits, driver.Rlimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
}

const usualPeriod = 100 * time.Millisecond // of a quota of CPU time

func limits(r *container.Resources) driver.Limits {
	l := driver.Limits{MemoryBytes: max(r.Memory, 0), MemorySwapBytes: r.MemorySwap, MemoryLowBytes: r.MemoryReservation, CPUShares: r.CPUShares,
		CPUs: r.CpusetCpus, Mems: r.CpusetMems, BlkioWeight: r.BlkioWeight, Swappiness: r.MemorySwappiness,
		OOMKillDisabled: r.OomKillDisable != nil && *r.OomKillDisable}
	if l.MemoryBytes == 0 && l.MemorySwapBytes < 0 {
		l.MemorySwapBytes = 0 // no limit at all
	}
	if r.PidsLimit != nil && *r.PidsLimit > 0 {
		l.Pids = *r.PidsLimit
	}
	switch {
	case r.NanoCPUs > 0:
		l.CPUPeriod = usualPeriod
		l.CPUQuota = time.Duration(r.NanoCPUs * int64(usualPeriod/time.Microsecond) / 1e9 * 1e3) // whole microseconds, as docker has them
	case r.CPUQuota > 0:
		l.CPUQuota = time.Duration(r.CPUQuota) * time.Microsecond
		l.CPUPeriod = time.Duration(r.CPUPeriod) * time.Microsecond
	case r.CPUPeriod > 0:
		l.CPUPeriod = time.Duration(r.CPUPeriod) * time.Microsecond
	}
	return l
}

const (
	minMemory = 6 << 20 // docker's smallest memory limit
	minShares = 2       // of the kernel's scheduler, as maxShares
	maxShares = 1 << 18
)

// checkLimits refuses what is wrong on every machine.
func checkLimits(h *container.HostConfig) error {
	r := &h.Resources
	for _, check := range []func(*container.Resources) error{checkMemory, checkNewMemory, checkCPU, checkUlimits} {
		if err := check(r); err != nil {
			return err
		}
	}
	switch {
	case h.ShmSize < 0:
		return invalid("SHM size can not be less than 0")
	case h.OomScoreAdj < -1000 || h.OomScoreAdj > 1000:
		return invalid("Invalid value %d, range for oom score adj is [-1000, 1000]", h.OomScoreAdj)
	}
	return nil
}

func checkMemory(r *container.Resources) error {
	switch {
	case r.Memory != 0 && r.Memory < minMemory:
		return invalid("Minimum memory limit allowed is 6MB")
	case r.Memory > 0 && r.MemorySwap > 0 && r.MemorySwap < r.Memory:
		return invalid("Minimum memoryswap limit should be larger than memory limit, see usage")
	case r.MemorySwap < -1:
		return invalid("invalid memory-swap limit %d: expected a size, or -1 for no limit", r.MemorySwap)
	case r.MemorySwappiness != nil && (*r.MemorySwappiness < 0 || *r.MemorySwappiness > 100):
		return invalid("Invalid value: %d, valid memory swappiness range is 0-100", *r.MemorySwappiness)
	case r.MemoryReservation != 0 && r.MemoryReservation < minMemory:
		return invalid("Minimum memory reservation allowed is 6MB")
	case r.Memory > 0 && r.MemoryReservation > 0 && r.Memory < r.MemoryReservation:
		return invalid("Minimum memory limit can not be less than memory reservation limit, see usage")
	}
	return nil
}

// checkNewMemory is for a container that is made; an update may leave the memory limit as it is.
func checkNewMemory(r *container.Resources) error {
	if r.Memory == 0 && r.MemorySwap > 0 {
		return invalid("You should always set the Memory limit when using Memoryswap limit, see usage")
	}
	return nil
}

func checkCPU(r *container.Resources) error {
	switch {
	case r.NanoCPUs > 0 && r.CPUPeriod > 0:
		return invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set")
	case r.NanoCPUs > 0 && r.CPUQuota > 0:
		return invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
	case r.NanoCPUs < 0:
		return invalid("invalid number of CPUs %.2f: it must be more than 0", float64(r.NanoCPUs)/1e9)
	case r.CPUShares < 0:
		return invalid("invalid CPU shares (%d): value must be a positive integer", r.CPUShares)
	case r.CPUPeriod != 0 && (r.CPUPeriod < 1000 || r.CPUPeriod > 1000000):
		return invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
	case r.CPUQuota > 0 && r.CPUQuota < 1000:
		return invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")
	case r.NanoCPUs > 0 && r.NanoCPUs < 1e7:
		return invalid("invalid number of CPUs %g: the kernel gives out no less than 0.01", float64(r.NanoCPUs)/1e9)
	case r.CPURealtimePeriod != 0 || r.CPURealtimeRuntime != 0:
		return invalid("Your kernel does not support CPU real-time scheduler: control groups of version 2 have none, so it is not offered; use --cpu-shares or --cpus")
	case r.BlkioWeight > 0 && (r.BlkioWeight < 10 || r.BlkioWeight > 1000):
		return invalid("Range of blkio weight is from 10 to 1000")
	}
	return nil
}

// ulimitNames are the limits of setrlimit(2) that docker lets a container have.
var ulimitNames = []string{"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"}

func checkUlimits(r *container.Resources) error {
	for _, u := range r.Ulimits {
		switch {
		case !slices.Contains(ulimitNames, u.Name):
			return invalid("invalid ulimit type: %s", u.Name)
		case u.Soft < -1 || u.Hard < -1:
			return invalid("invalid ulimit %s: %d:%d: expected numbers from 0, or -1 for no limit", u.Name, u.Soft, u.Hard)
		case u.Hard != -1 && u.Soft == -1:
			return invalid("ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: %d", u.Hard)
		case u.Hard != -1 && u.Soft > u.Hard:
			return invalid("ulimit soft limit must be less than or equal to hard limit: %d > %d", u.Soft, u.Hard)
		}
	}
	return nil
}
