package docker

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/moby/moby/api/types/mount"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// diskUse is everything that takes room in a home.
type diskUse struct {
	images     []image.Image
	used       map[digest.Digest][]image.Use
	containers []container.Container
	sizes      map[string]int64 // of writable layers, by container
	volumes    []*volume.Volume
	volumeSize map[string]int64
	links      map[string]int // how many containers have a volume
	active     map[string]bool
	cache      []build.PrunedEntry
}

// dfRow is one line of docker system df, with docker's field names.
type dfRow struct{ Active, Reclaimable, Size, TotalCount, Type string }

func dfTable() format.Table[dfRow] {
	return format.Table[dfRow]{
		Raw:     "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n",
		Default: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
		Headers: map[string]string{"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"},
	}
}

func (app *App) diskCommand() *cobra.Command {
	var verbose bool
	var spec string
	cmd := &cobra.Command{
		Use:   "df [OPTIONS]",
		Short: "Show docker disk usage",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			u, err := measureDisk(cmd.Context(), e)
			switch {
			case err != nil:
				return err
			case verbose && (spec == "" || spec == "table"):
				return app.writeDiskUse(e, u)
			case verbose:
				return app.writeDetails(spec, u.details(e, false))
			}
			return dfTable().Write(app.Out, spec, u.rows())
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "Show detailed information on space usage")
	cmd.Flags().StringVar(&spec, "format", "", formatHelp)
	return cmd
}

func measureDisk(ctx context.Context, e *engine.Engine) (*diskUse, error) {
	u := &diskUse{sizes: map[string]int64{}, volumeSize: map[string]int64{}, links: map[string]int{}, active: map[string]bool{}}
	var err error
	if u.images, err = e.Images.List(ctx); err != nil {
		return nil, err
	}
	if u.used, err = e.Containers.Uses(ctx); err != nil {
		return nil, err
	}
	if u.cache, err = e.Builder.Prune(ctx, build.PruneOptions{All: true, DryRun: true}); err != nil {
		return nil, err
	}
	if err := u.measureContainers(ctx, e); err != nil {
		return nil, err
	}
	return u, u.measureVolumes(ctx, e)
}

func (u *diskUse) measureContainers(ctx context.Context, e *engine.Engine) (err error) {
	if u.containers, err = e.Containers.List(ctx, true); err != nil {
		return err
	}
	for _, c := range u.containers {
		for _, p := range c.Mounts {
			if p.Type == mount.TypeVolume {
				u.links[p.Name]++
				u.active[p.Name] = u.active[p.Name] || c.State.Live()
			}
		}
		if c.Problem != nil || c.Driver != e.Driver.Storage {
			continue
		}
		stats, err := e.Driver.Snapshots.Diff(ctx, c.ID, io.Discard)
		if err != nil {
			continue // it is being removed
		}
		u.sizes[c.ID] = stats.Bytes
	}
	return nil
}

func (u *diskUse) measureVolumes(ctx context.Context, e *engine.Engine) (err error) {
	if u.volumes, err = e.Volumes.List(); err != nil {
		return err
	}
	for _, v := range u.volumes {
		u.volumeSize[v.Name] = -1
		if v.Problem != nil {
			continue
		}
		if u.volumeSize[v.Name], err = e.Volumes.Size(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// rows sums up. As in docker, a container is active while it runs, an image or a volume while a container has it.
func (u *diskUse) rows() []dfRow {
	return []dfRow{u.imageRow(), u.containerRow(), u.volumeRow(), u.cacheTotal()}
}

func (u *diskUse) imageRow() dfRow {
	var all, kept int64
	active := 0
	sharers := u.sharers()
	seen := map[digest.Digest]bool{}
	for _, img := range u.images {
		if len(u.used[img.ID]) > 0 {
			active++
			kept += img.Size - sharedSize(img, sharers)
		}
		for _, l := range img.Layers {
			if !seen[l.ChainID] {
				seen[l.ChainID] = true
				all += l.Size
			}
		}
	}
	return newDfRow("Images", len(u.images), active, all, all-kept)
}

// sharers counts for each layer, on those below it, how many images have it.
func (u *diskUse) sharers() map[digest.Digest]int {
	n := map[digest.Digest]int{}
	for _, img := range u.images {
		for _, l := range img.Layers {
			n[l.ChainID]++
		}
	}
	return n
}

// sharedSize is the size of the layers that another image has, too.
func sharedSize(img image.Image, sharers map[digest.Digest]int) (sum int64) {
	for _, l := range img.Layers {
		if sharers[l.ChainID] > 1 {
			sum += l.Size
		}
	}
	return sum
}

func (u *diskUse) containerRow() dfRow {
	var all, free int64
	active := 0
	for _, c := range u.containers {
		all += u.sizes[c.ID]
		if c.State.Live() {
			active++
		} else {
			free += u.sizes[c.ID]
		}
	}
	return newDfRow("Containers", len(u.containers), active, all, free)
}

func (u *diskUse) volumeRow() dfRow {
	var all, free int64
	active := 0
	for _, v := range u.volumes {
		size := max(u.volumeSize[v.Name], 0)
		all += size
		if u.links[v.Name] > 0 {
			active++
		} else {
			free += size
		}
	}
	return newDfRow("Local Volumes", len(u.volumes), active, all, free)
}

// cacheTotal counts what builds have kept. As in docker, layers that are an image's, too, take no room of their own, and no share is told.
func (u *diskUse) cacheTotal() dfRow {
	var all int64
	shared := u.imageLayers()
	for _, c := range u.cache {
		if !shared[c.Layer] {
			all += c.Bytes
		}
	}
	return dfRow{Type: "Build Cache", TotalCount: strconv.Itoa(len(u.cache)), Active: "0", Size: format.Sum(all), Reclaimable: format.Sum(all)}
}

// imageLayers are the layers, as they are stored, that images have.
func (u *diskUse) imageLayers() map[digest.Digest]bool {
	set := map[digest.Digest]bool{}
	for _, img := range u.images {
		for _, l := range img.Layers {
			set[l.Descriptor.Digest] = true
		}
	}
	return set
}

func newDfRow(kind string, total, active int, all, free int64) dfRow {
	r := dfRow{Type: kind, TotalCount: strconv.Itoa(total), Active: strconv.Itoa(active), Size: format.Sum(all), Reclaimable: format.Sum(free)}
	if all > 0 {
		r.Reclaimable += fmt.Sprintf(" (%d%%)", free*100/all)
	}
	return r
}
