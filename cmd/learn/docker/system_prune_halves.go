package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/spf13/cobra"
)

// halves are the forms of layers that a system prune is to drop: that, and nothing else, because what is dropped can be had again.
type halves struct{ archives, unpacked bool }

func (h *halves) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&h.archives, "archives", false, "Drop only archives of layers that can be had again from their unpacked files, or from the registry they came from")
	cmd.Flags().BoolVar(&h.unpacked, "unpacked", false, "Drop only unpacked layers that no container uses: they are unpacked again at next use")
}

func (h *halves) any() bool { return h.archives || h.unpacked }

func (h *halves) warning() string {
	text := "WARNING! This will drop one of the two forms in which layers are kept:\n"
	if h.unpacked {
		text += "  - unpacked layers that no container uses, which come back from their archives\n"
	}
	if h.archives {
		text += "  - archives of unpacked layers, which come back from their files; the very bytes of those that another program compressed come\n" +
			"    back from the registry that they came from, when something needs them: a save, a push to another registry\n"
	}
	return text
}

// pruneHalves drops trees first: what has lost its tree keeps its archive.
func (app *App) pruneHalves(ctx context.Context, e *engine.Engine, h halves) error {
	var freed int64
	for _, drop := range []struct {
		wanted bool
		title  string
		do     func(context.Context) (image.Dropped, error)
	}{{h.unpacked, "Dropped unpacked layers:", e.Images.DropUnpacked}, {h.archives, "Dropped archives:", e.Images.DropArchives}} {
		if !drop.wanted {
			continue
		}
		report, err := drop.do(ctx)
		if err == nil && report.Busy {
			err = errors.New("something else is under way that may use layers: try again when it is done")
		}
		if err != nil {
			return err
		}
		app.tellDropped(drop.title, report)
		freed += report.FreedBytes
	}
	fmt.Fprintf(app.Out, "Total reclaimed space: %s\n", format.Size(freed))
	return nil
}

func (app *App) tellDropped(title string, report image.Dropped) {
	if len(report.Layers) > 0 {
		fmt.Fprintln(app.Out, title)
		for _, d := range report.Layers {
			fmt.Fprintln(app.Out, d)
		}
		fmt.Fprintln(app.Out)
	}
	for _, k := range report.Kept {
		fmt.Fprintf(app.Err, "Kept %s: %s\n", k.Layer, format.Clean(k.Reason))
	}
}
