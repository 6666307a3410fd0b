package docker

import (
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// securityFlags say what a container may do and see of the machine.
type securityFlags struct{ readOnly bool }

func (f *securityFlags) register(fl *pflag.FlagSet) {
	fl.BoolVar(&f.readOnly, "read-only", false, "Mount the container's root filesystem as read only")
}

func (f *securityFlags) apply(_ *App, _ *ctypes.Config, host *ctypes.HostConfig) error {
	host.ReadonlyRootfs = f.readOnly
	return nil
}
