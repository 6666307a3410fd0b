package docker

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

const dryRunHelp = "Say what would be removed and how much room that would make, and remove nothing"

// pruneCall is what the prune commands have in common.
type pruneCall struct {
	all, force, dryRun bool
	filters            []string
}

func (p *pruneCall) flags(cmd *cobra.Command, filterHelp string) {
	fl := cmd.Flags()
	fl.BoolVarP(&p.force, "force", "f", false, "Do not prompt for confirmation")
	fl.BoolVar(&p.dryRun, "dry-run", false, dryRunHelp)
	fl.StringArrayVar(&p.filters, "filter", nil, filterHelp)
}

// total ends a prune.
func (p *pruneCall) total(w io.Writer, bytes int64) {
	if p.dryRun {
		fmt.Fprintf(w, "Total that would be reclaimed: %s. Nothing was removed.\n", format.Sum(bytes))
		return
	}
	fmt.Fprintf(w, "Total reclaimed space: %s\n", format.Sum(bytes))
}

// heading stands above what is, or would be, deleted.
func (p *pruneCall) heading(what string) string {
	if p.dryRun {
		return what + " that would be deleted:"
	}
	return "Deleted " + what + ":"
}

func (app *App) imagePrune() *cobra.Command {
	var p pruneCall
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove unused images",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			warning := "WARNING! This will remove all dangling images."
			if p.all {
				warning = "WARNING! This will remove all images without at least one container associated to them."
			}
			ok, err := app.confirm(p.force || p.dryRun, warning)
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			freed, err := app.pruneImages(cmd.Context(), e, p, nil)
			if err != nil {
				return err
			}
			p.total(app.Out, freed)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&p.all, "all", "a", false, "Remove all unused images, not just dangling ones")
	p.flags(cmd, `Provide filter values (e.g. "until=<timestamp>", "label=a", "label!=b=c")`)
	return cmd
}

// pruneImages removes unused images, prints which, and returns the bytes set free. gone are containers that a dry run takes for removed.
func (app *App) pruneImages(ctx context.Context, e *engine.Engine, p pruneCall, gone map[string]bool) (int64, error) {
	match, all, err := imagePruneFilter(p.filters, e.Now())
	if err != nil {
		return 0, err
	}
	uses, err := e.Containers.Uses(ctx)
	if err != nil {
		return 0, err
	}
	inUse := func(id digest.Digest) bool {
		for _, u := range uses[id] {
			if !gone[u.Container] {
				return true
			}
		}
		return false
	}
	report, err := e.Images.Prune(ctx, image.PruneOptions{All: p.all || all, Match: match, InUse: inUse, DryRun: p.dryRun})
	if err != nil {
		return 0, err
	}
	if len(report.Removed) > 0 {
		fmt.Fprintln(app.Out, p.heading("Images"))
		printRemovals(app.Out, "untagged", "deleted", report.Removed)
		fmt.Fprintln(app.Out)
	}
	return report.FreedBytes, nil
}

// printRemovals prints one line for each name and each image or layer that went.
func printRemovals(w io.Writer, untagged, deleted string, removed []image.Removal) {
	var b strings.Builder
	for _, r := range removed {
		if r.Untagged != "" {
			fmt.Fprintf(&b, "%s: %s\n", untagged, r.Untagged)
		}
		if r.Deleted != "" {
			fmt.Fprintf(&b, "%s: %s\n", deleted, r.Deleted)
		}
	}
	_, _ = io.WriteString(w, b.String())
}
