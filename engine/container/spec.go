package container

import (
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/engine/driver"
)

const (
	logDriver = "json-file"
	minMemory = 6 << 20 // docker's smallest memory limit
)

// spec turns a record into everything that a runtime needs.
func (m *Manager) spec(ctx context.Context, c *Container) (driver.Spec, error) {
	who, err := m.identify(ctx, c.ID, c.Config.User, c.HostConfig.GroupAdd)
	if err != nil {
		return driver.Spec{}, err
	}
	mnt, err := mounts(c.HostConfig)
	if err != nil {
		return driver.Spec{}, err
	}
	s := driver.Spec{
		ID: c.ID, Dir: m.dir(c.ID), Key: c.ID,
		Hostname: c.Config.Hostname,
		Process: driver.Process{
			Args: append([]string{c.Path}, c.Args...), Env: environment(c, c.Config.Tty, who.home, nil), Cwd: or(c.Config.WorkingDir, "/"),
			UID: who.uid, GID: who.gid, Groups: who.groups,
			Terminal: c.Config.Tty, Privileged: c.HostConfig.Privileged, NoNewPrivs: noNewPrivs(c.HostConfig),
		},
		Mounts: mnt, Limits: limits(c.HostConfig), ReadOnly: c.HostConfig.ReadonlyRootfs,
		OpenStdin: c.Config.OpenStdin, StdinOnce: c.Config.StdinOnce,
		Log: c.LogPath, Ephemeral: m.ephemeral(c),
	}
	if c.HostConfig.AutoRemove && m.CleanupCommand != nil {
		s.OnExit = m.CleanupCommand(c.ID)
	}
	return s, nil
}

// environment is what docker gives a process: defaults, then the container's own, then extra for an exec.
func environment(c *Container, tty bool, home string, extra []string) []string {
	env := []string{defaultPath, "HOSTNAME=" + c.Config.Hostname}
	if tty {
		env = append(env, "TERM=xterm")
	}
	env = mergeEnv(mergeEnv(env, c.Config.Env), extra)
	if !hasKey(env, "HOME") {
		env = append(env, "HOME="+home)
	}
	return env
}

func noNewPrivs(h *container.HostConfig) bool {
	return slices.ContainsFunc(h.SecurityOpt, func(s string) bool {
		return s == "no-new-privileges" || s == "no-new-privileges:true" || s == "no-new-privileges=true"
	})
}

func checkLimits(h *container.HostConfig) error {
	switch {
	case h.Memory != 0 && h.Memory < minMemory:
		return invalid("Minimum memory limit allowed is 6MB")
	case h.NanoCPUs < 0:
		return invalid("invalid number of CPUs %.2f: it must be more than 0", float64(h.NanoCPUs)/1e9)
	case h.NanoCPUs > 0 && (h.CPUQuota > 0 || h.CPUPeriod > 0):
		return invalid("Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set")
	case h.CPUPeriod != 0 && (h.CPUPeriod < 1000 || h.CPUPeriod > 1000000):
		return invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
	case h.CPUQuota > 0 && h.CPUQuota < 1000:
		return invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")
	}
	return nil
}

func limits(h *container.HostConfig) driver.Limits {
	l := driver.Limits{MemoryBytes: h.Memory}
	if h.PidsLimit != nil && *h.PidsLimit > 0 {
		l.Pids = *h.PidsLimit
	}
	switch {
	case h.NanoCPUs > 0:
		l.CPUPeriod = 100 * time.Millisecond
		l.CPUQuota = time.Duration(math.Round(float64(h.NanoCPUs) / 1e9 * float64(l.CPUPeriod)))
	case h.CPUQuota > 0:
		l.CPUQuota = time.Duration(h.CPUQuota) * time.Microsecond
		l.CPUPeriod = time.Duration(h.CPUPeriod) * time.Microsecond
	}
	return l
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
