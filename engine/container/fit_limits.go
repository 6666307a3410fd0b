package container

import (
	"context"
	"fmt"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// fitLimits completes limits as docker does, and holds them against what the machine has. What docker leaves out where a kernel can't do
// it is taken out of r, and told.
func (m *Manager) fitLimits(ctx context.Context, h *container.HostConfig) ([]string, error) {
	if h.CPUShares > 0 {
		h.CPUShares = min(max(h.CPUShares, minShares), maxShares)
	}
	return m.fitResources(ctx, &h.Resources)
}

func (m *Manager) fitResources(ctx context.Context, r *container.Resources) ([]string, error) {
	measurer, ok := m.runtime.(driver.Measurer)
	if !ok || !machineDependent(r) {
		return nil, nil
	}
	has, err := measurer.Capacity(ctx)
	if err != nil {
		return nil, err
	}
	if err := fitCPUs(r, has); err != nil {
		return nil, err
	}
	return leaveOut(r, has), nil
}

// machineDependent tells whether r has a limit that not every machine can keep, so that a start without one need not ask.
func machineDependent(r *container.Resources) bool {
	return r.Memory > 0 || r.MemorySwap != 0 || r.MemorySwappiness != nil || r.OomKillDisable != nil || r.NanoCPUs > 0 ||
		r.CpusetCpus != "" || r.CpusetMems != "" || r.BlkioWeight > 0
}

// leaveOut takes out what docker takes out, with docker's words.
func leaveOut(r *container.Resources, has driver.Capacity) []string {
	var warnings []string
	if r.Memory > 0 && r.MemorySwap != -1 && !has.Swap {
		warnings = append(warnings, "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.")
		r.MemorySwap = -1
	}
	if r.Memory > 0 && r.MemorySwap == 0 {
		r.MemorySwap = 2 * r.Memory
	}
	if r.MemorySwappiness != nil && !has.Swappiness {
		warnings = append(warnings, "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.")
		r.MemorySwappiness = nil
	}
	if r.OomKillDisable != nil && !has.OOMKill {
		if *r.OomKillDisable {
			warnings = append(warnings, "Your kernel does not support OomKillDisable. OomKillDisable discarded.")
		}
		r.OomKillDisable = nil
	}
	if r.OomKillDisable != nil && *r.OomKillDisable && r.Memory == 0 {
		warnings = append(warnings, "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.")
	}
	if r.BlkioWeight > 0 && !has.BlkioWeight {
		warnings = append(warnings, "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.")
		r.BlkioWeight = 0
	}
	return warnings
}

func fitCPUs(r *container.Resources, has driver.Capacity) error {
	if r.NanoCPUs > int64(has.CPUs)*1e9 {
		return invalid("Range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available", has.CPUs, has.CPUs)
	}
	for _, set := range []struct{ what, requested, name, available string }{
		{"CPUs", r.CpusetCpus, "cpus", has.CPUList}, {"memory nodes", r.CpusetMems, "mems", has.MemList}} {
		if set.requested == "" {
			continue
		}
		want, err := driver.ParseSet(set.requested)
		if err != nil {
			return invalid("Invalid value %s for cpuset %s: %v", set.requested, set.name, err)
		}
		there, err := driver.ParseSet(set.available)
		if err != nil {
			return fmt.Errorf("read the machine's %s: %w", set.what, err)
		}
		for n := range want {
			if !there[n] {
				return invalid("Requested %s are not available - requested %s, available: %s", set.what, set.requested, set.available)
			}
		}
	}
	return nil
}
