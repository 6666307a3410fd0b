package docker

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/spf13/cobra"
)

// psRow is one line of docker ps, with docker's field names.
type psRow struct {
	Command, CreatedAt, ID, Image, Labels, LocalVolumes, Mounts, Names, Networks, Ports, RunningFor, Size, State, Status string
}

func psTable() format.Table[psRow] {
	return format.Table[psRow]{
		Default: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
		Quiet:   "{{.ID}}",
		Headers: map[string]string{"ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "CreatedAt": "CREATED AT", "Status": "STATUS", "State": "STATE",
			"Ports": "PORTS", "Names": "NAMES", "Labels": "LABELS", "Mounts": "MOUNTS", "Networks": "NETWORKS", "Size": "SIZE", "LocalVolumes": "LOCAL VOLUMES"},
	}
}

type psFlags struct {
	all, quiet, noTrunc, latest bool
	last                        int
	spec                        string
	filters                     []string
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
	fl.StringVar(&f.spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
	fl.StringArrayVarP(&f.filters, "filter", "f", nil, "Filter output: status=, name=, id=, ancestor=, label=, exited=")
	return cmd
}

func (app *App) list(ctx context.Context, f psFlags) error {
	keep, all, err := containerFilter(f.filters)
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
	containers, err := e.Containers.List(ctx, f.all || all || f.last > 0)
	if err != nil {
		return err
	}
	slices.SortStableFunc(containers, func(a, b container.Container) int { return b.Created.Compare(a.Created) })
	var rows []psRow
	for _, c := range containers {
		if keep(c) && (f.last < 0 || len(rows) < f.last) {
			rows = append(rows, newPsRow(c, f.noTrunc, e.Now()))
		}
	}
	if f.quiet {
		return psTable().WriteQuiet(app.Out, rows)
	}
	return psTable().Write(app.Out, f.spec, rows)
}

func newPsRow(c container.Container, noTrunc bool, now time.Time) psRow {
	command := strings.Join(append([]string{c.Path}, c.Args...), " ")
	r := psRow{ID: c.ID, Image: format.Clean(c.Config.Image), Names: c.Name, State: string(c.State.Status), Networks: string(c.HostConfig.NetworkMode),
		CreatedAt: c.Created.Local().Format("2006-01-02 15:04:05 -0700 MST"), RunningFor: format.Ago(c.Created, now), Labels: labels(c.Config.Labels), Size: "0B",
		Status: format.Status(string(c.State.Status), c.State.ExitCode, parseTime(c.State.StartedAt), parseTime(c.State.FinishedAt), now)}
	if !noTrunc {
		r.ID, command = format.ID(c.ID), format.Ellipsis(command, 20)
	}
	r.Mounts, r.LocalVolumes = mountColumns(c, noTrunc)
	r.Command = strconv.Quote(format.Clean(command))
	return r
}

// mountColumns are the names of what is mounted, and how many of them are volumes.
func mountColumns(c container.Container, noTrunc bool) (mounts, volumes string) {
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

// containerFilter turns --filter words into one question; all tells that a filter on the state also looks at stopped containers.
// As in docker, several values of one key are alternatives, different keys must all hold.
func containerFilter(filters []string) (keep func(container.Container) bool, all bool, err error) {
	byKey := map[string][]func(container.Container) bool{}
	for _, f := range filters {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			return nil, false, usagef("invalid filter %q: expected KEY=VALUE", f)
		}
		test := containerTest(key, value)
		if test == nil {
			return nil, false, usagef("invalid filter %q: expected status, name, id, ancestor, label or exited", key)
		}
		all = all || key == "status" || key == "exited"
		byKey[key] = append(byKey[key], test)
	}
	return func(c container.Container) bool {
		for _, tests := range byKey {
			if !slices.ContainsFunc(tests, func(t func(container.Container) bool) bool { return t(c) }) {
				return false
			}
		}
		return true
	}, all, nil
}

func containerTest(key, value string) func(container.Container) bool {
	switch key {
	case "status":
		return func(c container.Container) bool { return string(c.State.Status) == value }
	case "name":
		return func(c container.Container) bool { return strings.Contains(c.Name, value) }
	case "id":
		return func(c container.Container) bool { return strings.HasPrefix(c.ID, value) }
	case "ancestor":
		return func(c container.Container) bool {
			return c.Config.Image == value || c.Config.Image == value+":latest" || strings.HasPrefix(strings.TrimPrefix(c.Image.String(), "sha256:"), value)
		}
	case "label":
		return func(c container.Container) bool { return matchLabel(value, c.Config.Labels) }
	case "exited":
		return func(c container.Container) bool {
			return c.State.Status == "exited" && strconv.Itoa(c.State.ExitCode) == value
		}
	}
	return nil
}
