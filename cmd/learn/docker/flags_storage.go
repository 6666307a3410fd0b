package docker

import (
	"path"
	"strings"

	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// storageFlags say what is mounted in a container.
type storageFlags struct{ tmpfs []string }

func (f *storageFlags) register(fl *pflag.FlagSet) {
	fl.StringArrayVar(&f.tmpfs, "tmpfs", nil, "Mount a tmpfs directory")
}

func (f *storageFlags) apply(_ *App, _ *ctypes.Config, host *ctypes.HostConfig) error {
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
	return nil
}
