//go:build linux

package linux

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/home"
)

// Stats implements driver.Stater. It looks by itself: to wake up every supervisor would cost more than the looking.
func (r *Runtime) Stats(ctx context.Context, ids []string) ([]driver.Usage, error) {
	census, err := shim.TakeCensus()
	if err != nil {
		return nil, fmt.Errorf("read what containers use: %w", err)
	}
	machine := driver.Usage{At: time.Now(), LimitBytes: shim.MachineMemory()}
	machine.SystemCPU, machine.CPUs = shim.MachineCPU()
	boot := home.BootID()
	all := make([]driver.Usage, len(ids))
	for i, id := range ids {
		rec, ok := shim.ReadRecord(filepath.Join(r.home.Containers(), id))
		if !ok || !census.Supervised(rec, boot) {
			continue
		}
		u, err := census.Usage(rec)
		if err != nil { // of another user of a rootless engine
			t := &task{runtime: r, id: id, dir: filepath.Join(r.home.Containers(), id)}
			if reply, askErr := t.ask(ctx, shim.Request{Do: shim.DoUsage}); askErr == nil && reply.Usage != nil {
				u = *reply.Usage
			}
		}
		all[i] = usageOf(u, machine)
	}
	return all, nil
}

// usageOf adds what concerns the machine.
func usageOf(u shim.Usage, machine driver.Usage) driver.Usage {
	all := machine
	all.CPU, all.MemoryBytes, all.InactiveBytes = u.CPU, u.MemoryBytes, u.InactiveBytes
	all.ReadBytes, all.WriteBytes, all.ReceivedBytes, all.SentBytes = u.ReadBytes, u.WriteBytes, u.ReceivedBytes, u.SentBytes
	all.Pids, all.PidsLimit = u.Pids, u.PidsLimit
	if u.LimitBytes > 0 {
		all.LimitBytes = min(u.LimitBytes, machine.LimitBytes)
	}
	return all
}

// Update implements driver.Updater.
func (t *task) Update(ctx context.Context, l driver.Limits) error {
	limits := limitsOf(l)
	_, err := t.ask(ctx, shim.Request{Do: shim.DoUpdate, Limits: &limits})
	return err
}
