package container

import (
	"context"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// Stats tells what containers use now, in docker's shape and in their order. Rates come from two answers: PreCPUStats is empty. One that
// does not run uses nothing, and its Read is zero.
func (m *Manager) Stats(ctx context.Context, list []Container) ([]container.StatsResponse, error) {
	stater, ok := m.runtime.(driver.Stater)
	if !ok {
		return nil, unsupported("tell what containers use")
	}
	var ids []string
	for _, c := range list {
		if c.State.Live() && m.foreign(&c) == nil {
			ids = append(ids, c.ID)
		}
	}
	usages, err := stater.Stats(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := make([]container.StatsResponse, len(list))
	next := 0
	for i, c := range list {
		all[i] = container.StatsResponse{ID: c.ID, Name: "/" + c.Name, OSType: "linux"}
		if next < len(ids) && ids[next] == c.ID {
			fill(&all[i], usages[next])
			next++
		}
	}
	return all, nil
}

func fill(s *container.StatsResponse, u driver.Usage) {
	if u.At.IsZero() {
		return // it has ended
	}
	s.Read = u.At
	s.CPUStats = container.CPUStats{CPUUsage: container.CPUUsage{TotalUsage: uint64(u.CPU)}, SystemUsage: uint64(u.SystemCPU), OnlineCPUs: uint32(u.CPUs)}
	s.MemoryStats = container.MemoryStats{Usage: uint64(u.MemoryBytes), Limit: uint64(u.LimitBytes), Stats: map[string]uint64{"inactive_file": uint64(u.InactiveBytes)}}
	s.PidsStats = container.PidsStats{Current: uint64(u.Pids), Limit: uint64(u.PidsLimit)}
	s.BlkioStats.IoServiceBytesRecursive = []container.BlkioStatEntry{{Op: "read", Value: uint64(u.ReadBytes)}, {Op: "write", Value: uint64(u.WriteBytes)}}
	s.Networks = map[string]container.NetworkStats{"eth0": {RxBytes: uint64(u.ReceivedBytes), TxBytes: uint64(u.SentBytes)}}
}
