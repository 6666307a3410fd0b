package docker

import (
	"strconv"

	"github.com/docker/go-units"
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// limitFlags bound what a container may use.
type limitFlags struct {
	memory, cpus string
	pids         int64
}

func (f *limitFlags) register(fl *pflag.FlagSet) {
	fl.StringVarP(&f.memory, "memory", "m", "", "Memory limit")
	fl.StringVar(&f.cpus, "cpus", "", "Number of CPUs")
	fl.Int64Var(&f.pids, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)")
}

func (f *limitFlags) apply(_ *App, _ *ctypes.Config, host *ctypes.HostConfig) error {
	if f.memory != "" {
		n, err := units.RAMInBytes(f.memory)
		if err != nil || n < 0 {
			return usagef("invalid argument %q for \"-m, --memory\" flag: expected a size such as 64m", f.memory)
		}
		host.Memory = n
	}
	if f.cpus != "" {
		n, err := strconv.ParseFloat(f.cpus, 64)
		if err != nil || n <= 0 {
			return usagef("invalid argument %q for \"--cpus\" flag: expected a number above 0 such as 1.5", f.cpus)
		}
		host.NanoCPUs = int64(n * 1e9)
	}
	if f.pids > 0 {
		host.PidsLimit = &f.pids
	}
	return nil
}
