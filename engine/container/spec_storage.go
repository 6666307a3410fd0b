package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/engine/driver"
)

func checkStorage(h *container.HostConfig) error {
	for _, spec := range h.VolumesFrom {
		if _, err := parseFrom(spec); err != nil {
			return err
		}
	}
	_, err := readWishes(h)
	return err
}

// specStorage adds what is mounted besides the standard mounts.
func (m *Manager) specStorage(_ context.Context, c *Container, s *driver.Spec) error {
	points := c.Mounts
	if len(c.HostConfig.Tmpfs) > 0 {
		w, err := readWishes(c.HostConfig)
		if err != nil {
			return err
		}
		points = slices.Concat(points, w.tmpfs)
		sortMounts(points)
	}
	for i := range points {
		mnt, err := m.mountOf(&points[i])
		if err != nil {
			return err
		}
		s.Mounts = append(s.Mounts, mnt)
	}
	return nil
}

func (m *Manager) mountOf(p *MountPoint) (driver.Mount, error) {
	out := driver.Mount{Type: string(p.Type), Source: p.Source}
	switch p.Type {
	case mount.TypeVolume:
		v, err := m.Volumes.Get(p.Name)
		if err == nil {
			err = v.Problem
		}
		if err != nil {
			return out, err
		}
		out = v.Mount()
		if p.Subpath != "" && out.Type != "folder" {
			return out, invalid("volume %s stands for a mount of its own, of which no subpath can be mounted", p.Name)
		}
		out.Subpath = p.Subpath
	case mount.TypeImage:
		out = driver.Mount{Type: "tree", Source: "/" + p.Subpath}
		if n := len(p.Layers); n > 0 {
			out.Chain = p.Layers[n-1].ChainID
		}
	case mount.TypeTmpfs:
		out.Options = p.Options
	case mount.TypeBind:
		out.Propagation, out.Flat, out.FlatRO = string(p.Propagation), p.Flat, p.FlatRO
		if err := makeSource(p); err != nil {
			return out, err
		}
	}
	out.Target, out.ReadOnly = p.Destination, out.ReadOnly || !p.RW
	return out, nil
}

// makeSource makes the folder of the host that -v names, if nothing is there.
func makeSource(p *MountPoint) error {
	if !p.MakeSource {
		return nil
	}
	if _, err := os.Stat(p.Source); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(p.Source, 0o755); err != nil {
		return fmt.Errorf("error while creating mount source path '%s': %w", p.Source, err)
	}
	return nil
}

// mountView is Mounts as inspect shows them.
func (m *Manager) mountView(c *Container) []container.MountPoint {
	out := []container.MountPoint{}
	for _, p := range c.Mounts {
		v := p.MountPoint
		if p.Type == mount.TypeVolume {
			if vol, err := m.Volumes.Get(p.Name); err == nil {
				v.Source = m.Volumes.Mountpoint(vol)
			}
		}
		out = append(out, v)
	}
	return out
}
