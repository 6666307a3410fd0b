package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/oci"
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/spf13/cobra"
)

// psRow is one line of docker ps, with docker's field names.
type psRow struct {
	Command, CreatedAt, HealthStatus, ID, Image, Labels, LocalVolumes, Mounts, Names, Networks, Platform, Ports, RunningFor, Size, State, Status string

	labels map[string]string
}

// Label is the value of one label, for templates.
func (r psRow) Label(key string) string { return format.Clean(r.labels[key]) }

func psTable() format.Table[psRow] {
	return format.Table[psRow]{
		Default: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
		Quiet:   "{{.ID}}",
		Headers: map[string]string{"ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "CreatedAt": "CREATED AT", "Status": "STATUS", "State": "STATE",
			"Ports": "PORTS", "Names": "NAMES", "Labels": "LABELS", "Mounts": "MOUNTS", "Networks": "NETWORKS", "Platform": "PLATFORM", "HealthStatus": "HEALTH STATUS", "Size": "SIZE", "LocalVolumes": "LOCAL VOLUMES"},
	}
}

type psFlags struct {
	all, quiet, noTrunc, latest, size bool
	last                              int
	spec                              string
	filters                           []string
}

func (app *App) listCommand() *cobra.Command {
	var f psFlags
	cmd := &cobra.Command{
		Use:     "ls [OPTIONS]",
		Aliases: []string{"list", "ps"},
		Short:   "List containers",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.list(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "Show all containers (default shows just running)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Only display container IDs")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Don't truncate output")
	fl.BoolVarP(&f.latest, "latest", "l", false, "Show the latest created container (includes all states)")
	fl.IntVarP(&f.last, "last", "n", -1, "Show n last created containers (includes all states)")
	fl.BoolVarP(&f.size, "size", "s", false, "Display total file sizes")
	fl.StringVar(&f.spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
	fl.StringArrayVarP(&f.filters, "filter", "f", nil, "Filter output: id=, name=, label=, exited=, status=, ancestor=, before=, since=, volume=, network=, publish=, expose=, health=, is-task=")
	return cmd
}

func (app *App) list(ctx context.Context, f psFlags) error {
	filters, err := parsePsFilters(f.filters)
	if err != nil {
		return err
	}
	if f.latest {
		f.last = 1
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	if err := filters.resolve(ctx, e); err != nil {
		return err
	}
	containers, err := e.Containers.List(ctx, f.all || filters.all || f.last > 0)
	if err != nil {
		return err
	}
	f.size = f.size || !f.quiet && strings.Contains(f.spec, ".Size") // docker measures for a template, too
	var rows []psRow
	for i := range containers {
		c := &containers[i]
		if !filters.keep(c) || f.last >= 0 && len(rows) >= f.last {
			continue
		}
		row := newPsRow(c, f.noTrunc, e.Now())
		if f.size {
			row.Size = psSize(ctx, e, c)
		}
		rows = append(rows, row)
	}
	table := psTable()
	if f.size && f.spec == "" {
		table.Default += "\t{{.Size}}"
	}
	if f.quiet {
		return table.WriteQuiet(app.Out, rows)
	}
	return table.Write(app.Out, f.spec, rows)
}

// psSize is the size of the writable layer, and of all layers together.
func psSize(ctx context.Context, e *engine.Engine, c *container.Container) string {
	size, err := e.Containers.Size(ctx, c.ID)
	if err != nil {
		return "N/A" // it is another driver's, or gone meanwhile
	}
	return fmt.Sprintf("%s (virtual %s)", format.Size(size.Writable), format.Size(size.Root))
}

func newPsRow(c *container.Container, noTrunc bool, now time.Time) psRow {
	command := strings.Join(append([]string{c.Path}, c.Args...), " ")
	r := psRow{ID: c.ID, Image: format.Clean(c.Config.Image), Names: c.Name, State: string(c.State.Status), Networks: strings.Join(c.NetworkNames(), ","), Ports: portColumn(c.Ports()), Platform: "linux/" + oci.Architecture(),
		CreatedAt: c.Created.Local().Format("2006-01-02 15:04:05 -0700 MST"), RunningFor: format.Ago(c.Created, now), Labels: labels(c.Config.Labels), labels: c.Config.Labels, Size: "0B",
		Status: psStatus(c, now)}
	if !noTrunc {
		r.ID, command = format.ID(c.ID), format.Ellipsis(command, 20)
	}
	if h := c.State.Health; h != nil {
		r.HealthStatus = string(h.Status)
	}
	r.Mounts, r.LocalVolumes = mountColumns(c, noTrunc)
	r.Command = strconv.Quote(format.Clean(command))
	return r
}

// psStatus is docker's sentence on the state, with what is known of the health of one that runs.
func psStatus(c *container.Container, now time.Time) string {
	s := format.Status(string(c.State.Status), c.State.ExitCode, parseTime(c.State.StartedAt), parseTime(c.State.FinishedAt), now)
	if c.State.Health == nil || c.State.Status != ctypes.StateRunning {
		return s
	}
	if c.State.Health.Status == ctypes.Starting {
		return s + " (health: starting)"
	}
	return s + " (" + string(c.State.Health.Status) + ")"
}

// mountColumns are the names of what is mounted, and how many of them are volumes.
func mountColumns(c *container.Container, noTrunc bool) (mounts, volumes string) {
	var names []string
	n := 0
	for _, p := range c.Mounts {
		name := p.Name
		switch p.Type {
		case mount.TypeVolume:
			n++
		case mount.TypeBind:
			name = p.Source
		case mount.TypeTmpfs:
			continue
		}
		if !noTrunc {
			name = format.Ellipsis(name, 15)
		}
		names = append(names, format.Clean(name))
	}
	return strings.Join(names, ","), strconv.Itoa(n)
}

func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func labels(m map[string]string) string {
	words := make([]string, 0, len(m))
	for k, v := range m {
		words = append(words, k+"="+v)
	}
	slices.Sort(words)
	return format.Clean(strings.Join(words, ","))
}
