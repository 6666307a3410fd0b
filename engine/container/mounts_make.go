package container

import (
	"context"
	"errors"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/volume"
)

// mounting is the making of a container's mounts: until release no volume goes away.
type mounting struct {
	m    *Manager
	c    *Container
	op   *home.Operation
	held func()
	made []string // anonymous volumes
}

// makeMounts decides what is mounted in c, and makes and fills the volumes that it takes. The caller calls end. Nothing is done for a
// container without mounts.
func (m *Manager) makeMounts(ctx context.Context, op *home.Operation, c *Container) (*mounting, error) {
	w := &mounting{m: m, c: c, op: op, held: func() {}}
	wished, err := readWishes(c.HostConfig)
	if err != nil || len(wished.points)+len(c.HostConfig.VolumesFrom)+len(c.Config.Volumes) == 0 {
		return w, err
	}
	if w.held, err = m.Volumes.Hold(ctx); err != nil {
		w.held = func() {}
		return w, err
	}
	points, err := w.borrowed(ctx)
	if err != nil {
		return w, err
	}
	for _, p := range wished.points { // what is asked for directly comes before what another container has
		points[p.Destination] = p
	}
	for _, p := range wished.tmpfs {
		delete(points, p.Destination)
	}
	if err := w.declared(points, wished.tmpfs); err != nil {
		return w, err
	}
	all := slices.Collect(maps.Values(points))
	sortMounts(all)
	for i := range all {
		if err := w.resolve(ctx, &all[i]); err != nil {
			return w, err
		}
	}
	c.Mounts = all
	return w, nil
}

// borrowed gives the mounts of the containers that --volumes-from names, by their targets; a later container's come before an earlier one's.
func (w *mounting) borrowed(ctx context.Context) (map[string]MountPoint, error) {
	points := map[string]MountPoint{}
	for _, spec := range w.c.HostConfig.VolumesFrom {
		f, err := parseFrom(spec)
		if err != nil {
			return nil, err
		}
		other, err := w.m.own(ctx, f.ref)
		if err == nil {
			err = other.Problem
		}
		if err != nil {
			return nil, err
		}
		for _, p := range other.Mounts {
			p.RW, p.NoCopy = p.RW && !f.readOnly, true
			points[p.Destination] = p
		}
	}
	return points, nil
}

// declared adds an anonymous volume for each VOLUME of the image and each -v without a source that nothing is mounted on yet.
func (w *mounting) declared(points map[string]MountPoint, tmpfs []MountPoint) error {
	for target := range w.c.Config.Volumes {
		if err := checkTarget(target); err != nil {
			return err
		}
		at := path.Clean(target)
		_, taken := points[at]
		if taken || slices.ContainsFunc(tmpfs, func(p MountPoint) bool { return p.Destination == at }) {
			continue
		}
		points[at] = MountPoint{MountPoint: container.MountPoint{Type: mount.TypeVolume, Destination: at, Driver: or(w.c.HostConfig.VolumeDriver, volume.Local), RW: true},
			Anonymous: true, volume: &mount.VolumeOptions{}}
	}
	return nil
}

// resolve makes what a mount point stands for.
func (w *mounting) resolve(ctx context.Context, p *MountPoint) error {
	switch p.Type {
	case mount.TypeVolume:
		return w.volume(ctx, p)
	case mount.TypeImage:
		return w.image(ctx, p)
	case mount.TypeBind:
		if p.MakeSource {
			return nil
		}
		if _, err := os.Stat(p.Source); errors.Is(err, os.ErrNotExist) {
			return invalid("invalid mount config for type %q: bind source path does not exist: %s", p.Type, p.Source)
		}
	}
	return nil
}

func (w *mounting) volume(ctx context.Context, p *MountPoint) error {
	if p.volume == nil { // another container's
		v, err := w.m.Volumes.Get(p.Name)
		if err == nil {
			err = v.Problem
		}
		return err
	}
	o := volume.CreateOptions{Name: p.Name, Driver: p.Driver, Labels: p.volume.Labels}
	if d := p.volume.DriverConfig; d != nil {
		o.Options = d.Options
	}
	if p.Anonymous {
		o.Making = func(name string) error {
			w.made = append(w.made, name)
			return w.op.Claim(volume.ClaimUnused, name)
		}
	}
	if err := w.overFile(ctx, p); err != nil {
		return err
	}
	v, err := w.m.Volumes.Create(ctx, o)
	if err != nil {
		return err
	}
	p.Name = v.Name
	if p.NoCopy || p.Subpath != "" || w.c.Chain() == "" {
		return nil
	}
	return w.m.Volumes.Fill(ctx, v, w.c.Chain(), p.Destination, !w.m.ephemeral(w.c) || !p.Anonymous)
}

// overFile refuses a volume in the place of a file of the image.
func (w *mounting) overFile(ctx context.Context, p *MountPoint) error {
	tree, err := w.m.trees.OpenChain(ctx, w.c.Chain())
	if err != nil {
		return err
	}
	defer tree.Close()
	fi, err := tree.Stat(p.Destination)
	if errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	if err == nil && !fi.IsDir() && p.Subpath == "" {
		return invalid("cannot mount volume over existing file, file exists %s", p.Destination)
	}
	return nil
}

// image looks the image up: its layers are the container's to keep from now on.
func (w *mounting) image(ctx context.Context, p *MountPoint) error {
	if p.Layers != nil { // another container's
		return nil
	}
	img, err := w.m.images.Resolve(ctx, p.Name)
	if image.IsNotFound(err) {
		return invalid("invalid mount config for type %q: image %s is not here: docker pull it first", p.Type, p.Name)
	}
	if err != nil {
		return err
	}
	_, err = w.m.images.Unpack(ctx, img)
	p.Layers = img.Layers
	return err
}

// end lets go of the volumes. After an error the anonymous ones go.
func (w *mounting) end(ctx context.Context, err error) error {
	w.held()
	w.held = func() {}
	if err != nil && len(w.made) > 0 {
		err = errors.Join(err, w.m.Volumes.RemoveUnused(context.WithoutCancel(ctx), w.made...))
	}
	return err
}

// anonymous names the volumes that go with the container.
func (c *Container) anonymous() []string {
	var names []string
	for _, p := range c.Mounts {
		if p.Type == mount.TypeVolume && p.Anonymous {
			names = append(names, p.Name)
		}
	}
	return names
}

// VolumeUses tells by volume which containers have it, running or not. It asks no runtime.
func (m *Manager) VolumeUses(context.Context) (map[string][]string, error) {
	ids, err := m.ids()
	if err != nil {
		return nil, err
	}
	uses := map[string][]string{}
	for _, id := range ids {
		c, err := m.read(id)
		if err != nil {
			continue // removed meanwhile
		}
		for _, p := range c.Mounts {
			if p.Type == mount.TypeVolume && !slices.Contains(uses[p.Name], id) {
				uses[p.Name] = append(uses[p.Name], id)
			}
		}
	}
	return uses, nil
}
