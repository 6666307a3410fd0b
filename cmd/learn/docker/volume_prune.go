package docker

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/spf13/cobra"
)

func (app *App) volumePrune() *cobra.Command {
	var all, force bool
	var filters []string
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove unused local volumes",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			keep, named, err := volumePruneFilter(filters)
			if err != nil {
				return err
			}
			if named && all {
				return usagef("conflicting options: cannot specify both --all and --filter all=1")
			}
			all = all || named
			warning := "WARNING! This will remove anonymous local volumes not used by at least one container."
			if all {
				warning = "WARNING! This will remove all local volumes not used by at least one container."
			}
			ok, err := app.confirm(force, warning)
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			freed, err := app.pruneVolumes(cmd.Context(), e, func(v *volume.Volume) bool { return (all || v.Anonymous()) && keep(v) })
			if err != nil {
				return err
			}
			fmt.Fprintf(app.Out, "Total reclaimed space: %s\n", format.Size(freed))
			return nil
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&all, "all", "a", false, "Remove all unused volumes, not just anonymous ones")
	fl.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	fl.StringArrayVar(&filters, "filter", nil, `Provide filter values (e.g., "label=<label>")`)
	return cmd
}

// volumePruneFilter reads the filters that prune has: labels, and all=true for volumes with a name, too.
func volumePruneFilter(filters []string) (keep func(*volume.Volume) bool, all bool, err error) {
	var rest []string
	for _, word := range filters {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "all":
			if all, err = strconv.ParseBool(value); err != nil {
				return nil, false, &volume.InvalidError{Msg: "invalid filter 'all=[" + value + "]'"}
			}
		case "label", "label!":
			rest = append(rest, word)
		default:
			return nil, false, &volume.InvalidError{Msg: "invalid filter '" + key + "'"}
		}
	}
	keep, err = volumeFilter(rest, nil)
	return keep, all, err
}

// pruneVolumes removes the volumes that no container has and that keep picks, and returns the bytes set free.
func (app *App) pruneVolumes(ctx context.Context, e *engine.Engine, pick func(*volume.Volume) bool) (int64, error) {
	gone, freed, err := e.Volumes.Prune(ctx, pick)
	if len(gone) > 0 {
		fmt.Fprintf(app.Out, "Deleted Volumes:\n%s\n\n", strings.Join(gone, "\n"))
	}
	return freed, err
}
