package docker

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/spf13/cobra"
)

// volumeRow is one line of docker volume ls, with docker's field names.
type volumeRow struct {
	Availability, Driver, Group, Labels, Links, Mountpoint, Name, Scope, Size, Status string
	labels                                                                            map[string]string
}

// Label is the value of one label, for templates.
func (r volumeRow) Label(name string) string { return format.Clean(r.labels[name]) }

func volumeTable() format.Table[volumeRow] {
	return format.Table[volumeRow]{
		Default: "{{.Driver}}\t{{.Name}}",
		Quiet:   "{{.Name}}",
		Headers: map[string]string{"Driver": "DRIVER", "Name": "VOLUME NAME", "Labels": "LABELS", "Links": "LINKS", "Mountpoint": "MOUNTPOINT", "Scope": "SCOPE",
			"Size": "SIZE", "Status": "STATUS", "Group": "GROUP", "Availability": "AVAILABILITY"},
	}
}

func (app *App) volumeList() *cobra.Command {
	var quiet bool
	var spec string
	var filters []string
	cmd := &cobra.Command{
		Use:     "ls [OPTIONS]",
		Aliases: []string{"list"},
		Short:   "List volumes",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return app.listVolumes(cmd.Context(), quiet, spec, filters)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&quiet, "quiet", "q", false, "Only display volume names")
	fl.StringVar(&spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
	fl.StringArrayVarP(&filters, "filter", "f", nil, "Provide filter values: dangling=, driver=, label=, name=")
	return cmd
}

func (app *App) listVolumes(ctx context.Context, quiet bool, spec string, filters []string) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	uses, err := e.Containers.VolumeUses(ctx)
	if err != nil {
		return err
	}
	keep, err := volumeFilter(filters, func(name string) bool { return len(uses[name]) > 0 })
	if err != nil {
		return err
	}
	all, err := e.Volumes.List()
	if err != nil {
		return err
	}
	var rows []volumeRow
	for _, v := range all {
		if keep(v) {
			rows = append(rows, newVolumeRow(e, v))
		}
	}
	if quiet {
		return volumeTable().WriteQuiet(app.Out, rows)
	}
	return volumeTable().Write(app.Out, spec, rows)
}

func newVolumeRow(e *engine.Engine, v *volume.Volume) volumeRow {
	r := volumeRow{Driver: v.Driver, Name: v.Name, Labels: labels(v.Labels), labels: v.Labels, Scope: "local", Mountpoint: format.Clean(e.Volumes.Mountpoint(v)),
		Links: "N/A", Size: "N/A", Status: "N/A", Group: "N/A", Availability: "N/A"}
	if v.Problem != nil {
		r.Status = format.Clean(v.Problem.Error())
	}
	return r
}

// volumeFilter turns --filter words into one question. Several values of one key are alternatives, but labels must all be there.
func volumeFilter(filters []string, used func(name string) bool) (func(*volume.Volume) bool, error) {
	byKey := map[string][]func(*volume.Volume) bool{}
	for _, word := range filters {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, usagef("invalid argument %q for \"-f, --filter\" flag: invalid filter '%s'", word, word)
		}
		var test func(v *volume.Volume) bool
		switch key {
		case "dangling":
			want, err := strconv.ParseBool(value)
			if err != nil {
				return nil, &volume.InvalidError{Msg: "invalid filter 'dangling=[" + value + "]'"}
			}
			test = func(v *volume.Volume) bool { return used(v.Name) != want }
		case "driver":
			test = func(v *volume.Volume) bool { return v.Driver == value }
		case "name":
			test = func(v *volume.Volume) bool { return strings.Contains(v.Name, value) }
		case "label", "label!":
			want := key == "label"
			test = func(v *volume.Volume) bool { return matchLabel(value, v.Labels) == want }
			key += word
		default:
			return nil, &volume.InvalidError{Msg: "invalid filter '" + key + "'"}
		}
		byKey[key] = append(byKey[key], test)
	}
	return func(v *volume.Volume) bool {
		for _, tests := range byKey {
			if !slices.ContainsFunc(tests, func(t func(*volume.Volume) bool) bool { return t(v) }) {
				return false
			}
		}
		return true
	}, nil
}
