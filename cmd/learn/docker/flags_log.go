package docker

import (
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// logFlags say where a container's output goes.
type logFlags struct{}

func (f *logFlags) register(*pflag.FlagSet) {}

func (f *logFlags) apply(*App, *ctypes.Config, *ctypes.HostConfig) error { return nil }
