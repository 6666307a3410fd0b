package docker

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
)

// diskDetails is what system df -v tells, with docker's field names.
type diskDetails struct {
	Images     []imageRow
	Containers []psRow
	Volumes    []volumeRow
	BuildCache []cacheRow
}

// cacheRow is one kept result of a build, or a folder of a cache mount.
type cacheRow struct {
	CacheType, CreatedAt, CreatedSince, Description, ID, InUse, LastUsedAt, LastUsedSince, Parent, Shared, Size, UsageCount string
}

// details makes the rows; short cuts ids as the tables have them.
func (u *diskUse) details(e *engine.Engine, short bool) diskDetails {
	d := diskDetails{Images: []imageRow{}, Containers: []psRow{}, Volumes: []volumeRow{}, BuildCache: []cacheRow{}}
	sharers := u.sharers()
	f := imagesFlags{noTrunc: !short}
	for _, img := range u.images {
		first := oci.Ref{}
		if len(img.Refs) > 0 {
			first = img.Refs[0]
		}
		r := f.row(img, or(first.Repository(), none), or(first.Tag(), none), "", e.Now())
		shared := sharedSize(img, sharers)
		r.SharedSize, r.UniqueSize, r.Containers = format.Sum(shared), format.Sum(img.Size-shared), strconv.Itoa(len(u.used[img.ID]))
		r.CreatedSince = or(r.CreatedSince, "N/A")
		d.Images = append(d.Images, r)
	}
	for i := range u.containers {
		r := newPsRow(&u.containers[i], !short, e.Now())
		r.Size = format.Size(u.sizes[u.containers[i].ID])
		d.Containers = append(d.Containers, r)
	}
	for _, v := range u.volumes {
		r := newVolumeRow(e, v)
		r.Links = strconv.Itoa(u.links[v.Name])
		if n := u.volumeSize[v.Name]; n >= 0 {
			r.Size = format.Sum(n)
		}
		d.Volumes = append(d.Volumes, r)
	}
	d.BuildCache = u.cacheRows(e, short)
	return d
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// cacheRows are the kept results, the one that was of no use for longest first.
func (u *diskUse) cacheRows(e *engine.Engine, short bool) []cacheRow {
	rows := []cacheRow{}
	shared := u.imageLayers()
	for _, c := range slices.Backward(u.cache) {
		r := cacheRow{ID: "-", CacheType: "exec.cachemount", Size: format.Size(c.Bytes), LastUsedSince: format.Ago(c.Used, e.Now()), LastUsedAt: c.Used.String(), CreatedSince: format.Ago(c.Made, e.Now()),
			CreatedAt: c.Made.String(), UsageCount: "N/A", InUse: "false", Shared: strconv.FormatBool(shared[c.Layer]), Description: format.Clean(c.Instruction)}
		if c.Key != "" {
			r.ID, r.CacheType = c.Key.Encoded(), "regular"
			if short {
				r.ID = format.ID(r.ID)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// writeDiskUse is system df -v: docker's four tables, and what docker has no need to say: that images are there twice.
func (app *App) writeDiskUse(e *engine.Engine, u *diskUse) error {
	d := u.details(e, true)
	images, containers, volumes := imageTable(false), psTable(), volumeTable()
	images.Default = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}"
	containers.Default = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}"
	volumes.Default = "{{.Name}}\t{{.Links}}\t{{.Size}}"
	cache := format.Table[cacheRow]{
		Default: "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}\t{{truncate .Description 60}}",
		Headers: map[string]string{"ID": "CACHE ID", "CacheType": "CACHE TYPE", "Size": "SIZE", "CreatedSince": "CREATED", "LastUsedSince": "LAST USED", "UsageCount": "USAGE", "Shared": "SHARED", "Description": "STEP"},
	}
	for _, part := range []struct {
		title string
		write func(io.Writer) error
	}{
		{"Images space usage:\n\n", func(w io.Writer) error { return images.Write(w, "", d.Images) }},
		{"\nContainers space usage:\n\n", func(w io.Writer) error { return containers.Write(w, "", d.Containers) }},
		{"\nLocal Volumes space usage:\n\n", func(w io.Writer) error { return volumes.Write(w, "", d.Volumes) }},
		{"\nBuild cache usage: " + u.cacheTotal().Size + "\n\n", func(w io.Writer) error { return cache.Write(w, "", d.BuildCache) }},
	} {
		if _, err := io.WriteString(app.Out, part.title); err != nil {
			return err
		}
		if err := part.write(app.Out); err != nil {
			return err
		}
	}
	return app.writeHalves(e, u.images)
}

// writeHalves explains the room that images take.
func (app *App) writeHalves(e *engine.Engine, images []image.Image) error {
	h, err := e.Images.RoomOf(images)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(app.Out, `
Images are kept in two halves, %s together:

  as they came   %10s   in %s: manifests, configs and layers by digest, for save, push and verification
  unpacked       %10s   the trees that containers stand on, made at an image's first use; "system prune --unpacked" removes those that no container has

SIZE counts the uncompressed layers once. SHARED SIZE is of layers that another image has, too; UNIQUE SIZE would go with the image.
`, format.Sum(h.Blobs+h.Unpacked), format.Sum(h.Blobs), e.Home.Images(), format.Sum(h.Unpacked)); err != nil {
		return err
	}
	n := e.Images.ListingRoom()
	if n == 0 {
		return nil
	}
	_, err = fmt.Fprintf(app.Out, "Listings of layers, which image layers and image cat keep to be quicker the next time, take %s more; image prune removes them.\n", format.Sum(n))
	return err
}

// writeDetails prints everything through a template, or as one JSON object.
func (app *App) writeDetails(spec string, d diskDetails) error {
	if spec == "json" {
		spec = "{{json .}}"
	}
	tmpl, err := format.Parse(spec)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, d); err != nil {
		return &format.TemplateError{Err: err}
	}
	_, err = app.safeOut().Write(b.Bytes())
	return err
}
