package docker

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// historyFlags are those of docker history.
type historyFlags struct {
	noTrunc, human, quiet bool
	spec, platform        string
}

func (app *App) imageHistory() *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history [OPTIONS] IMAGE",
		Short: "Show the history of an image",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			img, err := resolveFor(cmd.Context(), e, args[0], f.platform)
			if err != nil {
				return err
			}
			return f.write(app.safeOut(), image.History(img), e.Now())
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Don't truncate output")
	fl.BoolVarP(&f.human, "human", "H", true, "Print sizes and dates in human readable format")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Only show image IDs")
	fl.StringVar(&f.spec, "format", "", formatHelp)
	fl.StringVar(&f.platform, "platform", "", `Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return cmd
}

type historyRow struct {
	Comment, CreatedAt, CreatedBy, CreatedSince, ID, Size string
}

func (f historyFlags) table() format.Table[historyRow] {
	t := format.Table[historyRow]{
		Default: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
		Quiet:   "{{.ID}}",
		Headers: map[string]string{"ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY", "Size": "SIZE", "Comment": "COMMENT"},
	}
	if !f.human {
		t.Default = "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
	}
	return t
}

func (f historyFlags) write(w io.Writer, history []image.HistoryRow, now time.Time) error {
	clean := format.Clean
	if f.spec == "json" {
		clean = func(s string) string { return s } // JSON escapes by itself, and keeps the text
	}
	rows := make([]historyRow, 0, len(history))
	for _, h := range history {
		rows = append(rows, f.row(h, now, clean))
	}
	if f.quiet && (f.spec == "" || f.spec == "table") {
		return f.table().WriteQuiet(w, rows)
	}
	return f.table().Write(w, f.spec, rows)
}

// epoch is the time before which docker says no age: such a time was set to make builds repeatable.
func epoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func (f historyFlags) row(h image.HistoryRow, now time.Time, clean func(string) string) historyRow {
	created := h.Created
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	r := historyRow{ID: h.ID, CreatedAt: created.Local().Format(time.RFC3339), CreatedSince: "N/A",
		CreatedBy: clean(strings.ReplaceAll(h.CreatedBy, "\t", " ")), Size: format.Size(h.Size), Comment: clean(h.Comment)}
	if created.After(epoch()) {
		r.CreatedSince = format.Ago(created, now)
	}
	if !f.human {
		r.CreatedSince, r.Size = r.CreatedAt, fmt.Sprint(h.Size)
	}
	if !f.noTrunc {
		r.CreatedBy = format.Ellipsis(r.CreatedBy, 45)
		if _, err := digest.Parse(r.ID); err == nil {
			r.ID = format.ID(r.ID)
		}
	}
	return r
}
