package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/docker/go-units"
	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

// statsRow is one line of docker stats, with docker's field names.
type statsRow struct {
	BlockIO, CPUPerc, Container, ID, MemPerc, MemUsage, Name, NetIO, PIDs string
}

func statsTable() format.Table[statsRow] {
	return format.Table[statsRow]{
		Default: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
		Headers: map[string]string{"Container": "CONTAINER", "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT", "MemPerc": "MEM %",
			"NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS"},
	}
}

// stats holds the options, and what the last look saw: a share of the CPUs comes from two.
type stats struct {
	app                    *App
	all, noStream, noTrunc bool
	spec                   string
	names                  []string
	engine                 *engine.Engine
	before                 map[string]ctypes.CPUStats
}

// statsPause is how long the CPUs are watched for one line.
const statsPause = time.Second

func (app *App) statsCommand() *cobra.Command {
	s := stats{app: app}
	cmd := &cobra.Command{
		Use:   "stats [OPTIONS] [CONTAINER...]",
		Short: "Display a live stream of container(s) resource usage statistics",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if s.engine, err = app.engine(cmd.Context()); err != nil {
				return err
			}
			s.names = args
			return s.run(cmd.Context())
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&s.all, "all", "a", false, "Show all containers (default shows just running)")
	fl.BoolVar(&s.noStream, "no-stream", false, "Disable streaming stats and only pull the first result")
	fl.BoolVar(&s.noTrunc, "no-trunc", false, "Do not truncate output")
	fl.StringVar(&s.spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
	return cmd
}

func (s *stats) run(ctx context.Context) error {
	list, err := s.list(ctx)
	if err != nil {
		return err
	}
	if _, err := s.look(ctx, list); err != nil {
		return err
	}
	for {
		if err := s.rest(ctx, list); err != nil {
			return err
		}
		rows, err := s.look(ctx, list)
		if err != nil {
			return err
		}
		if s.noStream {
			return statsTable().Write(s.app.Out, s.spec, rows)
		}
		if err := s.paint(rows); err != nil {
			return err
		}
		if list, err = s.list(ctx); err != nil {
			return err
		}
		if len(s.names) > 0 && len(list) == 0 {
			return nil // all that were asked for are gone
		}
	}
}

// list finds the containers to show. While it repaints, what has been removed is left out.
func (s *stats) list(ctx context.Context) ([]container.Container, error) {
	if len(s.names) == 0 {
		return s.engine.Containers.List(ctx, s.all)
	}
	var list []container.Container
	for _, name := range s.names {
		c, err := s.engine.Containers.Find(ctx, name)
		if s.before != nil && errors.As(err, new(*container.NotFoundError)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, *c)
	}
	return list, nil
}

// look asks what the containers use and compares with the last look.
func (s *stats) look(ctx context.Context, list []container.Container) ([]statsRow, error) {
	now, err := s.engine.Containers.Stats(ctx, list)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]ctypes.CPUStats, len(now))
	rows := make([]statsRow, len(now))
	for i := range now {
		now[i].PreCPUStats = s.before[now[i].ID]
		seen[now[i].ID] = now[i].CPUStats
		rows[i] = newStatsRow(&now[i], s.noTrunc)
		rows[i].Container = now[i].ID
		if len(s.names) == len(list) {
			rows[i].Container = s.names[i]
		}
	}
	s.before = seen
	return rows, nil
}

// rest lets the machine's time pass, and at least as much of the user's between two pictures. Where nothing runs there is nothing to watch.
func (s *stats) rest(ctx context.Context, list []container.Container) error {
	idle := true
	for _, c := range list {
		idle = idle && !c.State.Live()
	}
	if s.noStream && idle {
		return nil
	}
	begun := time.Now()
	if err := driver.Sleep(ctx, s.engine.Driver.Runtime, statsPause); err != nil || s.noStream {
		return err
	}
	left := time.NewTimer(statsPause - time.Since(begun))
	defer left.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-left.C:
		return nil
	}
}

// paint writes over the last picture in one piece: up to the corner, each line and then to its end, and the rest of the screen blank.
func (s *stats) paint(rows []statsRow) error {
	var text, frame bytes.Buffer
	if err := statsTable().Write(&text, s.spec, rows); err != nil {
		return err
	}
	frame.WriteString("\x1b[H")
	for line := range bytes.Lines(text.Bytes()) {
		frame.Write(bytes.TrimSuffix(line, []byte("\n")))
		frame.WriteString("\x1b[K\n")
	}
	frame.WriteString("\x1b[J")
	_, err := s.app.Out.Write(frame.Bytes())
	return err
}

func newStatsRow(s *ctypes.StatsResponse, noTrunc bool) statsRow {
	used := memoryUsed(&s.MemoryStats)
	var received, sent, read, written uint64
	for _, n := range s.Networks {
		received, sent = received+n.RxBytes, sent+n.TxBytes
	}
	for _, e := range s.BlkioStats.IoServiceBytesRecursive {
		switch e.Op {
		case "read":
			read += e.Value
		case "write":
			written += e.Value
		}
	}
	r := statsRow{ID: s.ID, Name: s.Name[1:], CPUPerc: percent(cpuShare(&s.PreCPUStats, &s.CPUStats)), MemPerc: percent(share(used, s.MemoryStats.Limit)),
		MemUsage: units.BytesSize(float64(used)) + " / " + units.BytesSize(float64(s.MemoryStats.Limit)),
		NetIO:    decimal(received) + " / " + decimal(sent), BlockIO: decimal(read) + " / " + decimal(written), PIDs: strconv.FormatUint(s.PidsStats.Current, 10)}
	if !noTrunc {
		r.ID = format.ID(s.ID)
	}
	return r
}

func decimal(n uint64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

func percent(p float64) string { return fmt.Sprintf("%.2f%%", p) }

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole) * 100
}

// memoryUsed leaves out the pages of files that nobody has used lately, as docker does: the kernel can take them back at any time.
func memoryUsed(m *ctypes.MemoryStats) uint64 {
	if idle := m.Stats["inactive_file"]; idle < m.Usage {
		return m.Usage - idle
	}
	return m.Usage
}

// cpuShare is the part of the time of all CPUs that the container had, times their number: 100 is one whole CPU.
func cpuShare(before, after *ctypes.CPUStats) float64 {
	used := float64(after.CPUUsage.TotalUsage) - float64(before.CPUUsage.TotalUsage)
	all := float64(after.SystemUsage) - float64(before.SystemUsage)
	if before.SystemUsage == 0 || used <= 0 || all <= 0 {
		return 0
	}
	return used / all * float64(after.OnlineCPUs) * 100
}
