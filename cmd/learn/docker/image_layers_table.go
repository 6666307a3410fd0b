package docker

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
)

// printTable is the default: a row per step of the history, and what is wasted.
func (l *lens) printTable(ctx context.Context) error {
	shared, err := l.engine.Images.SharedLayers(ctx, l.Image)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 5, 1, 3, ' ', 0)
	fmt.Fprintln(w, "LAYER\tDIGEST\tSIZE\tADDED\tCHANGED\tMETA\tDELETED\tCONTENT\tWASTED\tSHARED WITH\tCREATED BY")
	for _, h := range l.History() {
		by := l.short(h.CreatedBy, 60)
		if h.Layer == 0 {
			fmt.Fprintf(w, "-\t\t0B\t\t\t\t\t\t\t\t%s\n", by)
			continue
		}
		r := l.Layers[h.Layer-1]
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\n", r.Number, l.id(string(r.DiffID)), format.Size(r.Size), r.Added, r.Changed, r.Metadata+r.Same, r.Deleted,
			format.Size(r.Content), format.Size(r.Wasted), l.sharers(shared[h.Layer-1]), by)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for row := range strings.Lines(b.String()) {
		l.line("%s", l.grey(strings.TrimRight(row, " \n"), strings.HasPrefix(row, "-")))
	}
	l.printWaste()
	return nil
}

// grey dims a row on a terminal that may have colour.
func (l *lens) grey(row string, dim bool) string {
	if !dim || l.app.Plain || !isTerminal(l.app.Out) {
		return row
	}
	return "\x1b[2m" + row + "\x1b[0m"
}

func (l *lens) id(d string) string {
	if l.noTrunc {
		return d
	}
	return format.ID(d)
}

// short makes text of the image fit to be shown in a column.
func (l *lens) short(s string, width int) string {
	s = format.Clean(strings.Join(strings.Fields(s), " "))
	if l.noTrunc {
		return s
	}
	return format.Ellipsis(s, width)
}

func (l *lens) sharers(names []string) string {
	switch {
	case len(names) == 0:
		return "-"
	case l.noTrunc || len(names) == 1:
		return format.Clean(strings.Join(names, ","))
	}
	return fmt.Sprintf("%s and %d more", format.Clean(names[0]), len(names)-1)
}

// printWaste sums up, and lists the largest of the files that no container sees.
func (l *lens) printWaste() {
	w := l.Waste
	l.line("\nEfficiency: %.2f %%: of %s in the layers, %s are wasted: no container sees them (dive counts %.2f %% and %s)", 100*w.Efficiency(), format.Size(w.Size), format.Size(w.Bytes),
		100*l.Dive.Efficiency, format.Size(l.Dive.WastedBytes))
	files := l.wastedFiles()
	if len(files) == 0 {
		return
	}
	most := 5
	if l.top > 0 {
		most = l.top
	}
	l.line("\nWasted most:")
	for _, f := range files[:min(most, len(files))] {
		l.line("%9s  %s  (layer %d, %s)", format.Size(f.Bytes), format.Clean(f.Path), f.Layer.Number, lostBy(f.How, f.By))
	}
	if more := len(files) - most; more > 0 {
		l.line("and %s (more with: --top N; to see what is in them: --hidden)", format.Count(more, "further file"))
	}
}

// lostBy says what took something out of sight.
func lostBy(how string, by image.WasteLayer) string {
	return fmt.Sprintf("%s by layer %d", how, by.Number)
}
