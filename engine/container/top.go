package container

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"github.com/learn-containers/learn/engine/driver"
)

// Top lists a container's processes in the columns of ps -ef, with process ids of the host.
func (m *Manager) Top(ctx context.Context, ref string) (container.TopResponse, error) {
	none := container.TopResponse{}
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
	m.tell(c, events.ActionTop)
	top := container.TopResponse{Titles: strings.Fields("UID PID PPID C STIME TTY TIME CMD"), Processes: [][]string{}}
	now := m.now()
	for _, p := range procs {
		top.Processes = append(top.Processes, row(p, now))
	}
	return top, nil
}

func row(p driver.ProcessInfo, now time.Time) []string {
	uid := strconv.FormatUint(uint64(p.UID), 10)
	if p.UID == 0 {
		uid = "root"
	}
	return []string{uid, strconv.Itoa(p.Pid), strconv.Itoa(p.PPid), share(p, now), started(p.StartedAt, now), or(p.TTY, "?"),
		clock(p.CPU), strings.Join(p.Argv, " ")}
}

// share is the part of its life that the process spent on a CPU, in percent.
func share(p driver.ProcessInfo, now time.Time) string {
	life := now.Sub(p.StartedAt)
	if life <= 0 || p.StartedAt.IsZero() {
		return "0"
	}
	return strconv.Itoa(min(99, int(100*p.CPU/life)))
}

func started(t, now time.Time) string {
	t = t.Local()
	switch {
	case t.IsZero():
		return "?"
	case now.Sub(t) < 24*time.Hour:
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("Jan02")
	}
	return t.Format("2006")
}

func clock(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
