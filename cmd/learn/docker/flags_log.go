package docker

import (
	"strings"

	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// logFlags say where a container's output goes.
type logFlags struct {
	driver  string
	options []string
}

func (f *logFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.driver, "log-driver", "", "Logging driver for the container (json-file, local, none)")
	fl.StringArrayVar(&f.options, "log-opt", nil, "Log driver options")
}

func (f *logFlags) apply(_ *App, _ *ctypes.Config, host *ctypes.HostConfig) error {
	if f.driver == "none" && len(f.options) > 0 {
		return usagef("invalid logging opts for driver none")
	}
	host.LogConfig.Type = f.driver
	for _, o := range f.options {
		if host.LogConfig.Config == nil {
			host.LogConfig.Config = map[string]string{}
		}
		k, v, _ := strings.Cut(o, "=")
		host.LogConfig.Config[k] = v
	}
	return nil
}
