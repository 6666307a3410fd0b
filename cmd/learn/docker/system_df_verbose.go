package docker

import (
	"fmt"
	"text/tabwriter"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
)

// writeDiskUse is system df -v: a table for each kind.
func (app *App) writeDiskUse(e *engine.Engine, u *diskUse) error {
	w := tabwriter.NewWriter(app.Out, 10, 1, 3, ' ', 0)
	fmt.Fprint(w, "Images space usage:\n\nREPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\tSHARED SIZE\tUNIQUE SIZE\tCONTAINERS\n")
	shared := u.sharers()
	for _, img := range u.images {
		both := int64(0)
		for _, l := range img.Layers {
			if shared[l.DiffID] > 1 {
				both += l.Size
			}
		}
		for _, name := range namesOf(img) {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", name, format.ID(img.ID.String()), format.Ago(img.Created, e.Now()), format.Size(img.Size), format.Size(both), format.Size(img.Size-both), len(u.used[img.ID]))
		}
	}
	fmt.Fprint(w, "\nContainers space usage:\n\nCONTAINER ID\tIMAGE\tCOMMAND\tLOCAL VOLUMES\tSIZE\tCREATED\tSTATUS\tNAMES\n")
	for i := range u.containers {
		c := &u.containers[i]
		r := newPsRow(c, false, e.Now())
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Image, r.Command, r.LocalVolumes, format.Size(u.sizes[c.ID]), r.RunningFor, r.Status, r.Names)
	}
	fmt.Fprint(w, "\nLocal Volumes space usage:\n\nVOLUME NAME\tLINKS\tSIZE\n")
	for _, v := range u.volumes {
		size := "N/A"
		if n := u.volumeSize[v.Name]; n >= 0 {
			size = format.Size(n)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", v.Name, u.links[v.Name], size)
	}
	fmt.Fprintf(w, "\nBuild cache usage: %s\n\nCACHE ID\tSIZE\tLAST USED\tSTEP\n", u.cacheRow().Size)
	for _, c := range u.cache {
		id := "-"
		if c.Key != "" {
			id = format.ID(c.Key.String())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, format.Size(c.Bytes), format.Ago(c.Used, e.Now()), format.Clean(format.Ellipsis(c.Instruction, 60)))
	}
	return w.Flush()
}

// sharers counts for each layer how many images have it.
func (u *diskUse) sharers() map[digest.Digest]int {
	n := map[digest.Digest]int{}
	for _, img := range u.images {
		for _, l := range img.Layers {
			n[l.DiffID]++
		}
	}
	return n
}

// namesOf gives repository and tag, with a tab between, of each name of an image.
func namesOf(img image.Image) []string {
	if len(img.Refs) == 0 {
		return []string{"<none>\t<none>"}
	}
	var names []string
	for _, r := range img.Refs {
		row := newImageRow(img, r, false, img.Created)
		names = append(names, row.Repository+"\t"+row.Tag)
	}
	return names
}
