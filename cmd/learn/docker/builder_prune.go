package docker

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/build"
	"github.com/spf13/cobra"
)

type pruneFlags struct {
	force, all, dryRun, verbose bool
	filters                     []string
	keep                        string
}

func (app *App) builderPrune() *cobra.Command {
	var f pruneFlags
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove build cache",
		Args:  exactly(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return app.pruneBuilds(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.force, "force", "f", false, "Do not prompt for confirmation")
	fl.BoolVarP(&f.all, "all", "a", false, "Remove all unused build cache, not just dangling ones")
	fl.BoolVar(&f.dryRun, "dry-run", false, "Say what would be removed, and remove nothing")
	fl.BoolVar(&f.verbose, "verbose", false, "List what is removed")
	fl.StringArrayVar(&f.filters, "filter", nil, `Provide filter values (e.g., "until=24h")`)
	fl.StringVar(&f.keep, "max-used-space", "", "Maximum amount of disk space allowed to keep for cache")
	fl.StringVar(&f.keep, "keep-storage", "", "Amount of disk space to keep for cache")
	_ = fl.MarkHidden("keep-storage") // docker's older name
	return cmd
}

func (app *App) pruneBuilds(ctx context.Context, f pruneFlags) error {
	o, err := f.options(time.Now())
	if err != nil {
		return err
	}
	warning := "WARNING! This will remove all dangling build cache."
	if f.all {
		warning = "WARNING! This will remove all build cache."
	}
	ok, err := app.confirm(f.force || f.dryRun, warning)
	if err != nil || !ok {
		return err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	gone, err := e.Builder.Prune(ctx, o)
	if err != nil {
		return err
	}
	if f.verbose || f.dryRun {
		app.listPruned(gone)
	}
	if f.dryRun {
		var sum int64
		for _, g := range gone {
			sum += g.Bytes
		}
		fmt.Fprintf(app.Out, "Total:\t%s would be removed\n", format.Size(sum))
		return nil
	}
	freed, err := app.collect(ctx, e)
	for _, g := range gone {
		if g.Key == "" {
			freed += g.Bytes // a cache mount is no blob
		}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(app.Out, "Total:\t%s\n", format.Size(freed))
	return nil
}

func (app *App) listPruned(gone []build.PrunedEntry) {
	w := tabwriter.NewWriter(app.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "ID\tSIZE\tLAST USED\tSTEP")
	for _, g := range gone {
		id := "-"
		if g.Key != "" {
			id = format.ID(g.Key.String())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, format.Size(g.Bytes), format.Ago(g.Used, time.Now()), format.Clean(format.Ellipsis(g.Instruction, 80)))
	}
	_ = w.Flush() // the error of the output's own
}

// options reads the flags; now is what until= counts back from.
func (f pruneFlags) options(now time.Time) (build.PruneOptions, error) {
	o := build.PruneOptions{All: f.all, DryRun: f.dryRun}
	for _, word := range f.filters {
		key, value, _ := strings.Cut(word, "=")
		if key != "until" && key != "unused-for" {
			return o, usagef("invalid filter %q: expected until=DURATION, such as until=24h", word)
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return o, usagef("invalid filter %q: %q is no duration such as 24h", word, value)
		}
		o.Before = now.Add(-d)
	}
	if f.keep != "" {
		n, err := units.RAMInBytes(f.keep)
		if err != nil || n < 0 {
			return o, usagef("invalid --max-used-space %q: expected a size such as 512mb", f.keep)
		}
		o.Keep = n
	}
	return o, nil
}
