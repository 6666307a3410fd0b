package image

import (
	"slices"
	"time"
)

// HistoryRow is one row of docker history.
type HistoryRow struct {
	ID        string // the image's id in the first row, otherwise "<missing>"
	Created   time.Time
	CreatedBy string
	Size      int64 // of the uncompressed layer; 0 if the step made none
	Comment   string
	Author    string
}

// History tells how img was made, the last step first. Layers that the history doesn't account for stand alone at the end.
func History(img Image) []HistoryRow {
	var rows []HistoryRow
	next := 0
	for _, h := range img.Config.History {
		row := HistoryRow{ID: "<missing>", CreatedBy: h.CreatedBy, Comment: h.Comment, Author: h.Author}
		if h.Created != nil {
			row.Created = *h.Created
		}
		if !h.EmptyLayer && next < len(img.Layers) {
			row.Size = img.Layers[next].Size
			next++
		}
		rows = append(rows, row)
	}
	for ; next < len(img.Layers); next++ {
		rows = append(rows, HistoryRow{ID: "<missing>", Created: img.Created, Size: img.Layers[next].Size})
	}
	slices.Reverse(rows)
	if len(rows) > 0 {
		rows[0].ID = string(img.ID)
	}
	return rows
}
