package docker

import (
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// runtimeFlags say who makes the container.
type runtimeFlags struct{ name string }

func (f *runtimeFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.name, "runtime", "", `Runtime to use for this container ("learn", "runc", "crun" or the path of an OCI runtime)`)
}

func (f *runtimeFlags) apply(_ *App, _ *ctypes.Config, host *ctypes.HostConfig) error {
	host.Runtime = f.name
	return nil
}
