package sim

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// Capacity implements driver.Measurer. The machine has no swap, so to limit it is nothing to do; it has no disks either, and none of what
// only version 1 of control groups can.
func (r *Runtime) Capacity(context.Context) (driver.Capacity, error) {
	return driver.Capacity{CPUs: machineCPUs, CPUList: "0-" + strconv.Itoa(machineCPUs-1), MemList: "0", MemoryBytes: machineMemory, Swap: true}, nil
}

// Stats implements driver.Stater.
func (r *Runtime) Stats(ctx context.Context, ids []string) ([]driver.Usage, error) {
	all := make([]driver.Usage, len(ids))
	for i, id := range ids {
		t := &task{runtime: r, id: id, dir: filepath.Join(r.home.Containers(), id)}
		reply, err := t.ask(ctx, request{Do: doUsage})
		if errors.Is(err, driver.ErrNotRunning) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read what containers use: %w", err)
		}
		if reply.Usage != nil {
			all[i] = *reply.Usage
		}
	}
	return all, nil
}

// usage is what the container uses on the simulated machine. It reads and writes no disk: its files are somebody else's memory.
func (h *host) usage() *driver.Usage {
	u, now := h.box.Usage(), h.machine.clock.Now()
	all := driver.Usage{At: now, CPU: u.CPU, SystemCPU: machineCPUs * now.Sub(time.Unix(0, 0)), CPUs: machineCPUs, MemoryBytes: u.MemoryBytes,
		LimitBytes: machineMemory, Pids: int64(u.Pids), PidsLimit: u.Limits.Pids}
	if u.Limits.MemoryBytes > 0 {
		all.LimitBytes = min(u.Limits.MemoryBytes, machineMemory)
	}
	return &all
}

// update changes the limits of the running container.
func (h *host) update(l *driver.Limits) error {
	if l == nil {
		return errors.New("update limits: none were given")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return driver.ErrNotRunning
	}
	h.group.update(h.machine.home.Root(), h.spec.ID, h.spec.Limits, *l, h.events)
	h.spec.Limits = *l
	h.box.SetLimits(*l)
	return nil
}

// Update implements driver.Updater.
func (t *task) Update(ctx context.Context, l driver.Limits) error {
	_, err := t.ask(ctx, request{Do: doUpdate, Limits: &l})
	return err
}
