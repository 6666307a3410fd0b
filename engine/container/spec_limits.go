package container

import (
	"context"
	"math"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

const minMemory = 6 << 20 // docker's smallest memory limit

// specLimits adds what bounds the container.
func (m *Manager) specLimits(_ context.Context, c *Container, s *driver.Spec) error {
	s.Limits = limits(c.HostConfig)
	return nil
}

func checkLimits(h *container.HostConfig) error {
	switch {
	case h.Memory != 0 && h.Memory < minMemory:
		return invalid("Minimum memory limit allowed is 6MB")
	case h.NanoCPUs < 0:
		return invalid("invalid number of CPUs %.2f: it must be more than 0", float64(h.NanoCPUs)/1e9)
	case h.NanoCPUs > 0 && (h.CPUQuota > 0 || h.CPUPeriod > 0):
		return invalid("Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set")
	case h.CPUPeriod != 0 && (h.CPUPeriod < 1000 || h.CPUPeriod > 1000000):
		return invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
	case h.CPUQuota > 0 && h.CPUQuota < 1000:
		return invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")
	}
	return nil
}

func limits(h *container.HostConfig) driver.Limits {
	l := driver.Limits{MemoryBytes: h.Memory}
	if h.PidsLimit != nil && *h.PidsLimit > 0 {
		l.Pids = *h.PidsLimit
	}
	switch {
	case h.NanoCPUs > 0:
		l.CPUPeriod = 100 * time.Millisecond
		l.CPUQuota = time.Duration(math.Round(float64(h.NanoCPUs) / 1e9 * float64(l.CPUPeriod)))
	case h.CPUQuota > 0:
		l.CPUQuota = time.Duration(h.CPUQuota) * time.Microsecond
		l.CPUPeriod = time.Duration(h.CPUPeriod) * time.Microsecond
	}
	return l
}
