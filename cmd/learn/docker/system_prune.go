package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

func (app *App) systemPrune() *cobra.Command {
	var all, force, volumes bool
	var half halves
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove unused data",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			warning := pruneWarning(all, volumes)
			if half.any() {
				warning = half.warning()
			}
			ok, err := app.confirm(force, warning)
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
			return app.pruneSystem(cmd.Context(), e, all, volumes)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&all, "all", "a", false, "Remove all unused images not just dangling ones")
	fl.BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	fl.BoolVar(&volumes, "volumes", false, "Prune anonymous volumes")
	half.flags(cmd)
	return cmd
}

func pruneWarning(all, volumes bool) string {
	lines := []string{"WARNING! This will remove:", "  - all stopped containers"}
	if volumes {
		lines = append(lines, "  - all anonymous volumes not used by at least one container")
	}
	if all {
		lines = append(lines, "  - all images without at least one container associated to them", "  - all build cache")
	} else {
		lines = append(lines, "  - all dangling images", "  - unused build cache")
	}
	return strings.Join(lines, "\n") + "\n"
}

// pruneSystem removes in the order in which one thing keeps the other.
func (app *App) pruneSystem(ctx context.Context, e *engine.Engine, all, volumes bool) error {
	freed, err := app.pruneContainers(ctx, e, nil)
	if err != nil {
		return err
	}
	if volumes {
		n, err := app.pruneVolumes(ctx, e, (*volume.Volume).Anonymous)
		if err != nil {
			return err
		}
		freed += n
	}
	uses, err := e.Containers.Uses(ctx)
	if err != nil {
		return err
	}
	report, err := e.Images.Prune(ctx, all, func(id digest.Digest) bool { return len(uses[id]) > 0 })
	if err != nil {
		return err
	}
	app.tellPruned(report.Removed)
	gone, err := e.Builder.Prune(ctx, build.PruneOptions{All: all})
	if err != nil {
		return err
	}
	app.tellForgotten(gone)
	n, err := app.collect(ctx, e)
	if err != nil {
		return err
	}
	for _, g := range gone {
		if g.Key == "" {
			freed += g.Bytes // a cache mount is no blob
		}
	}
	fmt.Fprintf(app.Out, "Total reclaimed space: %s\n", format.Size(freed+report.FreedBytes+n))
	return nil
}

func (app *App) tellPruned(removed []image.Removal) {
	if len(removed) > 0 {
		fmt.Fprintln(app.Out, "Deleted Images:")
		app.printPruned(removed)
		fmt.Fprintln(app.Out)
	}
}

func (app *App) tellForgotten(gone []build.PrunedEntry) {
	if len(gone) == 0 {
		return
	}
	fmt.Fprintln(app.Out, "Deleted build cache objects:")
	for _, g := range gone {
		if g.Key != "" {
			fmt.Fprintln(app.Out, format.ID(g.Key.String()))
		} else {
			fmt.Fprintln(app.Out, format.Clean(g.Instruction))
		}
	}
	fmt.Fprintln(app.Out)
}
