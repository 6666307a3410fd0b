package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

type removeFlags struct {
	force    bool
	platform []string
}

func (app *App) imageRemove() *cobra.Command {
	var f removeFlags
	var noPrune bool
	cmd := &cobra.Command{
		Use:     "rm [OPTIONS] IMAGE [IMAGE...]",
		Aliases: []string{"rmi", "remove"},
		Short:   "Remove one or more images",
		Args:    atLeast(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return app.removeImages(cmd.Context(), f, args) },
	}
	cmd.Flags().BoolVarP(&f.force, "force", "f", false, "Force removal of the image")
	cmd.Flags().BoolVar(&noPrune, "no-prune", false, "Do not delete untagged parents") // there are none: each image names all its layers
	cmd.Flags().StringSliceVar(&f.platform, "platform", nil, `Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return cmd
}

// removeImages removes one after the other, then collects what they alone had. Errors come at the end; with force docker is content without
// an image.
func (app *App) removeImages(ctx context.Context, f removeFlags, names []string) error {
	if len(f.platform) > 1 {
		return errors.New("multiple platforms are not supported")
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	var done []removedImage
	var failed []error
	fatal := false
	for _, name := range names {
		one, err := removeImage(ctx, e, f, name)
		if err != nil {
			failed = append(failed, err)
			fatal = fatal || !image.IsNotFound(err)
			continue
		}
		done = append(done, one)
	}
	err = app.printRemoved(ctx, e, done)
	app.printErrors(failed)
	if len(failed) > 0 && (!f.force || fatal) {
		return errors.Join(&exitError{code: 1}, err)
	}
	return err
}

// removedImage is what came of one name.
type removedImage struct {
	lines  []image.Removal
	layers []image.Layer // of a deleted image, the topmost first
}

func removeImage(ctx context.Context, e *engine.Engine, f removeFlags, name string) (removedImage, error) {
	if len(f.platform) == 1 {
		if _, err := resolveFor(ctx, e, name, f.platform[0]); err != nil {
			return removedImage{}, err
		}
	}
	uses, err := e.Containers.Uses(ctx)
	if err != nil {
		return removedImage{}, err
	}
	lines, layers, err := e.Images.Remove(ctx, name, f.force, func(id digest.Digest) []image.Use { return uses[id] })
	return removedImage{lines, layers}, err
}

// printRemoved collects garbage, and prints for each image the names and layers that went with it. A layer that two of them had went with the
// later one.
func (app *App) printRemoved(ctx context.Context, e *engine.Engine, done []removedImage) error {
	var asked []image.Layer
	for _, one := range done {
		asked = append(asked, one.layers...)
	}
	if len(done) == 0 {
		return nil
	}
	report, err := e.Images.CollectAfter(ctx, asked)
	gone := map[digest.Digest]bool{}
	for _, c := range report.Gone {
		gone[c] = true
	}
	for i := range slices.Backward(done) {
		done[i].layers = slices.DeleteFunc(done[i].layers, func(l image.Layer) bool {
			had := gone[l.ChainID]
			delete(gone, l.ChainID)
			return !had
		})
	}
	for _, one := range done {
		printRemovals(app.Out, "Untagged", "Deleted", one.lines)
		for _, l := range one.layers {
			fmt.Fprintf(app.Out, "Deleted: %s\n", l.ChainID)
		}
	}
	return err
}
