package container

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/engine/driver"
)

// specStorage adds what is mounted besides the standard mounts.
func (m *Manager) specStorage(_ context.Context, c *Container, s *driver.Spec) error {
	var err error
	s.Mounts, err = mounts(c.HostConfig)
	return err
}

func checkStorage(h *container.HostConfig) error {
	_, err := mounts(h)
	return err
}

// mounts turns docker's three ways to ask for a mount into one list.
func mounts(h *container.HostConfig) ([]driver.Mount, error) {
	var out []driver.Mount
	for _, b := range h.Binds {
		mnt, err := bind(b)
		if err != nil {
			return nil, err
		}
		out = append(out, mnt)
	}
	for _, mm := range h.Mounts {
		mnt, err := mountOf(mm)
		if err != nil {
			return nil, err
		}
		out = append(out, mnt)
	}
	targets := make([]string, 0, len(h.Tmpfs))
	for t := range h.Tmpfs {
		targets = append(targets, t)
	}
	sort.Strings(targets)
	for _, t := range targets {
		mnt := driver.Mount{Type: "tmpfs", Target: path.Clean(t)}
		if opts := h.Tmpfs[t]; opts != "" {
			mnt.Options = strings.Split(opts, ",")
		}
		out = append(out, mnt)
	}
	return out, checkTargets(out)
}

func bind(spec string) (driver.Mount, error) {
	parts := strings.Split(spec, ":")
	if len(parts) < 2 || len(parts) > 3 || !path.IsAbs(parts[0]) {
		return driver.Mount{}, invalid("invalid volume specification: '%s': expected /host/path:/container/path[:ro]", spec)
	}
	mnt := driver.Mount{Type: "bind", Source: path.Clean(parts[0]), Target: path.Clean(parts[1])}
	if len(parts) == 3 {
		mnt.ReadOnly = slices.Contains(strings.Split(parts[2], ","), "ro")
	}
	return mnt, nil
}

func mountOf(mm mount.Mount) (driver.Mount, error) {
	out := driver.Mount{Type: string(mm.Type), Target: path.Clean(mm.Target), ReadOnly: mm.ReadOnly}
	switch mm.Type {
	case mount.TypeBind:
		if !path.IsAbs(mm.Source) {
			return out, invalid("invalid mount config for type \"bind\": invalid mount path: '%s' mount path must be absolute", mm.Source)
		}
		out.Source = path.Clean(mm.Source)
	case mount.TypeTmpfs:
		if o := mm.TmpfsOptions; o != nil && o.SizeBytes > 0 {
			out.Options = append(out.Options, fmt.Sprintf("size=%d", o.SizeBytes))
		}
		if o := mm.TmpfsOptions; o != nil && o.Mode != 0 {
			out.Options = append(out.Options, fmt.Sprintf("mode=%o", o.Mode.Perm()))
		}
	default:
		return out, invalid("invalid mount config: mount type %q is not known: bind or tmpfs", mm.Type)
	}
	return out, nil
}

func checkTargets(all []driver.Mount) error {
	seen := map[string]bool{}
	for _, mnt := range all {
		switch {
		case !path.IsAbs(mnt.Target):
			return invalid("invalid mount path: '%s' mount path must be absolute", mnt.Target)
		case mnt.Target == "/":
			return invalid("invalid mount: invalid specification: destination can't be '/'")
		case seen[mnt.Target]:
			return invalid("Duplicate mount point: %s", mnt.Target)
		}
		seen[mnt.Target] = true
	}
	return nil
}
