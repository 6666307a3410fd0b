package docker

import (
	"context"
	"fmt"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

func (app *App) imageRemove() *cobra.Command {
	var force, noPrune bool
	cmd := &cobra.Command{
		Use:     "rm [OPTIONS] IMAGE [IMAGE...]",
		Aliases: []string{"remove"},
		Short:   "Remove one or more images",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			failed := false
			for _, name := range args {
				if err := app.removeImage(cmd.Context(), e, name, force); err != nil {
					fmt.Fprintf(app.Err, "Error response from daemon: %v\n", err)
					failed = failed || !force || !image.IsNotFound(err) // with -f docker is content without the image
				}
			}
			if _, err = app.collect(cmd.Context(), e); failed {
				return &exitError{1, err}
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Force removal of the image")
	cmd.Flags().BoolVar(&noPrune, "no-prune", false, "Do not delete untagged parents")
	return cmd
}

func (app *App) removeImage(ctx context.Context, e *engine.Engine, name string, force bool) error {
	uses, err := e.Containers.Uses(ctx)
	if err != nil {
		return err
	}
	removed, err := e.Images.Remove(ctx, name, force, func(id digest.Digest) []image.Use { return uses[id] })
	app.printRemovals(removed)
	return err
}

func (app *App) printRemovals(removed []image.Removal) {
	for _, r := range removed {
		if r.Untagged != "" {
			fmt.Fprintf(app.Out, "Untagged: %s\n", r.Untagged)
		}
		if r.Deleted != "" {
			fmt.Fprintf(app.Out, "Deleted: %s\n", r.Deleted)
		}
	}
}

func (app *App) imagePrune() *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove unused images",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			warning := "WARNING! This will remove all dangling images."
			if all {
				warning = "WARNING! This will remove all images without at least one container associated to them."
			}
			ok, err := app.confirm(force, warning)
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.pruneImages(cmd.Context(), e, all)
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Remove all unused images, not just dangling ones")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return cmd
}

func (app *App) pruneImages(ctx context.Context, e *engine.Engine, all bool) error {
	uses, err := e.Containers.Uses(ctx)
	if err != nil {
		return err
	}
	report, err := e.Images.Prune(ctx, all, func(id digest.Digest) bool { return len(uses[id]) > 0 })
	if err != nil {
		return err
	}
	if len(report.Removed) > 0 {
		fmt.Fprintln(app.Out, "Deleted Images:")
		app.printPruned(report.Removed)
		fmt.Fprintln(app.Out)
	}
	freed, err := app.collect(ctx, e)
	fmt.Fprintf(app.Out, "Total reclaimed space: %s\n", format.Size(report.FreedBytes+freed))
	return err
}

func (app *App) printPruned(removed []image.Removal) {
	for _, r := range removed {
		if r.Untagged != "" {
			fmt.Fprintf(app.Out, "untagged: %s\n", r.Untagged)
		}
		if r.Deleted != "" {
			fmt.Fprintf(app.Out, "deleted: %s\n", r.Deleted)
		}
	}
}
