package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/spf13/cobra"
)

func (app *App) systemPrune() *cobra.Command {
	var p pruneCall
	var volumes bool
	var half halves
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove unused data",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if volumes && slices.ContainsFunc(p.filters, func(f string) bool { return strings.HasPrefix(f, "until=") }) {
				return &clientError{msg: `ERROR: The "until" filter is not supported with "--volumes"`}
			}
			warning := pruneWarning(p, volumes)
			if half.any() {
				warning = half.warning()
			}
			if half.any() && p.dryRun {
				return &clientError{msg: "--dry-run is not supported with --archives and --unpacked: docker system df -v says what either would set free"}
			}
			ok, err := app.confirm(p.force || p.dryRun, warning)
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			if half.any() {
				return app.pruneHalves(cmd.Context(), e, half)
			}
			return app.pruneSystem(cmd.Context(), e, p, volumes)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&p.all, "all", "a", false, "Remove all unused images not just dangling ones")
	fl.BoolVar(&volumes, "volumes", false, "Prune anonymous volumes")
	half.flags(cmd)
	p.flags(cmd, `Provide filter values (e.g. "label=<key>=<value>")`)
	return cmd
}

func pruneWarning(p pruneCall, volumes bool) string {
	lines := []string{"WARNING! This will remove:", "  - all stopped containers", "  - all networks not used by at least one container"}
	if volumes {
		lines = append(lines, "  - all anonymous volumes not used by at least one container")
	}
	if p.all {
		lines = append(lines, "  - all images without at least one container associated to them", "  - all build cache")
	} else {
		lines = append(lines, "  - all dangling images", "  - unused build cache")
	}
	if len(p.filters) > 0 {
		filters := slices.Clone(p.filters)
		slices.Sort(filters)
		lines = append(lines, "", "  Items to be pruned will be filtered with:")
		for _, f := range filters {
			lines = append(lines, "  - "+format.Clean(f))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// pruneSystem removes in the order in which one thing keeps the other.
func (app *App) pruneSystem(ctx context.Context, e *engine.Engine, p pruneCall, volumes bool) error {
	gone, freed, err := app.pruneContainers(ctx, e, p)
	if err != nil {
		return err
	}
	unused, err := networkPruneFilter(p.filters, e.Now())
	if err != nil {
		return err
	}
	if err := app.pruneNetworks(ctx, e, p, unused, gone); err != nil {
		return err
	}
	if volumes {
		keep, _, err := volumePruneFilter(p.filters)
		if err != nil {
			return err
		}
		n, err := app.pruneVolumes(ctx, e, p, func(v *volume.Volume) bool { return v.Anonymous() && keep(v) }, gone)
		if err != nil {
			return err
		}
		freed += n
	}
	n, err := app.pruneImages(ctx, e, p, gone)
	if err != nil {
		return err
	}
	freed += n
	if n, err = app.pruneCache(ctx, e, p); err != nil {
		return err
	}
	freed += n
	p.total(app.Out, freed)
	return nil
}

// pruneCache forgets results of builds. As docker has it, a filter of labels says nothing about them, since they have none: it keeps them.
func (app *App) pruneCache(ctx context.Context, e *engine.Engine, p pruneCall) (freed int64, err error) {
	o := build.PruneOptions{All: p.all, DryRun: p.dryRun}
	for _, f := range p.filters {
		key, value, _ := strings.Cut(f, "=")
		if key != "until" {
			return 0, nil
		}
		if o.Before, err = parseWhen(value, time.Now()); err != nil {
			return 0, err
		}
	}
	gone, err := e.Builder.Prune(ctx, o)
	if err != nil {
		return 0, err
	}
	app.tellForgotten(gone, p)
	for _, g := range gone {
		if g.Key == "" || p.dryRun {
			freed += g.Bytes // a cache mount is no blob
		}
	}
	if p.dryRun {
		return freed, nil
	}
	n, err := app.collect(ctx, e)
	return freed + n, err
}

func (app *App) tellForgotten(gone []build.PrunedEntry, p pruneCall) {
	if len(gone) == 0 {
		return
	}
	fmt.Fprintln(app.Out, p.heading("build cache objects"))
	for _, g := range gone {
		if g.Key != "" {
			fmt.Fprintln(app.Out, format.ID(g.Key.String()))
		} else {
			fmt.Fprintln(app.Out, format.Clean(g.Instruction))
		}
	}
	fmt.Fprintln(app.Out)
}
