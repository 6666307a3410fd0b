package docker

import (
	"fmt"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

func (app *App) imageHistory() *cobra.Command {
	var noTrunc, human, quiet bool
	var spec string
	cmd := &cobra.Command{
		Use:   "history [OPTIONS] IMAGE",
		Short: "Show the history of an image",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			img, err := e.Images.Resolve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rows := historyRows(image.History(img), noTrunc, human, e.Now())
			if quiet {
				return historyTable().WriteQuiet(app.Out, rows)
			}
			return historyTable().Write(app.Out, spec, rows)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	fl.BoolVarP(&human, "human", "H", true, "Print sizes and dates in human readable format")
	fl.BoolVarP(&quiet, "quiet", "q", false, "Only show image IDs")
	fl.StringVar(&spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
	return cmd
}

type historyRow struct {
	ID, CreatedSince, CreatedAt, CreatedBy, Size, Comment string
}

func historyTable() format.Table[historyRow] {
	return format.Table[historyRow]{
		Default: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
		Quiet:   "{{.ID}}",
		Headers: map[string]string{"ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY", "Size": "SIZE", "Comment": "COMMENT"},
	}
}

func historyRows(history []image.HistoryRow, noTrunc, human bool, now time.Time) []historyRow {
	rows := make([]historyRow, 0, len(history))
	for _, h := range history {
		r := historyRow{ID: h.ID, CreatedAt: h.Created.Format("2006-01-02T15:04:05Z07:00"), CreatedSince: format.Ago(h.Created, now),
			CreatedBy: format.Clean(strings.ReplaceAll(h.CreatedBy, "\t", " ")), Size: format.Size(h.Size), Comment: format.Clean(h.Comment)}
		if !human {
			r.CreatedSince, r.Size = r.CreatedAt, fmt.Sprint(h.Size)
		}
		if !noTrunc {
			r.CreatedBy = format.Ellipsis(r.CreatedBy, 45)
			if _, err := digest.Parse(r.ID); err == nil {
				r.ID = format.ID(r.ID)
			}
		}
		rows = append(rows, r)
	}
	return rows
}
