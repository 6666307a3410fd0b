package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/spf13/cobra"
)

func (app *App) volumePrune() *cobra.Command {
	var all bool
	var p pruneCall
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove unused local volumes",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			keep, named, err := volumePruneFilter(p.filters)
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
			ok, err := app.confirm(p.force || p.dryRun, warning)
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			freed, err := app.pruneVolumes(cmd.Context(), e, p, func(v *volume.Volume) bool { return (all || v.Anonymous()) && keep(v) }, nil)
			if err != nil {
				return err
			}
			p.total(app.Out, freed)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Remove all unused volumes, not just anonymous ones")
	p.flags(cmd, `Provide filter values (e.g., "label=<label>")`)
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

// pruneVolumes removes the volumes that no container has and that keep picks, and returns the bytes set free. gone are containers that a dry
// run takes for removed.
func (app *App) pruneVolumes(ctx context.Context, e *engine.Engine, p pruneCall, pick func(*volume.Volume) bool, removed map[string]bool) (freed int64, err error) {
	var gone []string
	if p.dryRun {
		gone, freed, err = unusedVolumes(ctx, e, pick, removed)
	} else {
		gone, freed, err = e.Volumes.Prune(ctx, pick)
	}
	if len(gone) > 0 {
		fmt.Fprintf(app.Out, "%s\n%s\n\n", p.heading("Volumes"), strings.Join(gone, "\n"))
	}
	return freed, err
}

// unusedVolumes are those that a prune would remove.
func unusedVolumes(ctx context.Context, e *engine.Engine, pick func(*volume.Volume) bool, removed map[string]bool) (names []string, bytes int64, err error) {
	uses, err := e.Containers.VolumeUses(ctx)
	if err != nil {
		return nil, 0, err
	}
	all, err := e.Volumes.List()
	if err != nil {
		return nil, 0, err
	}
	for _, v := range all {
		used := slices.ContainsFunc(uses[v.Name], func(id string) bool { return !removed[id] })
		if v.Problem != nil || used || !pick(v) {
			continue
		}
		size, err := e.Volumes.Size(ctx, v)
		if err != nil {
			return nil, 0, err
		}
		names, bytes = append(names, v.Name), bytes+max(size, 0)
	}
	return names, bytes, nil
}
