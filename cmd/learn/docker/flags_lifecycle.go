package docker

import (
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// lifecycleFlags say how a container ends and what happens then.
type lifecycleFlags struct {
	rm          bool
	stopSignal  string
	stopTimeout int
	set         *pflag.FlagSet
}

func (f *lifecycleFlags) register(fl *pflag.FlagSet) {
	f.set = fl
	fl.BoolVar(&f.rm, "rm", false, "Automatically remove the container when it exits")
	fl.StringVar(&f.stopSignal, "stop-signal", "", "Signal to stop the container")
	fl.IntVar(&f.stopTimeout, "stop-timeout", 0, "Timeout (in seconds) to stop a container")
}

func (f *lifecycleFlags) apply(_ *App, cfg *ctypes.Config, host *ctypes.HostConfig) error {
	host.AutoRemove, cfg.StopSignal = f.rm, f.stopSignal
	if f.set.Changed("stop-timeout") {
		cfg.StopTimeout = &f.stopTimeout
	}
	return nil
}
