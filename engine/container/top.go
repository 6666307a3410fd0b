package container

import (
	"context"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
)

// Top lists a container's processes as ps(1) with these options would show them on the machine; without options, as ps -ef. Errors:
// *InvalidError for options that are not understood, *ConflictError when the container does not run.
func (m *Manager) Top(ctx context.Context, ref string, options ...string) (container.TopResponse, error) {
	none := container.TopResponse{}
	columns, err := psColumns(options)
	if err != nil {
		return none, err
	}
	c, err := m.own(ctx, ref)
	if err != nil {
		return none, err
	}
	if c.Problem != nil {
		return none, c.Problem
	}
	if c.State.Restarting {
		return none, isRestarting(c.ID)
	}
	if !c.State.Live() {
		return none, notRunning(c.ID)
	}
	task, err := m.runtime.Load(ctx, c.ID)
	if err != nil {
		return none, err
	}
	l, ok := task.(driver.Lister)
	if !ok {
		return none, unsupported("list the processes of a container")
	}
	procs, err := l.Processes(ctx)
	if err != nil {
		return none, err
	}
	top := container.TopResponse{Processes: [][]string{}}
	for _, col := range columns {
		top.Titles = append(top.Titles, col.title)
	}
	m.tell(c, events.ActionTop)
	seen := psMachine{now: m.now(), memory: m.memory(ctx)}
	for _, p := range procs {
		row := make([]string, len(columns))
		for i, col := range columns {
			row[i] = col.text(&p, seen)
		}
		top.Processes = append(top.Processes, row)
	}
	return top, nil
}

// psMachine is what columns compare processes with.
type psMachine struct {
	now    time.Time
	memory int64 // bytes that the machine has; 0 if it does not tell
}

func (m *Manager) memory(ctx context.Context) int64 {
	if measurer, ok := m.runtime.(driver.Measurer); ok {
		if has, err := measurer.Capacity(ctx); err == nil {
			return has.MemoryBytes
		}
	}
	return 0
}
