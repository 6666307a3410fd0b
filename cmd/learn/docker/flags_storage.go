package docker

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// storageFlags say what is mounted in a container.
type storageFlags struct {
	tmpfs, volumes, mounts, from []string
	driver                       string
}

func (f *storageFlags) register(fl *pflag.FlagSet) {
	fl.StringArrayVar(&f.tmpfs, "tmpfs", nil, "Mount a tmpfs directory")
	fl.StringArrayVarP(&f.volumes, "volume", "v", nil, "Bind mount a volume")
	fl.StringArrayVar(&f.mounts, "mount", nil, "Attach a filesystem mount to the container")
	fl.StringArrayVar(&f.from, "volumes-from", nil, "Mount volumes from the specified container(s)")
	fl.StringVar(&f.driver, "volume-driver", "", "Optional volume driver for the container")
}

func (f *storageFlags) apply(app *App, cfg *ctypes.Config, host *ctypes.HostConfig) error {
	for _, t := range f.tmpfs {
		target, opts, _ := strings.Cut(t, ":")
		if !path.IsAbs(target) {
			return usagef("invalid --tmpfs %q: expected an absolute path inside the container", t)
		}
		if host.Tmpfs == nil {
			host.Tmpfs = map[string]string{}
		}
		host.Tmpfs[target] = opts
	}
	for _, v := range f.volumes {
		if err := f.volume(app, v, cfg, host); err != nil {
			return err
		}
	}
	for _, text := range f.mounts {
		m, err := parseMount(text, app.path)
		if err != nil {
			return usagef("invalid argument %q for \"--mount\" flag: %v", text, err)
		}
		host.Mounts = append(host.Mounts, m)
	}
	host.VolumesFrom, host.VolumeDriver = f.from, f.driver
	return nil
}

// volume reads one -v as docker's client does: what has no source is an anonymous volume, a host path that begins with a dot starts in the
// folder of the command.
func (f *storageFlags) volume(app *App, spec string, cfg *ctypes.Config, host *ctypes.HostConfig) error {
	drive := filepath.VolumeName(spec)
	parts := strings.Split(spec[len(drive):], ":")
	switch {
	case spec == "":
		return usagef("invalid empty volume spec")
	case len(parts) > 1 && slices.Contains(parts, ""):
		return usagef("invalid spec: %s: empty section between colons", spec)
	case len(parts) > 3:
		return usagef("invalid spec: %s: too many colons", spec)
	case len(parts) == 1:
		if cfg.Volumes == nil {
			cfg.Volumes = map[string]struct{}{}
		}
		cfg.Volumes[spec] = struct{}{}
		return nil
	}
	if strings.HasPrefix(parts[0], ".") {
		parts[0] = app.path(parts[0])
		spec = strings.Join(parts, ":")
	}
	if len(parts) == 3 && (slices.Contains(strings.Split(parts[2], ","), "z") || slices.Contains(strings.Split(parts[2], ","), "Z")) {
		fmt.Fprintf(app.Err, "Note: :%s asks to relabel for SELinux, which this engine does not use; %s is mounted as it is.\n", parts[2], drive+parts[0])
	}
	if !slices.Contains(host.Binds, spec) {
		host.Binds = append(host.Binds, spec)
	}
	return nil
}
