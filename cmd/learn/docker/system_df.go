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
type dfRow struct{ Type, TotalCount, Active, Size, Reclaimable string }

func dfTable() format.Table[dfRow] {
	return format.Table[dfRow]{
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
			case verbose:
				return app.writeDiskUse(e, u)
			}
			return dfTable().Write(app.Out, spec, u.rows())
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "Show detailed information on space usage")
	cmd.Flags().StringVar(&spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
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
	return []dfRow{u.imageRow(), u.containerRow(), u.volumeRow(), u.cacheRow()}
}

func (u *diskUse) imageRow() dfRow {
	var all, kept int64
	active := 0
	seen, needed := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	for _, img := range u.images {
		used := len(u.used[img.ID]) > 0
		if used {
			active++
		}
		for _, l := range img.Layers {
			if !seen[l.DiffID] {
				seen[l.DiffID] = true
				all += l.Size
			}
			if used && !needed[l.DiffID] {
				needed[l.DiffID] = true
				kept += l.Size
			}
		}
	}
	return dfRow{"Images", strconv.Itoa(len(u.images)), strconv.Itoa(active), format.Size(all), reclaimable(all-kept, all)}
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
	return dfRow{"Containers", strconv.Itoa(len(u.containers)), strconv.Itoa(active), format.Size(all), reclaimable(free, all)}
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
	return dfRow{"Local Volumes", strconv.Itoa(len(u.volumes)), strconv.Itoa(active), format.Size(all), reclaimable(free, all)}
}

func (u *diskUse) cacheRow() dfRow {
	var all int64
	for _, c := range u.cache {
		all += c.Bytes
	}
	return dfRow{"Build Cache", strconv.Itoa(len(u.cache)), "0", format.Size(all), format.Size(all)}
}

func reclaimable(free, all int64) string {
	if all == 0 {
		return format.Size(free)
	}
	return fmt.Sprintf("%s (%d%%)", format.Size(free), free*100/all)
}
